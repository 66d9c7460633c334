//! Certificates that change while the server runs.

use client::TlsOptions;

use crate::{
    certificates::{Authority, write},
    setting::{World, put},
};

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_a_broken_one_changes_nothing() {
    let world = World::start(|_, _| {});
    let old = world.client(Some(world.trusting()));
    old.hello().await.expect("served");

    // A certificate with the key of another: what a copy of two files may look like half way.
    let next = Authority::new("the next");
    let signed = next.sign("larder", &["127.0.0.1"]);
    write(world.directory.path(), "server.pem", signed.cert.as_bytes());
    world.server.reload().expect("there is no policy");
    world.client(Some(world.trusting())).hello().await.expect("the old one stays");

    put(world.directory.path(), &signed);
    world.server.reload().expect("there is no policy");
    let trusting = TlsOptions::with_authorities(next.pem()).expect("one");
    world.client(Some(trusting)).hello().await.expect("the new one");
    world.client(Some(world.trusting())).hello().await.expect_err("not the old one any more");
    old.hello().await.expect("who is connected stays connected");
}

#[test]
fn a_server_without_a_usable_certificate_does_not_start_and_names_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let signed = Authority::new("an authority").sign("larder", &[]);
    let files = put(directory.path(), &signed);
    let free = "127.0.0.1:0".parse().expect("an address");
    let config = |files| server::Config {
        listen: free,
        admin: free,
        tls: Some(files),
        ..server::Config::default()
    };
    write(directory.path(), "empty.pem", b"");
    for (name, says) in [
        ("empty.pem", "no certificate in it"),
        ("server.key", "no certificate in it"),
        ("missing.pem", "cannot be read"),
    ] {
        let cert = directory.path().join(name);
        let files = server::TlsFiles { cert, ..files.clone() };
        let error = server::Ports::take(&config(files)).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains(says), "{error}");
    }
    let files = server::TlsFiles { key: directory.path().join("server.pem"), ..files };
    let error = server::Ports::take(&config(files)).expect_err("no key").to_string();
    assert!(error.contains("PRIVATE KEY"), "{error}");
}
