//! Who a client's certificate says it is, and what becomes of it when the policy does not say so any more.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::TlsOptions;
use protocol::{CallStatus, Failure, Header, HelloRequest, Opcode, PrepareRequest, Target, frame};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use server::access::NewToken;
use stdx::cursor::Writer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    certificates::{Authority, Signed, write},
    setting::{NEVER, World},
};

const ROLES: &str = "[role.reader]\nread = [\"group:g\"]\n[role.writer]\nwrite = [\"group:g\"]\n";
/// How long a stranger may stay: long enough for whoever is served, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that asks clients for certificates and has a policy, and whoever signs those of its clients.
struct Setting {
    world: World,
    clients: Authority,
    /// Of somebody else, so that the policy is one without the certificate.
    token: NewToken,
}

impl Setting {
    fn start(patience: Duration) -> Self {
        let clients = Authority::new("of clients");
        let token = NewToken::generate().expect("the system has randomness");
        let world = World::start(|config, directory| {
            let files = config.tls.as_mut().expect("TLS");
            files.client_ca = Some(write(directory, "clients.pem", clients.pem()));
            config.hello_within = patience;
            config.access =
                Some(write(directory, "access.toml", policy(&token, "reader").as_bytes()));
        });
        Self { world, clients, token }
    }

    /// The policy becomes one in which the certificate has this role; none without a role.
    fn reload(&self, role: &str) {
        let directory: &Path = self.world.directory.path();
        write(directory, "access.toml", policy(&self.token, role).as_bytes());
        self.world.server.reload().expect("it is good");
    }

    async fn peer(&self) -> Peer {
        Peer::connect(&self.world, &self.clients.sign("fraud-model", &[])).await
    }
}

fn policy(token: &NewToken, role: &str) -> String {
    let other = format!(
        "{ROLES}[subject.other]\nroles = [\"reader\"]\n[[subject.other.token]]\nsha256 = \"{}\"\n",
        token.sha256()
    );
    match role {
        "" => other,
        role => format!(
            "{other}[subject.model]\nroles = [\"{role}\"]\ncertificate = \"CN=fraud-model\"\n"
        ),
    }
}

/// A connection, frame by frame.
struct Peer {
    stream: TlsStream<TcpStream>,
    input: bytes::BytesMut,
}

impl Peer {
    async fn connect(world: &World, identity: &Signed) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(world.authority.pem()).expect("one");
        roots.add(authority).expect("an authority");
        let chain = vec![CertificateDer::from_pem_slice(identity.cert.as_bytes()).expect("one")];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("it is there")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .expect("a pair");
        let stream = TcpStream::connect(world.server.native_addr()).await.expect("it listens");
        let name = "127.0.0.1".try_into().expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Self { stream: stream.expect("a handshake"), input: bytes::BytesMut::new() }
    }

    async fn ask(
        &mut self,
        opcode: Opcode,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Failure> {
        let mut out = Vec::new();
        frame::write(&mut out, Header::request(opcode, 1, 0), body).expect("it is small");
        // A server that has cut it off said so before.
        let _cut = self.stream.write_all(&out).await;
        let _cut = self.stream.flush().await;
        self.reply().await.expect("an answer")
    }

    /// The next answer; `None` when the connection has ended.
    async fn reply(&mut self) -> Option<Result<(), Failure>> {
        loop {
            if let Some(reply) = frame::split(&mut self.input).expect("frames") {
                let status = reply.header().status().expect("it is known");
                return Some(match status {
                    CallStatus::Ok => Ok(()),
                    status => Err(Failure::decode(status, reply.body()).expect("it says why")),
                });
            }
            let read = tokio::time::timeout(NEVER, self.stream.read_buf(&mut self.input));
            if read.await.expect("it is told something, or cut").ok()? == 0 {
                return None;
            }
        }
    }

    /// Whether it may read the group.
    async fn prepare(&mut self) -> Result<(), Failure> {
        let request =
            PrepareRequest { target: Target::Features(vec!["g:f".into()]), purpose: None };
        self.ask(Opcode::Prepare, |out| request.encode(out)).await
    }

    async fn hello(&mut self, token: &str) -> Result<(), Failure> {
        let hello = HelloRequest { protocol: 2, client: "test", token, purpose: "" };
        self.ask(Opcode::Hello, |out| hello.encode(out)).await
    }
}

#[tokio::test]
async fn a_certificate_says_who_asks_and_the_roles_of_that_subject_decide() {
    let setting = Setting::start(NEVER);
    let mut peer = setting.peer().await;
    peer.prepare().await.expect("a reader");
    setting.reload("writer");
    let failure = peer.prepare().await.expect_err("not a reader any more");
    assert_eq!(failure.status, CallStatus::Denied, "{}", failure.message);
    assert!(failure.message.contains("subject model (role writer)"), "{}", failure.message);
    setting.reload("reader");
    peer.prepare().await.expect("a reader again");
    // Another certificate of the same authority is nobody.
    let mut other = Peer::connect(&setting.world, &setting.clients.sign("other", &[])).await;
    let failure = other.prepare().await.expect_err("it is in no policy");
    assert_eq!(failure.status, CallStatus::Unauthenticated, "{}", failure.message);
    assert!(failure.message.contains("CN=other"), "{}", failure.message);
}

/// What broke: a connection whose certificate the policy did not know any more was answered UNAUTHENTICATED, and kept its place for ever.
#[tokio::test]
async fn whoever_leaves_the_policy_is_a_stranger_from_then_on() {
    let setting = Setting::start(PATIENCE);
    let (mut asks, mut quiet, mut returns) =
        (setting.peer().await, setting.peer().await, setting.peer().await);
    for peer in [&mut asks, &mut quiet, &mut returns] {
        peer.prepare().await.expect("a reader");
    }
    let begun = Instant::now();
    setting.reload("");
    let failure = asks.prepare().await.expect_err("nobody");
    assert_eq!(failure.status, CallStatus::Unauthenticated, "{}", failure.message);
    assert!(failure.message.contains("CN=fraud-model"), "{}", failure.message);
    // A certificate may be followed by a token: who says in time who it is stays.
    returns.hello(setting.token.as_str()).await.expect("somebody else");
    for (peer, what) in [(&mut asks, "it asked"), (&mut quiet, "it asked for nothing")] {
        let failure = peer.reply().await.expect(what).expect_err("its time is over");
        assert_eq!(failure.status, CallStatus::Unauthenticated, "{what}");
        assert!(failure.message.contains("(any more)"), "{what}: {}", failure.message);
        assert!(peer.reply().await.is_none(), "{what}: the connection is closed");
    }
    assert!(begun.elapsed() >= PATIENCE);
    returns.prepare().await.expect("a reader");
}

/// The bytes of a stranger count from the moment that it is one.
#[tokio::test]
async fn whoever_leaves_the_policy_may_send_as_little_as_a_stranger() {
    let setting = Setting::start(NEVER);
    let mut peer = setting.peer().await;
    let many = model::limits::UNAUTHENTICATED_BYTES_MAX / frame::HEADER_BYTES + 1;
    for _ in 0..2 * many {
        peer.ask(Opcode::Ping, |_| {}).await.expect("a sign of life is for everybody");
    }
    setting.reload("");
    let mut answered = 0;
    let failure = loop {
        match peer.ask(Opcode::Ping, |_| {}).await {
            Ok(()) => answered += 1,
            Err(failure) => break failure,
        }
        assert!(answered <= 2 * many, "it sends as much as it likes");
    };
    assert_eq!(failure.status, CallStatus::Unauthenticated, "{}", failure.message);
    assert!(failure.message.contains("8192 bytes"), "{}", failure.message);
    assert!(answered >= many - 1, "{answered} of {many}");
}

/// As the client library does it.
#[tokio::test]
async fn a_client_with_a_certificate_needs_no_token() {
    let setting = Setting::start(NEVER);
    let identity = setting.clients.sign("fraud-model", &[]);
    let options: TlsOptions = setting.world.trusting();
    let options = options.identity(identity.cert.as_bytes(), identity.key.as_bytes());
    let client = setting.world.client(Some(options.expect("a pair")));
    client.features(&["g:f"]).await.expect("a reader");
}
