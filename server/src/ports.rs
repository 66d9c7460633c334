//! The two ports of a server: taken first, opened when there is something to serve.
//!
//! ```text
//! taken    the address is bound: a second server that wants it is told so; whoever connects is refused
//! open     whoever connects is served
//! ```
//!
//! So a server whose port is taken by another program ends before it touches its directory, and no client is connected to one that
//! still recovers; the port for operators is opened as soon as both are taken, and says so meanwhile. Another program that binds the same port with `SO_REUSEADDR` meanwhile is met only when it is opened: whoever is
//! second then fails.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::{Config, Error, access::exposure, admin::Admin, tls::Tls};

/// Connections that the system holds back until they are accepted.
const BACKLOG: i32 = 1024;

/// The ports of a server, taken and not open yet.
#[derive(Debug)]
pub struct Ports {
    native: Port,
    admin: AdminPort,
    tls: Option<Arc<Tls>>,
    drain: Duration,
}

#[derive(Debug)]
enum AdminPort {
    Taken(Port),
    Open(Admin),
}

#[derive(Debug)]
struct Port {
    socket: Socket,
    /// With the number that the system chose for port 0.
    addr: SocketAddr,
}

impl Ports {
    /// Takes the ports that `config` names, and reads their certificates.
    ///
    /// # Errors
    /// [`Error::Listen`] names the address and what to do, [`Error::Tls`] the file, [`Error::Exposed`] an address that others can
    /// reach and nobody guards.
    pub fn take(config: &Config) -> Result<Self, Error> {
        exposure::check(config)?;
        let tls = config.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
        let (native, admin) = (Port::take(config.listen)?, Port::take(config.admin)?);
        Ok(Self { native, admin: AdminPort::Taken(admin), tls, drain: config.drain })
    }

    pub(crate) fn native_addr(&self) -> SocketAddr {
        self.native.addr
    }

    /// Address of the port for operators.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        match &self.admin {
            AdminPort::Taken(port) => port.addr,
            AdminPort::Open(admin) => admin.addr(),
        }
    }

    /// Opens the one for operators, while there is no database yet: it says that the server is not ready, and why. Not at all when it is
    /// open already.
    ///
    /// # Errors
    /// [`Error::Listen`], [`Error::Threads`].
    pub fn open_admin(self) -> Result<Self, Error> {
        let admin = match self.admin {
            AdminPort::Open(admin) => admin,
            AdminPort::Taken(port) => {
                let addr = port.addr;
                Admin::open(port.open()?, addr, self.tls.clone(), self.drain)?
            }
        };
        Ok(Self { admin: AdminPort::Open(admin), ..self })
    }

    /// Opens both, the one for operators unless it is open already. With the certificates, if there are any.
    ///
    /// # Errors
    /// As [`Ports::open_admin`].
    pub(crate) fn open(self) -> Result<(TcpListener, Admin, Option<Arc<Tls>>), Error> {
        let Self { native, admin, tls, .. } = self.open_admin()?;
        match admin {
            AdminPort::Open(admin) => Ok((native.open()?, admin, tls)),
            AdminPort::Taken(port) => {
                Err(Error::listen(port.addr, std::io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl Port {
    fn take(addr: SocketAddr) -> Result<Self, Error> {
        let take = || {
            let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
            // A restart finds its port free although connections of the last run are in TIME_WAIT.
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&addr.into())?;
            let addr = socket.local_addr()?.as_socket().unwrap_or(addr);
            Ok(Self { socket, addr })
        };
        take().map_err(|error| Error::listen(addr, error))
    }

    fn open(self) -> Result<TcpListener, Error> {
        self.socket.listen(BACKLOG).map_err(|error| Error::listen(self.addr, error))?;
        Ok(TcpListener::from(self.socket))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn config(listen: SocketAddr) -> Config {
        Config { listen, admin: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::default() }
    }

    #[test]
    fn who_connects_too_early_is_refused_and_later_served() {
        let ports = Ports::take(&config(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("free");
        let addr = ports.native_addr();
        assert_ne!(addr.port(), 0, "the system chose one");
        let refused = TcpStream::connect(addr).expect_err("nobody listens yet");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let _open = ports.open().expect("they are ours");
        assert!(TcpStream::connect(addr).is_ok());
        let error = Ports::take(&config(addr)).expect_err("it is taken").to_string();
        assert!(error.contains(&addr.to_string()) && error.contains("port 0"), "{error}");
    }
}
