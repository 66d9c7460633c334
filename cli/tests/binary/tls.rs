//! A server with a certificate as its operator meets it: every command that talks to it speaks TLS when told whom to believe, to both
//! ports, and says what to do when it was not told.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::harness::{Server, write_file};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.profile]
entity = "card"
[group.profile.features]
country = "string"
[service.fraud]
features = ["profile:country"]
"#;

/// A certificate for 127.0.0.1 and its key, one for a client, and the authority of both, as files.
struct Files {
    ca: String,
    cert: String,
    key: String,
    client_cert: String,
    client_key: String,
}

impl Files {
    fn make(directory: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        let sign = |name: &str| {
            let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            let key = KeyPair::generate().expect("a key");
            (params.signed_by(&key, &issuer).expect("signed").pem(), key.serialize_pem())
        };
        let file = |name: &str, text: &str| {
            let path = directory.join(name);
            write_file(&path, text);
            path.to_str().expect("UTF-8").to_owned()
        };
        let (of_server, of_client) = (sign("127.0.0.1"), sign("somebody"));
        Self {
            ca: file("ca.pem", &ca),
            cert: file("server.pem", &of_server.0),
            key: file("server.key", &of_server.1),
            client_cert: file("client.pem", &of_client.0),
            client_key: file("client.key", &of_client.1),
        }
    }

    /// A server with the certificate and one service, `more` of its options.
    fn server(&self, directory: &Path, more: &[&str]) -> Server {
        let definitions = directory.join("f.toml");
        write_file(&definitions, DEFINITIONS);
        let tls = ["--tls-cert", &self.cert, "--tls-key", &self.key, "--sync", "memory", "--apply"];
        let apply = [definitions.to_str().expect("UTF-8")];
        Server::start(&directory.join("data"), &[&tls[..], &apply, more].concat())
    }
}

/// Short times, few entities.
const LOAD: [&str; 7] = ["bench", "--entities", "50", "--duration", "100ms", "--warm-up", "10ms"];

#[test]
fn every_command_speaks_tls_to_whom_it_is_told_to_believe() {
    let place = tempfile::tempdir().expect("a directory");
    let files = Files::make(place.path());
    let server = files.server(place.path(), &[]);
    let rows = place.path().join("rows.csv");
    write_file(&rows, "card,country\nc1,CH\n");
    let with = |args: &[&str]| server.ok(&[args, &["--tls-ca", &files.ca]].concat());
    with(&["put", "profile", rows.to_str().expect("UTF-8")]);
    assert!(with(&["get", "fraud", "--key", "c1", "--format", "json"]).contains("CH"));
    assert!(with(&["ready", "--admin", &server.admin]).contains("\"ready\":true"));
    let top = ["top", "--once", "--interval", "50ms", "--format", "json", "--admin", &server.admin];
    assert!(with(&top).contains("\"profile\""));
    for more in [&["--workload", "mixed"][..], &["--against", "echo"]] {
        let out = with(&[&LOAD[..], &["--addr", &server.addr], more].concat());
        assert!(out.contains("p99") && !out.contains("failed"), "{out}");
    }
    let own = ["--service", "fraud", "--key-template", "c{n}", "--addr", &server.addr];
    let out = with(&[&LOAD[..], &own].concat());
    assert!(out.contains("answered") && !out.contains("failed"), "{out}");
}

#[test]
fn without_it_each_says_what_to_do() {
    let place = tempfile::tempdir().expect("a directory");
    let files = Files::make(place.path());
    let server = files.server(place.path(), &[]);
    let admin = ["--admin", &server.admin];
    for args in [
        &["get", "fraud", "--key", "c1"][..],
        &[&["ready"][..], &admin].concat(),
        &[&["top", "--once"][..], &admin].concat(),
        &[&LOAD[..], &["--addr", &server.addr]].concat(),
    ] {
        let told = server.fails(1, args);
        assert!(told.contains("--tls"), "{args:?}: {told}");
    }
    // The authorities of this machine do not know the server's.
    let told =
        server.fails(1, &[&["ready"][..], &admin, &["--tls", "--tls-server-name", "x"]].concat());
    assert!(told.contains("--tls-ca"), "{told}");
    let plain = Server::start(&place.path().join("plain"), &["--sync", "memory"]);
    let told = plain.fails(1, &["ready", "--admin", &plain.admin, "--tls-ca", &files.ca]);
    assert!(told.contains("does not speak TLS"), "{told}");
}

#[test]
fn a_server_that_wants_certificates_gets_one_on_both_ports() {
    let place = tempfile::tempdir().expect("a directory");
    let files = Files::make(place.path());
    let server =
        files.server(place.path(), &["--tls-client-ca", &files.ca, "--tls-client-required"]);
    let ca = ["--tls-ca", &files.ca];
    let shown = ["--tls-cert", &files.client_cert, "--tls-key", &files.client_key];
    let top = ["top", "--once", "--interval", "50ms", "--admin", &server.admin];
    for args in [
        &["get", "fraud", "--key", "c1"][..],
        &["ready", "--admin", &server.admin],
        &top,
        &[&LOAD[..], &["--addr", &server.addr]].concat(),
    ] {
        server.ok(&[args, &ca, &shown].concat());
        let told = server.fails(1, &[args, &ca].concat());
        assert!(told.contains("--tls-cert"), "{args:?}: {told}");
    }
}
