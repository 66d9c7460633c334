//! Handshakes that come to no end, and the admin port.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::setting::World;

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
    world.client(Some(world.trusting())).hello().await.expect("served meanwhile");
    for mut stream in silent {
        let mut heard = Vec::new();
        let ends = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut heard));
        // An end or a reset: either way it is over.
        let _ = ends.await.expect("it is cut");
    }
    let client = world.client(Some(world.trusting()));
    let figures = client.stats().await.expect("figures");
    let failed = figures.iter().find(|(name, _)| name == "tls_handshakes_failed");
    assert_eq!(failed.map(|(_, count)| count), Some(&client::StatValue::U64(4)));
}

#[tokio::test]
async fn the_admin_port_has_the_same_certificate() {
    use rustls::{ClientConfig, RootCertStore, pki_types::pem::PemObject};
    let world = World::start(|_, _| {});
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
    let stream = TcpStream::connect(world.server.admin_addr()).await.expect("it listens");
    let name = "127.0.0.1".try_into().expect("a name");
    let mut stream = connector.connect(name, stream).await.expect("a handshake");
    let request = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
