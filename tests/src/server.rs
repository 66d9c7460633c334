//! A `larder serve` process: started, asked, paused, stopped, killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use client::{StatValue, blocking};
use rustix::process::{Pid, Signal, kill_process};

use crate::{binary::larder, syscall_fault::SyscallFault};

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Start {
    data: PathBuf,
    sync: &'static str,
    definitions: Option<PathBuf>,
    exports: Option<PathBuf>,
    fault: Option<SyscallFault>,
}

/// A start that was refused.
#[derive(Debug)]
pub struct Refused {
    /// How the process ended.
    pub status: ExitStatus,
    /// What it said on standard error.
    pub message: String,
}

/// A running server; killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    addr: String,
    admin: String,
    errors: File,
}

impl Start {
    /// A start on the directory `data` with sync policy `always`.
    #[must_use]
    pub fn on(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            sync: "always",
            definitions: None,
            exports: None,
            fault: None,
        }
    }

    /// With another sync policy.
    #[must_use]
    pub fn sync(mut self, policy: &'static str) -> Self {
        self.sync = policy;
        self
    }

    /// Applies the definitions in `file` first.
    #[must_use]
    pub fn apply(mut self, file: &Path) -> Self {
        self.definitions = Some(file.to_owned());
        self
    }

    /// With a directory for exports.
    #[must_use]
    pub fn exports(mut self, directory: &Path) -> Self {
        self.exports = Some(directory.to_owned());
        self
    }

    /// With a system call that fails.
    #[must_use]
    pub fn fault(mut self, fault: SyscallFault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Starts it, and waits until it can be read from or has ended.
    ///
    /// # Errors
    /// [`Refused`] when it ended instead.
    ///
    /// # Panics
    /// When the system cannot start a process.
    pub fn start(&self) -> Result<Server, Refused> {
        let errors = tempfile::tempfile().expect("a temporary file");
        let mut command =
            self.fault.map_or_else(|| Command::new(larder()), |fault| fault.command(larder()));
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--sync", self.sync, "--data"]).arg(&self.data);
        // A machine that stands still for a moment turns no request of these tests away.
        command.args(["--max-wait", "10s"]);
        if let Some(file) = &self.definitions {
            command.arg("--apply").arg(file);
        }
        if let Some(directory) = &self.exports {
            command.arg("--export-dir").arg(directory);
        }
        let stderr = errors.try_clone().expect("one more handle of a file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut process = command.spawn().expect("the larder binary starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("stdout is readable");
        let part = |name| {
            let found = line.split_whitespace().find_map(|word: &str| word.strip_prefix(name));
            found.map(str::to_owned)
        };
        if let Some((addr, admin)) = part("native=").zip(part("admin=")) {
            return Ok(Server { process, addr, admin, errors });
        }
        // Without the line there is nothing to wait for: it is ending, or broken and must not outlive the test.
        let _ = process.kill();
        let status = process.wait().expect("it can be waited for");
        Err(Refused { status, message: text(&errors) })
    }

    /// As [`Start::start`]; it must not be refused.
    ///
    /// # Panics
    /// With what the server said.
    #[must_use]
    #[track_caller]
    pub fn must_start(&self) -> Server {
        self.start().unwrap_or_else(|refused| {
            panic!("{} is refused ({}): {}", self.data.display(), refused.status, refused.message)
        })
    }
}

impl Server {
    /// HOST:PORT of the native protocol.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// What its admin port answers to a scrape.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn scrape(&self) -> String {
        let mut stream = TcpStream::connect(&self.admin).expect("the admin port is open");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        body.to_owned()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it said on standard error so far.
    #[must_use]
    pub fn errors(&self) -> String {
        text(&self.errors)
    }

    /// Runs `larder ARGS…` against it.
    ///
    /// # Panics
    /// When the system cannot start a process.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Output {
        run(&self.addr, args)
    }

    /// The figure `name` of `larder stats`; 0 when there is none.
    #[must_use]
    pub fn figure(&self, name: &str) -> u64 {
        let client = blocking::Client::new(&self.addr).ok();
        let figures = client.and_then(|client| client.stats().ok()).unwrap_or_default();
        let found = figures.into_iter().find(|(found, _)| found == name);
        match found {
            Some((_, StatValue::U64(value))) => value,
            _ => 0,
        }
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn kill(&mut self) {
        // Perhaps it was killed before: the same to us.
        let _ = self.process.kill();
        self.process.wait().expect("it can be waited for");
    }

    /// Ends it gently and waits for that.
    ///
    /// # Panics
    /// When it ended in another way than well.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.process.wait().expect("it can be waited for");
        assert!(status.success(), "{status}: {}", self.errors());
    }

    /// Stops its clock: no thread of it runs until [`Server::resume`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it run on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `kill` and `stop` it is gone: no more than an error to ignore.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs `larder ARGS…` against the server at `addr`.
pub(crate) fn run(addr: &str, args: &[&str]) -> Output {
    let mut command = Command::new(larder());
    command.args(args).env("LARDER_ADDR", addr).stdin(Stdio::null());
    command.output().expect("the larder binary starts")
}

/// All of `file`, wherever the process that shares it writes.
fn text(file: &File) -> String {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    // What cannot be read is missing from a message, no more.
    let _ = file.read_exact_at(&mut bytes, 0);
    String::from_utf8_lossy(&bytes).into_owned()
}
