//! Who is believed: the server by its clients, clients by the server.

use client::TlsOptions;

use crate::{
    certificates::{Authority, write},
    setting::World,
};

#[tokio::test]
async fn whoever_believes_the_authority_is_served_and_reads_what_was_written() {
    let world = World::start(|_, _| {});
    let client = world.client(Some(world.trusting()));
    let group = client.group("g").await.expect("prepared");
    // Many records of TLS, in both directions.
    let rows =
        (0..2000).map(|number| group.row().key(format!("c{number}")).set("f", i64::from(number)));
    group.put(rows.collect::<Vec<_>>()).await.expect("taken");
    let (mut scan, mut seen) = (group.scan(500), 0);
    while let Some(page) = scan.next().await.expect("a page") {
        seen += page.len();
    }
    assert_eq!(seen, 2000);
}

#[tokio::test]
async fn another_authority_and_another_name_are_told_apart() {
    let world = World::start(|_, _| {});
    let other = Authority::new("another");
    let options = TlsOptions::with_authorities(other.pem()).expect("one");
    let error = world.client(Some(options)).hello().await.expect_err("not believed").to_string();
    assert!(error.contains("UnknownIssuer") && error.contains("--tls-ca"), "{error}");

    let options = world.trusting().server_name("elsewhere.internal").expect("a name");
    let error = world.client(Some(options)).hello().await.expect_err("another name").to_string();
    assert!(error.contains("elsewhere.internal"), "{error}");
    let options = world.trusting().server_name("features.internal").expect("a name");
    world.client(Some(options)).hello().await.expect("it is in the certificate");
}

#[tokio::test]
async fn plain_clients_and_clients_of_plain_ports_are_told_what_to_change() {
    let world = World::start(|_, _| {});
    let error = world.client(None).hello().await.expect_err("it speaks TLS").to_string();
    assert!(error.contains("this port speaks TLS") && error.contains("--tls"), "{error}");

    let plain = World::start(|config, _| config.tls = None);
    let client = plain.client(Some(world.trusting()));
    let error = client.hello().await.expect_err("it does not speak TLS").to_string();
    assert!(error.contains("looks like TLS") && error.contains("without it"), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_certificates_takes_those_of_its_authority_alone() {
    let clients = Authority::new("of clients");
    let world = World::start(|config, directory| {
        let files = config.tls.as_mut().expect("TLS");
        files.client_ca = Some(write(directory, "clients.pem", clients.pem()));
        files.client_required = true;
    });
    let error = world.client(Some(world.trusting())).hello().await.expect_err("no certificate");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");

    let stranger = Authority::new("of others").sign("fraud-model", &[]);
    let with = |signed: &crate::certificates::Signed| {
        let options = world.trusting().identity(signed.cert.as_bytes(), signed.key.as_bytes());
        world.client(Some(options.expect("a pair")))
    };
    with(&stranger).hello().await.expect_err("signed by somebody else");
    with(&clients.sign("fraud-model", &[])).hello().await.expect("signed by the right one");
}

#[test]
fn a_certificate_with_anothers_key_is_found_on_either_side() {
    let authority = Authority::new("an authority");
    let (one, other) = (authority.sign("one", &[]), authority.sign("other", &[]));
    let options = TlsOptions::with_authorities(authority.pem()).expect("one");
    let error = options.identity(one.cert.as_bytes(), other.key.as_bytes()).expect_err("mixed");
    assert!(error.to_string().contains("does not go with its key"), "{error}");
}
