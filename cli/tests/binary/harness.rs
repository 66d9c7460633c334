//! The `larder` binary as a user meets it: a server process on a free port, commands against it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A machine that stands still for a moment turns no request of these tests away.
const PATIENCE: [(&str, &str); 1] = [("LARDER_SERVE_MAX_WAIT", "10s")];

/// A running `larder serve`.
pub(crate) struct Server {
    process: Child,
    /// HOST:PORT of the native protocol.
    pub(crate) addr: String,
    /// HOST:PORT of the admin port.
    pub(crate) admin: String,
}

impl Server {
    /// Starts a server on `data` with free ports and waits until it can be read from.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_on(data, "127.0.0.1:0", more)
    }

    /// As [`Server::start`], on the port that an earlier server had.
    pub(crate) fn start_at(data: &Path, addr: &str) -> Self {
        Self::start_on(data, addr, &[])
    }

    fn start_on(data: &Path, listen: &str, more: &[&str]) -> Self {
        let mut process = Command::new(binary())
            .args(["serve", "--listen", listen, "--admin", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(more)
            .envs(PATIENCE)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the larder binary starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("stdout is readable");
        let part = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in {line:?}")).to_owned()
        };
        Self { addr: part("native="), admin: part("admin="), process }
    }

    /// Runs `larder ARGS…` against this server.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        larder(&self.addr, args)
    }

    /// As [`Server::run`]; the command must succeed. Returns standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "larder {args:?} failed: {stderr}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// As [`Server::run`]; the command must fail with `code`. Returns standard error.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "larder {args:?}: {stderr}");
        stderr
    }

    /// Kills the process as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("the server was running");
        self.process.wait().expect("it can be waited for");
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(mut self) -> std::process::ExitStatus {
        self.process.wait().expect("it can be waited for")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after `kill` and `wait`: both are then no more than an error to ignore.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs `larder ARGS…` against the server at `addr`.
pub(crate) fn larder(addr: &str, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(args).env("LARDER_ADDR", addr).stdin(Stdio::null());
    if args.first() == Some(&"bench") {
        // It may start servers.
        command.envs(PATIENCE);
    }
    command.output().expect("the larder binary starts")
}

/// Writes a user's file.
#[expect(clippy::disallowed_methods, reason = "a user's input; it is no file of a database")]
pub(crate) fn write_file(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file can be written");
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The binary of these tests.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_larder")
}
