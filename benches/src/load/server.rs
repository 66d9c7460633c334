//! The processes that answer: those the generator starts, and what the kernel says of any that is on this machine.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Error, owned};
use crate::kernel;

/// What is looked for on the path.
const REDIS: &str = "redis-server";

/// A process that was started here, and ends with its owner, or with this process if that ends sooner. `binary` below is a program that
/// has the subcommand [`owned::SUBCOMMAND`], as `larder` has.
#[derive(Debug)]
pub struct Process {
    child: Child,
    addr: String,
}

impl Process {
    /// Starts `larder serve` of `binary` on free ports and waits until it can be read from; `more` are more of
    /// its arguments.
    ///
    /// # Errors
    /// [`Error::Failed`] when it does not start.
    pub fn larder(binary: &Path, data: &Path, sync: &str, more: &[&str]) -> Result<Self, Error> {
        let mut command = owned::command(binary, binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--sync", sync, "--data"]).arg(data).args(more);
        // What it logs would stand between the figures; what is wrong is worth that.
        command.env("LARDER_LOG", "warn");
        let (child, line) = start(command.stdin(Stdio::null()))?;
        let mut process = Self { child, addr: String::new() };
        let addr = line.split_whitespace().find_map(|word| word.strip_prefix("native="));
        let addr = addr.ok_or_else(|| {
            Error::Failed("the server that was started does not say where it listens".to_owned())
        })?;
        addr.clone_into(&mut process.addr);
        Ok(process)
    }

    /// Starts the echo of `binary`.
    ///
    /// # Errors
    /// [`Error::Failed`] when it does not start.
    pub fn echo(binary: &Path) -> Result<Self, Error> {
        let mut command = owned::command(binary, binary);
        let (child, line) = start(command.arg("bench-echo").stdin(Stdio::piped()))?;
        let addr = line.trim().to_owned();
        Ok(Self { child, addr })
    }

    /// Starts the `redis-server` on the path on a free port, without snapshots, with an append-only file that is synced as `sync`
    /// (a policy of Larder's) says.
    ///
    /// # Errors
    /// [`Error::Failed`] when there is none, or it does not start.
    pub fn redis(binary: &Path, directory: &Path, sync: &str) -> Result<Self, Error> {
        let mut probe = Command::new(REDIS);
        probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().map_err(|error| {
            Error::Failed(format!(
                "cannot start {REDIS}: {error}; install it (Debian: apt-get install redis-server), or name a running one: \
                 --against redis://HOST:PORT"
            ))
        })?;
        // Redis cannot be told to take any port; between here and there another process might.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = owned::command(binary, REDIS);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(directory);
        command.args(match sync {
            "always" => ["--appendonly", "yes", "--appendfsync", "always"].as_slice(),
            "interval" => &["--appendonly", "yes", "--appendfsync", "everysec"],
            "os" => &["--appendonly", "yes", "--appendfsync", "no"],
            _ => &["--appendonly", "no"],
        });
        let (child, mut line) = start(command.stdin(Stdio::null()))?;
        let mut process = Self { child, addr: format!("127.0.0.1:{port}") };
        while !line.contains("Ready to accept connections") {
            if line.is_empty() {
                return Err(Error::Failed("redis-server ended before it was ready".to_owned()));
            }
            line = next_line(&mut process.child)?;
        }
        drain(&mut process.child)?;
        Ok(process)
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// HOST:PORT.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already is as gone as one that is killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `command`; its first line.
fn start(command: &mut Command) -> Result<(Child, String), Error> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| {
        Error::Failed(format!("cannot start {}: {error}", command.get_program().display()))
    })?;
    let line = next_line(&mut child)?;
    Ok((child, line))
}

/// The next line that a process prints; empty when it ended.
fn next_line(child: &mut Child) -> Result<String, Error> {
    let mut line = Vec::new();
    if let Some(stdout) = child.stdout.as_mut() {
        // Byte by byte: what follows the line is for whoever reads on.
        BufReader::with_capacity(1, stdout).read_until(b'\n', &mut line)?;
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Reads what a process still prints, until it ends: one that nobody reads stops when the pipe is full.
fn drain(child: &mut Child) -> Result<(), Error> {
    if let Some(mut stdout) = child.stdout.take() {
        let read = move || {
            // What cannot be read is not missed.
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        };
        std::thread::Builder::new().name("drain".to_owned()).spawn(read)?;
    }
    Ok(())
}

/// The process that listens at `addr`, when that is on this machine and may be looked at; Linux only.
#[must_use]
pub fn listening_process(addr: &str) -> Option<u32> {
    let addr = addr.to_socket_addrs().ok()?.next()?;
    if !is_ours(addr.ip()) {
        return None;
    }
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let text = std::fs::read_to_string(table).ok()?;
        listening_inode(&text, addr)
    })?;
    let socket = format!("socket:[{inode}]");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let files = std::fs::read_dir(entry.path().join("fd")).ok()?;
        let is_owner = files.flatten().any(|file| {
            std::fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket.as_str())
        });
        is_owner.then_some(pid)
    })
}

/// An address of this machine can be bound to.
fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || TcpListener::bind(SocketAddr::new(ip, 0)).is_ok()
}

/// The inode of the socket that listens on the port of `addr`, in a table of the kernel.
fn listening_inode(table: &str, addr: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let port = format!(":{:04X}", addr.port());
    table.lines().skip(1).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_it = words.get(1)?.ends_with(&port) && *words.get(3)? == LISTEN;
        is_it.then(|| words.get(9)?.parse().ok())?
    })
}

/// A process that is measured, and how much of it there is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Its number.
    pub pid: u32,
}

impl Measured {
    /// CPU time so far, in ns; `None` once it has ended.
    #[must_use]
    pub fn cpu_ns(self) -> Option<u64> {
        // One that listens has used some: there is none only of a process that is gone.
        Some(kernel::process_ns_of(self.pid)).filter(|ns| *ns > 0)
    }

    /// Resident memory, in bytes.
    #[must_use]
    pub fn resident_bytes(self) -> u64 {
        let resident = kernel::resident_of(self.pid);
        resident.anonymous + resident.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_the_port_it_listens_on() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let addr = listener.local_addr().expect("it has one").to_string();
        assert_eq!(listening_process(&addr), Some(std::process::id()));
        // Another test may get a port that is given back; this one is nobody's.
        assert_eq!(listening_process("127.0.0.1:1"), None);
    }

    #[test]
    fn a_connection_is_not_taken_for_a_listener() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1D10 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 11 1\n\
             1: 0100007F:1D10 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1\n";
        let at = |port| listening_inode(table, SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!((at(7440), at(7441)), (Some(12), None));
    }
}
