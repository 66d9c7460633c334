//! The two ports of a server: taken first, opened when there is something to serve.
//!
//! ```text
//! taken    the address is bound: a second server that wants it is told so; whoever connects is refused
//! open     whoever connects is served
//! ```
//!
//! So a server whose port is taken by another program ends before it touches its directory, and nobody is connected to one that
//! still recovers. Another program that binds the same port with `SO_REUSEADDR` meanwhile is met only when it is opened: whoever is
//! second then fails.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::{Config, Error};

/// Connections that the system holds back until they are accepted.
const BACKLOG: i32 = 1024;

/// The ports of a server, taken and not open yet.
#[derive(Debug)]
pub struct Ports {
    native: Port,
    admin: Port,
}

#[derive(Debug)]
struct Port {
    socket: Socket,
    /// With the number that the system chose for port 0.
    addr: SocketAddr,
}

impl Ports {
    /// Takes the ports that `config` names.
    ///
    /// # Errors
    /// [`Error::Listen`] names the address and what to do.
    pub fn take(config: &Config) -> Result<Self, Error> {
        Ok(Self { native: Port::take(config.listen)?, admin: Port::take(config.admin)? })
    }

    pub(crate) fn native_addr(&self) -> SocketAddr {
        self.native.addr
    }

    pub(crate) fn admin_addr(&self) -> SocketAddr {
        self.admin.addr
    }

    /// Opens both: the native one, then that for operators.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub(crate) fn open(self) -> Result<(TcpListener, TcpListener), Error> {
        Ok((self.native.open()?, self.admin.open()?))
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
        let (_native, _admin) = ports.open().expect("they are ours");
        assert!(TcpStream::connect(addr).is_ok());
        let error = Ports::take(&config(addr)).expect_err("it is taken").to_string();
        assert!(error.contains(&addr.to_string()) && error.contains("port 0"), "{error}");
    }
}
