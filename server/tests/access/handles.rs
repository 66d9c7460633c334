//! Handles are the server's: one that somebody else prepared opens nothing.

use protocol::{
    CallStatus, Failure, Header, HelloRequest, Opcode, PrepareRequest, Prepared, Target, frame,
};
use protocol::{ReadOptions, ReadRequest, ScanRequest};
use stdx::cursor::Writer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::setting::{PATIENCE, Setting};

/// How often somebody comes anew who was too late to say who it is, on a busy machine.
const HELLOS_MAX: usize = 20;

/// A connection, frame by frame.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    input: bytes::BytesMut,
}

impl Peer {
    pub(crate) async fn connect(setting: &Setting) -> Self {
        let stream = TcpStream::connect(setting.server.native_addr()).await.expect("it listens");
        Self { stream, input: bytes::BytesMut::new() }
    }

    pub(crate) async fn as_subject(setting: &Setting, subject: &str, purpose: &str) -> Self {
        Self::with_token(setting, setting.token(subject), purpose).await
    }

    /// A connection of whoever has a token that is good, also where there is little time to show it.
    pub(crate) async fn with_token(setting: &Setting, token: &str, purpose: &str) -> Self {
        let mut last = None;
        for _ in 0..HELLOS_MAX {
            let mut peer = Self::connect(setting).await;
            last = peer.asked(Opcode::Hello, |out| hello(token, purpose).encode(out)).await;
            match &last {
                Some(Ok(_)) => return peer,
                // The time to say hello was over: the connection has ended, perhaps with a word about it.
                None => {}
                Some(Err(failure)) => assert!(failure.message.contains("within"), "{last:?}"),
            }
        }
        panic!("it is known, and was told {last:?}");
    }

    pub(crate) async fn hello(&mut self, token: &str, purpose: &str) -> Result<Vec<u8>, Failure> {
        self.ask(Opcode::Hello, |out| hello(token, purpose).encode(out)).await
    }

    pub(crate) async fn ask(
        &mut self,
        opcode: Opcode,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Vec<u8>, Failure> {
        self.asked(opcode, body).await.expect("an answer")
    }

    /// What it is answered; `None` when the connection has ended.
    async fn asked(
        &mut self,
        opcode: Opcode,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Option<Result<Vec<u8>, Failure>> {
        self.send(opcode, body).await;
        self.reply().await
    }

    /// Asks, and does not wait for the answer.
    pub(crate) async fn send(&mut self, opcode: Opcode, body: impl FnOnce(&mut Writer<'_>)) {
        let mut out = Vec::new();
        frame::write(&mut out, Header::request(opcode, 1, 0), body).expect("it is small");
        // A server that has ended it may have said why.
        let _ended = self.stream.write_all(&out).await;
    }

    /// The next answer; `None` when the connection has ended.
    pub(crate) async fn reply(&mut self) -> Option<Result<Vec<u8>, Failure>> {
        loop {
            if let Some(reply) = frame::split(&mut self.input).expect("frames") {
                let status = reply.header().status().expect("it is known");
                return Some(match status {
                    CallStatus::Ok => Ok(reply.body().to_vec()),
                    status => Err(Failure::decode(status, reply.body()).expect("it says why")),
                });
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input));
            if read.await.expect("it is told something, or cut").ok()? == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn prepare(&mut self, target: Target) -> Result<u64, Failure> {
        let request = PrepareRequest { target, purpose: None };
        let body = self.ask(Opcode::Prepare, |out| request.encode(out)).await?;
        Ok(Prepared::decode(&body).expect("a schema").handle)
    }

    pub(crate) async fn read(&mut self, handle: u64, keys: usize) -> Result<Vec<u8>, Failure> {
        self.send_read(handle, keys).await;
        self.reply().await.expect("an answer")
    }

    pub(crate) async fn send_read(&mut self, handle: u64, keys: usize) {
        let keys: Vec<_> = (0..keys).map(|key| format!("c{key}")).collect();
        let read = ReadRequest {
            handle,
            options: ReadOptions::default(),
            entities: 1,
            keys: keys.iter().map(String::as_bytes).collect(),
            request_rows: Vec::new(),
        };
        self.send(Opcode::Read, |out| read.encode(out)).await;
    }
}

fn hello<'a>(token: &'a str, purpose: &'a str) -> HelloRequest<'a> {
    HelloRequest { protocol: 2, client: "test", token, purpose }
}

fn denied<T>(outcome: Result<T, Failure>) -> String {
    let failure = outcome.err().expect("it is denied");
    assert_eq!(failure.status, CallStatus::Denied, "{}", failure.message);
    failure.message
}

#[tokio::test]
async fn a_handle_of_somebody_else_opens_nothing() {
    let setting = Setting::start();
    let mut owner = Peer::as_subject(&setting, "everything", "audit").await;
    let mut other = Peer::as_subject(&setting, "scorer", "").await;
    let service = |name: &str| Target::Service(name.to_owned());
    let features = |name: &str| Target::Features(vec![name.to_owned()]);
    let fraud = owner.prepare(service("fraud")).await.expect("it may");
    for target in
        [service("risk"), service("mailing"), features("secret:*"), features("profile:email")]
    {
        let handle = owner.prepare(target.clone()).await.expect("it may");
        owner.read(handle, 1).await.expect("it may");
        // Few keys on the connection's thread, many on another.
        for keys in [1, 1, 2000] {
            let message = denied(other.read(handle, keys).await);
            assert!(message.contains("subject scorer"), "{target:?}: {message}");
        }
        // In between something that is allowed, with a handle that it did not prepare either.
        other.read(fraud, 2000).await.expect("it may read that");
        denied(other.read(handle, 1).await);
        other.read(fraud, 1).await.expect("it may read that");
        denied(other.read(handle, 1).await);
    }
    let group = owner.prepare(Target::Group("spend".into())).await.expect("it may");
    let scan = |handle| {
        move |out: &mut Writer<'_>| ScanRequest { handle, cursor: &[], limit: 5 }.encode(out)
    };
    other.ask(Opcode::Scan, scan(group)).await.expect("it may read all of it");
    let delete = protocol::DeleteRequest {
        handle: group,
        options: protocol::WriteOptions::default(),
        keys: vec![b"c1"],
    };
    let message = denied(other.ask(Opcode::Delete, |out| delete.encode(out)).await);
    assert!(message.contains("may not write group:spend"), "{message}");
    let secret = owner.prepare(Target::Group("secret".into())).await.expect("it may");
    denied(other.ask(Opcode::Scan, scan(secret)).await);
}

/// A purpose that a handle was prepared with is declared by whoever uses it: the role has to list it all the same.
#[tokio::test]
async fn a_purpose_of_somebody_else_opens_nothing() {
    let setting = Setting::start();
    let mut owner = Peer::as_subject(&setting, "everything", "").await;
    let target = Target::Service("mailing".into());
    for (purpose, is_allowed) in [("support", true), ("audit", false)] {
        let request = PrepareRequest { target: target.clone(), purpose: Some(purpose.into()) };
        let body = owner.ask(Opcode::Prepare, |out| request.encode(out)).await.expect("it may");
        let handle = Prepared::decode(&body).expect("a schema").handle;
        let mut mailer = Peer::as_subject(&setting, "mailer", "").await;
        assert_eq!(mailer.read(handle, 1).await.is_ok(), is_allowed, "{purpose}");
        let mut scorer = Peer::as_subject(&setting, "scorer", "support").await;
        denied(scorer.read(handle, 1).await);
    }
}
