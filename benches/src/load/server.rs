//! The processes that answer: those the generator starts, and what the kernel says of any that is on this machine.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Error;
use crate::kernel;

/// A process that was started here, and ends with its owner.
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
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--sync", sync, "--data"]).arg(data).args(more);
        // What it logs would stand between the figures; what is wrong is worth that.
        command.env("LARDER_LOG", "warn");
        let (child, line) = start(&mut command)?;
        let mut process = Self { child, addr: String::new() };
        let addr = line.split_whitespace().find_map(|word| word.strip_prefix("native="));
        let addr = addr.ok_or_else(|| {
            Error::Failed("the server that was started does not say where it listens".to_owned())
        })?;
        addr.clone_into(&mut process.addr);
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
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = quiet.spawn().map_err(|error| {
        Error::Failed(format!("cannot start {}: {error}", command.get_program().display()))
    })?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.as_mut() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    Ok((child, line))
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
    /// CPU time so far, in ns.
    #[must_use]
    pub fn cpu_ns(self) -> u64 {
        kernel::process_ns_of(self.pid)
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
        drop(listener);
        assert_eq!(listening_process(&addr), None);
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
