//! Redis' side: a server of our own on a free port of this machine, filled and read over RESP, ended by its process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Reader, child::Child};
use crate::workload;

/// Commands of one round trip while it is filled.
const PIPELINE: usize = 500;
/// Between two tries to reach a server that is starting.
const PAUSE: Duration = Duration::from_millis(1);

/// True when there is a `redis-server`.
#[must_use]
pub fn is_installed() -> bool {
    let asked = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Hashes of 50 fields with the bytes of an f64 each, what Larder's rows hold, as append-only file and as dump.
pub(super) fn fill(directory: &Path, entities: u64) {
    std::fs::create_dir_all(directory).expect("a directory can be made");
    let mut server = Server::start(directory, true);
    let numbers: Vec<u64> = (0..entities).collect();
    for numbers in numbers.chunks(PIPELINE) {
        let commands: Vec<_> = numbers.iter().map(|number| hset(*number)).collect();
        server.send(&commands);
        commands.iter().for_each(|_| assert!(server.reply().is_some(), "a hash was not stored"));
    }
    server.send(&[vec![b"SAVE".to_vec()]]);
    assert!(server.reply().is_some(), "the dump was not written");
    // Not in one go with the above: a server that ends takes answers with it.
    server.send(&[vec![b"SHUTDOWN".to_vec(), b"NOSAVE".to_vec()]]);
    server.child.wait();
}

/// Starts a server on what [`fill`] left: its append-only file, or its dump.
pub(super) fn start(directory: &Path, append_only: bool) -> Box<dyn Reader> {
    Box::new(Server::start(directory, append_only))
}

struct Server {
    child: Child,
    connection: BufReader<TcpStream>,
}

impl Server {
    fn start(directory: &Path, append_only: bool) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("it has an address").port();
        drop(free);
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
        command.args(["--port", &port.to_string()]).arg("--dir").arg(directory);
        // A rewrite would measure the format of the dump.
        command.args(["--appendonly", if append_only { "yes" } else { "no" }]);
        command.args(["--auto-aof-rewrite-percentage", "0"]);
        let mut child = Child::start(&mut command);
        let connection = loop {
            assert!(
                child.is_running(),
                "redis-server ended: is its port free, its directory writable?"
            );
            if let Ok(connection) = TcpStream::connect(("127.0.0.1", port)) {
                break connection;
            }
            std::thread::park_timeout(PAUSE);
        };
        connection.set_nodelay(true).expect("it is a socket");
        Self { child, connection: BufReader::new(connection) }
    }

    fn send(&mut self, commands: &[Vec<Vec<u8>>]) {
        let mut bytes = Vec::new();
        for command in commands {
            write!(bytes, "*{}\r\n", command.len()).expect("memory");
            for argument in command {
                write!(bytes, "${}\r\n", argument.len()).expect("memory");
                bytes.extend_from_slice(argument);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.connection.get_mut().write_all(&bytes).expect("the server takes it");
    }

    /// The next reply, as the number of values in it; nothing for an error.
    fn reply(&mut self) -> Option<usize> {
        let line = self.line();
        let number = |line: &str| line.get(1..).and_then(|number| number.parse().ok()).unwrap_or(0);
        match line.as_bytes().first()? {
            b'-' => None,
            b'*' => {
                let values = number(&line);
                for _ in 0..values {
                    let length: usize = number(&self.line());
                    let mut value = vec![0; length + 2];
                    self.connection.read_exact(&mut value).expect("the server answers");
                }
                Some(values)
            }
            _ => Some(1),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.connection.read_line(&mut line).expect("the server answers");
        line.truncate(line.trim_end().len());
        line
    }
}

impl Reader for Server {
    fn child(&self) -> &Child {
        &self.child
    }

    /// Asks again as long as the server is loading.
    fn read(&mut self, numbers: &[u64]) {
        let commands: Vec<_> = numbers.iter().map(|number| hmget(*number)).collect();
        loop {
            self.send(&commands);
            let replies: Vec<_> = commands.iter().map(|_| self.reply()).collect();
            if replies.iter().all(|values| *values == Some(workload::WIDE)) {
                return;
            }
            assert!(self.child.is_running(), "redis-server ended while it was loading");
            std::thread::park_timeout(PAUSE);
        }
    }
}

fn hset(number: u64) -> Vec<Vec<u8>> {
    let mut command = vec![b"HSET".to_vec(), workload::key(number).into_bytes()];
    let row = workload::wide_row(number);
    // Two bits of state a feature come first.
    let cells = row.get(workload::WIDE.div_ceil(4)..).unwrap_or_default();
    for (feature, cell) in cells.chunks(size_of::<f64>()).enumerate() {
        command.push(field(feature));
        command.push(cell.to_vec());
    }
    command
}

fn hmget(number: u64) -> Vec<Vec<u8>> {
    let mut command = vec![b"HMGET".to_vec(), workload::key(number).into_bytes()];
    command.extend((0..workload::WIDE).map(field));
    command
}

fn field(feature: usize) -> Vec<u8> {
    format!("f{feature}").into_bytes()
}
