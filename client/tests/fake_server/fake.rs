//! The server: its connections, and a few schemas and replies.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use bytes::BytesMut;
use client::{Client, ClientBuilder};
use model::{
    column::Column,
    columns::Columns,
    key::KeyType,
    status::Status,
    value::{DataType, ValueRef},
};
use protocol::{
    CallStatus, Failure, Frame, Header, Opcode, Prepared, PreparedColumn, PreparedEntity,
    ReadReply, Receipt, SyncLevel, frame,
};
use stdx::cursor::Writer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// How long clients wait, so that none gives up on a busy machine; where that is what a test is about, its clock is told to pass.
const PATIENCE: Duration = Duration::from_secs(60);
/// No test takes so long.
const NEVER: Duration = Duration::from_secs(120);

/// A listening fake.
pub(crate) struct FakeServer {
    listener: TcpListener,
    /// Dropping it calls the watchdog off.
    _alive: SyncSender<()>,
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        Self { listener, _alive: watchdog() }
    }

    /// A patient client of it with one connection.
    pub(crate) fn client(&self) -> ClientBuilder {
        let builder = Client::builder(self.addr()).connections(1);
        builder.connect_timeout(PATIENCE).request_timeout(PATIENCE)
    }

    pub(crate) fn addr(&self) -> String {
        self.listener.local_addr().expect("it is bound").to_string()
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.expect("a client connects");
        Peer { stream, input: BytesMut::new() }
    }
}

/// Ends the process when what it gives is still there after a long time: a test whose client has given up would wait for its next
/// frame for ever. A thread sees to it, since the clock of a test's runtime stands still and jumps.
fn watchdog() -> SyncSender<()> {
    let (alive, watched) = sync_channel(0);
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let watch = move || {
        if watched.recv_timeout(NEVER) == Err(RecvTimeoutError::Timeout) {
            // Not printed: what a test prints is kept until it ends, and lost with the process.
            let _ = writeln!(std::io::stderr(), "{test}: not over after two minutes");
            std::process::abort();
        }
    };
    let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch);
    thread.expect("a thread");
    alive
}

/// One connection, seen from the server.
pub(crate) struct Peer {
    stream: TcpStream,
    input: BytesMut,
}

impl Peer {
    /// The next request; `None` when the client left.
    pub(crate) async fn request(&mut self) -> Option<Frame> {
        loop {
            if let Some(request) = frame::split(&mut self.input).expect("clients send frames") {
                return Some(request);
            }
            if self.stream.read_buf(&mut self.input).await.expect("loopback works") == 0 {
                return None;
            }
        }
    }

    /// Waits for some bytes, and leaves all that follow them where they are.
    pub(crate) async fn some_input(&mut self) {
        let read = self.stream.read_buf(&mut self.input).await.expect("loopback works");
        assert!(read > 0, "the client is there");
    }

    /// True when more than whole requests taken so far has arrived: also what still lies in the socket.
    pub(crate) async fn has_input(&mut self) -> bool {
        // Between two turns the runtime hears of what has come.
        tokio::task::yield_now().await;
        let _nothing_there = self.stream.try_read_buf(&mut self.input);
        !self.input.is_empty()
    }

    /// The next request, which must be of `opcode`.
    pub(crate) async fn expect(&mut self, opcode: Opcode) -> Frame {
        let request = self.request().await.expect("the client is there");
        assert_eq!(request.header().opcode(), Some(opcode));
        request
    }

    pub(crate) async fn ok(&mut self, request: &Frame, body: impl FnOnce(&mut Writer<'_>)) {
        self.reply(request.header().reply(CallStatus::Ok), body).await;
    }

    pub(crate) async fn fail(&mut self, request: &Frame, status: CallStatus) {
        self.fail_with(request, status, 0).await;
    }

    pub(crate) async fn fail_with(&mut self, request: &Frame, status: CallStatus, detail: i64) {
        let failure = Failure { status, detail, message: "as told".to_owned() };
        self.reply(request.header().reply(status), |out| failure.encode(out)).await;
    }

    pub(crate) async fn reply(&mut self, header: Header, body: impl FnOnce(&mut Writer<'_>)) {
        let mut out = Vec::new();
        frame::write(&mut out, header, body).expect("replies are short");
        self.send(&out).await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("loopback works");
    }

    /// Answers one `prepare` with `prepared`.
    pub(crate) async fn prepare(&mut self, prepared: &Prepared) {
        let request = self.expect(Opcode::Prepare).await;
        self.ok(&request, |out| prepared.encode(out)).await;
    }
}

/// Lets `ms` milliseconds pass at once, while nothing else is to happen.
pub(crate) async fn pass(ms: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(ms)).await;
    tokio::time::resume();
}

/// The schema of a service over two entities, with one request value.
pub(crate) fn fraud(handle: u64) -> Prepared {
    let entity = |name: &str, key| PreparedEntity { name: name.to_owned(), key: vec![key] };
    Prepared {
        handle,
        catalog_version: handle,
        entities: vec![entity("card", KeyType::String), entity("merchant", KeyType::I64)],
        groups: vec!["card_spend".to_owned()],
        columns: vec![
            column("spend_1h", DataType::Decimal(2)),
            column("country", DataType::String),
        ],
        derived: 0,
        request: vec![model::definition::Field {
            name: model::name::Name::new("amount").expect("valid"),
            data_type: DataType::Decimal(2),
        }],
        event_time: None,
        event_id: None,
    }
}

/// The schema of a group with one entity, or of a stream.
pub(crate) fn table(handle: u64, entity: bool, columns: &[(&str, DataType)]) -> Prepared {
    let mut prepared = fraud(handle);
    prepared.entities.truncate(usize::from(entity));
    prepared.request.clear();
    prepared.columns = columns.iter().map(|(name, kind)| column(name, *kind)).collect();
    prepared
}

fn column(name: &str, data_type: DataType) -> PreparedColumn {
    PreparedColumn { name: name.to_owned(), data_type }
}

/// A reply with `rows` vectors of the service above.
pub(crate) fn vectors(rows: u32) -> ReadReply {
    let columns = Columns::of(&columns(rows)).expect("as many rows each");
    ReadReply { as_of: 1_000, snapped: false, columns, times: None }
}

/// Its columns.
pub(crate) fn columns(rows: u32) -> [Column; 2] {
    let mut columns = [DataType::Decimal(2), DataType::String].map(|kind| Column::new(kind, 2));
    for row in 0..rows {
        columns[0].push(Status::Present, ValueRef::Decimal(1250 + i64::from(row), 2));
        columns[1].push_empty(Status::NotFound);
    }
    columns
}

pub(crate) fn receipt() -> Receipt {
    Receipt { lsn: 1, level: SyncLevel::Durable, repeated: false }
}
