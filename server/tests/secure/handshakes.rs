//! Handshakes that come to no end, those of a crowd behind one address, and the admin port.

use std::net::SocketAddr;
use std::time::Duration;

use model::limits::HANDSHAKES_PER_ADDRESS_MAX;
use rustls::{ClientConfig, RootCertStore, pki_types::pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::client::TlsStream;

use crate::setting::{NEVER, World};

/// Handshakes of an honest client that a busy machine may have held up until their time was over.
const LATE_MAX: u64 = 20;

/// A connection to `addr` from another address of this machine, with its handshake done.
async fn from_elsewhere(world: &World, addr: SocketAddr) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let pem = rustls::pki_types::CertificateDer::from_pem_slice(world.authority.pem());
    roots.add(pem.expect("a certificate")).expect("an authority");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it is there")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("loopback has many");
    let stream = socket.connect(addr).await.expect("it listens");
    let name = "127.0.0.1".try_into().expect("a name");
    connector.connect(name, stream).await.expect("a handshake")
}

/// What the admin port answers.
async fn asked(world: &World, path: &str) -> String {
    let mut stream = from_elsewhere(world, world.server.admin_addr()).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_peer_that_never_finishes_its_handshake_is_cut_and_others_are_served() {
    let world = World::start(|config, _| config.handshake = Duration::from_millis(1500));
    let mut silent = Vec::new();
    for bytes in [
        &b""[..],
        &[0x16],
        &[0x16, 0x03, 0x01, 0x01, 0x00, 0x01],
        &[0x16, 0x03, 0x01, 0, 4, 1, 0, 0, 0],
    ] {
        let mut stream = TcpStream::connect(world.server.native_addr()).await.expect("it listens");
        stream.write_all(bytes).await.expect("a socket");
        silent.push(stream);
    }
    let (client, mut late) = (world.client(Some(world.trusting())), 0);
    while let Err(error) = client.hello().await {
        late += 1;
        assert!(late <= LATE_MAX, "served meanwhile: {error}");
    }
    for mut stream in silent {
        let mut heard = Vec::new();
        let ends = tokio::time::timeout(NEVER, stream.read_to_end(&mut heard));
        // An end or a reset: either way it is over.
        let _ = ends.await.expect("it is cut");
    }
    // On the same connection: it needs no handshake.
    let figures = client.stats().await.expect("figures");
    let failed = figures.iter().find(|(name, _)| name == "tls_handshakes_failed");
    assert_eq!(failed.map(|(_, count)| count), Some(&client::StatValue::U64(4 + late)));
}

#[tokio::test]
async fn one_address_with_all_its_handshakes_begun_keeps_nobody_else_out() {
    let world = World::start(|config, _| config.handshake = Duration::from_secs(600));
    let native = world.server.native_addr();
    let mut silent = Vec::new();
    for _ in 0..HANDSHAKES_PER_ADDRESS_MAX {
        silent.push(TcpStream::connect(native).await.expect("it listens"));
    }
    // Connections are taken in their order: this one comes when all of those have begun.
    let mut late = TcpStream::connect(native).await.expect("it listens");
    let heard = tokio::time::timeout(NEVER, late.read(&mut [0; 1])).await;
    assert!(!matches!(heard.expect("it is closed"), Ok(1..)), "there was no place for it");
    from_elsewhere(&world, native).await;
    let figures = asked(&world, "/metrics").await;
    assert!(figures.contains("\nlarder_connections_refused_total 1\n"), "{figures}");
    drop(silent);
}

#[tokio::test]
async fn the_admin_port_has_the_same_certificate() {
    let world = World::start(|_, _| {});
    let answer = asked(&world, "/health").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
