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
    use super::*;

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
