//! Pages that show data are for whoever is on the server's own machine: the admin port asks nobody who they are.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, connect_info::Connected},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
    serve::IncomingStream,
};

use crate::tls::AdminListener;

/// Where a connection of the admin port comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin(SocketAddr);

impl Connected<IncomingStream<'_, AdminListener>> for Origin {
    fn connect_info(stream: IncomingStream<'_, AdminListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Lets a request through when it comes from this machine; 403 for others.
pub(super) async fn only(
    ConnectInfo(origin): ConnectInfo<Origin>,
    request: Request,
    next: Next,
) -> Response {
    if is_local(origin) {
        return next.run(request).await;
    }
    let why = "this page may show entity keys: ask for it on the server's own machine, through its loopback address\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

fn is_local(Origin(addr): Origin) -> bool {
    addr.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::serve::Listener;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::admin::{Life, router};

    /// A port of this machine whose connections all come from one address, as if they had travelled.
    struct Travelled {
        tcp: TcpListener,
        origin: SocketAddr,
    }

    impl Listener for Travelled {
        type Io = TcpStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (TcpStream, SocketAddr) {
            (self.tcp.accept().await.expect("a test connects").0, self.origin)
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            self.tcp.local_addr()
        }
    }

    impl Connected<IncomingStream<'_, Travelled>> for Origin {
        fn connect_info(stream: IncomingStream<'_, Travelled>) -> Self {
            Self(*stream.remote_addr())
        }
    }

    /// The status line and what follows, of a page that is asked for from `origin`.
    async fn get(origin: &str, path: &str) -> String {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = tcp.local_addr().expect("it has one");
        let origin = origin.parse().expect("an address");
        let pages = router(Life::new()).into_make_service_with_connect_info::<Origin>();
        tokio::spawn(axum::serve(Travelled { tcp, origin }, pages).into_future());
        let mut stream = TcpStream::connect(addr).await.expect("it listens");
        // What a proxy says of others is not believed, in either direction.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    #[tokio::test]
    async fn pages_with_keys_are_for_this_machine_and_the_others_for_everybody() {
        for path in ["/debug/slow", "/debug/hot-keys"] {
            let answer = get("10.0.0.1:999", path).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
            assert!(answer.contains("its loopback address"), "{path}: {answer}");
            let answer = get("[::ffff:127.0.0.1]:999", path).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
        for path in ["/health", "/metrics"] {
            let answer = get("10.0.0.1:999", path).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
    }

    #[test]
    fn loopback_addresses_of_both_kinds_are_local_and_no_others() {
        for (addr, expected) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("[fe80::1]:1", false),
        ] {
            let origin = Origin(addr.parse().expect("an address"));
            assert_eq!(is_local(origin), expected, "{addr}");
        }
    }
}
