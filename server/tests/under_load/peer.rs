//! A server in this process, and a peer that speaks the protocol frame by frame.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::{Database, OsFs, PushRequest, PutRequest, PutRowRequest, SyncPolicy, WriteOptions};
use protocol::{
    CallStatus, Failure, Header, Opcode, PrepareRequest, Prepared, ReadOptions, ReadRequest,
    Target, frame,
};
use server::{Config, Server};
use stdx::{
    clock::{Clock, SystemClock},
    cursor::Writer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// No step of a test takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Features of a row.
pub(crate) const FEATURES: usize = 50;

/// A server with `cards` rows of fifty features, and as many entities with windows; it ends with the test.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) keys: Vec<String>,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn start(cards: usize, config: &Config) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let files = OsFs::open(directory.path()).expect("it can be used");
        let memory = engine::Config { sync: SyncPolicy::Memory, ..engine::Config::default() };
        let database = Database::open(files, &memory, Arc::new(SystemClock::new()));
        let database = database.expect("opens");
        database.apply("f.toml", &definitions(), false).expect("they are valid");
        let keys: Vec<String> = (0..cards).map(|card| format!("c{card}")).collect();
        let row = row(7);
        for keys in keys.chunks(1000) {
            let rows = keys.iter().map(|key| key.as_bytes());
            let rows = rows.map(|key| PutRowRequest { key, event_time: Some(1), row: &row });
            let put = PutRequest { group: 0, features: FEATURES, rows: rows.collect() };
            database.put(&put, &WriteOptions::default()).expect("taken");
        }
        push(&database, &keys);
        let free = "127.0.0.1:0".parse().expect("an address");
        let config = Config { listen: free, admin: free, ..config.clone() };
        let server = Server::start(&config, database).expect("it starts");
        Self { server, keys, _directory: directory }
    }

    /// A figure of the statistics.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        let mut peer = Peer::connect(&self.server).await;
        let id = peer.send(Opcode::Stats, 0, |_| {}).await;
        let (replied, body) = peer.receive().await.expect("an answer");
        assert_eq!(id, replied);
        let stats = protocol::StatsReply::decode(&body.expect("statistics")).expect("statistics");
        let found = stats.figures.iter().find(|(known, _)| known == name);
        match found {
            Some((_, protocol::StatValue::U64(number))) => *number,
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn definitions() -> String {
    let features: String = (0..FEATURES).map(|feature| format!("f{feature} = \"i64\"\n")).collect();
    format!(
        "[entity.card]\nkey = \"string\"\n[group.wide]\nentity = \"card\"\n[group.wide.features]\n{features}\
         [stream.payments]\nevent_time = \"ts\"\n[stream.payments.fields]\ncard = \"string\"\nts = \"timestamp\"\n\
         amount = \"decimal(2)\"\n[group.spend]\nentity = \"card\"\nstream = \"payments\"\nkey = \"card\"\n\
         windows = [\"5m\", \"1h\", \"24h\", \"7d\"]\n[group.spend.features]\nn = \"count(*)\"\nspend = \"sum(amount)\"\n"
    )
}

/// Five payments of each card in the last hour.
fn push(database: &Database<OsFs>, cards: &[String]) {
    let now = SystemClock::new().wall_ms();
    let events: Vec<Vec<u8>> = cards
        .iter()
        .flat_map(|card| (1..=5).map(move |number| (card, now - number * 600_000)))
        .map(|(card, time)| {
            let length = u32::try_from(card.len()).expect("short").to_le_bytes();
            let (time, amount) = (time.to_le_bytes(), 1250_i64.to_le_bytes());
            [&[0b10_1010][..], &length, card.as_bytes(), &time, &amount].concat()
        })
        .collect();
    for events in events.chunks(1000) {
        let events = events.iter().map(Vec::as_slice).collect();
        let push = PushRequest { stream: 0, fields: 3, events };
        let written = database.push(&push, &WriteOptions::default()).expect("taken");
        assert!(written.rejects.is_empty(), "{:?}", written.rejects);
    }
}

/// Every feature has this value.
pub(crate) fn row(value: i64) -> Vec<u8> {
    let states = [vec![0b1010_1010; FEATURES / 4], vec![0b1010]].concat();
    [states, value.to_le_bytes().repeat(FEATURES)].concat()
}

/// One connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
    next_id: u64,
}

impl Peer {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::connect_to(server.native_addr()).await
    }

    pub(crate) async fn connect_to(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, input: Vec::new(), next_id: 0 }
    }

    /// The bytes of a request with the next id.
    pub(crate) fn frame(
        &mut self,
        opcode: Opcode,
        deadline_ms: u32,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Vec<u8> {
        self.next_id += 1;
        let mut out = Vec::new();
        let header = Header::request(opcode, self.next_id, deadline_ms);
        frame::write(&mut out, header, body).expect("it is small");
        out
    }

    /// Sends a request; its id.
    pub(crate) async fn send(
        &mut self,
        opcode: Opcode,
        deadline_ms: u32,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> u64 {
        let frame = self.frame(opcode, deadline_ms, body);
        self.stream.write_all(&frame).await.expect("the server reads");
        self.next_id
    }

    /// The next answer: the id of its request, and its body or why there is none. `None` when the connection has ended.
    pub(crate) async fn receive(&mut self) -> Option<(u64, Result<Vec<u8>, Failure>)> {
        loop {
            if let Some(frame) = frame::first(&self.input).expect("frames") {
                let id = frame.header.request_id;
                let answer = match frame.header.status() {
                    Some(CallStatus::Ok) => Ok(frame.body.to_vec()),
                    Some(status) => {
                        Err(Failure::decode(status, frame.body).expect("a failure says why"))
                    }
                    None => panic!("a status that is not known: {:?}", frame.header),
                };
                let length = frame.length;
                self.input.drain(..length);
                return Some((id, answer));
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input));
            if read.await.expect("an answer in time").ok()? == 0 {
                return None;
            }
        }
    }

    /// The handle of a list of features.
    pub(crate) async fn prepare(&mut self, features: &str) -> u64 {
        self.prepare_target(Target::Features(vec![features.to_owned()])).await
    }

    /// The handle of a group.
    pub(crate) async fn prepare_group(&mut self, name: &str) -> u64 {
        self.prepare_target(Target::Group(name.to_owned())).await
    }

    async fn prepare_target(&mut self, target: Target) -> u64 {
        self.send(Opcode::Prepare, 0, |out| PrepareRequest { target, purpose: None }.encode(out))
            .await;
        let (_, body) = self.receive().await.expect("an answer");
        Prepared::decode(&body.expect("prepared")).expect("a schema").handle
    }

    /// Asks for vectors; the request's id.
    pub(crate) async fn read(&mut self, handle: u64, keys: &[String], deadline_ms: u32) -> u64 {
        self.send(Opcode::Read, deadline_ms, |out| read(handle, keys).encode(out)).await
    }
}

/// A read of vectors.
pub(crate) fn read(handle: u64, keys: &[String]) -> ReadRequest<'_> {
    ReadRequest {
        handle,
        options: ReadOptions::default(),
        entities: 1,
        keys: keys.iter().map(String::as_bytes).collect(),
        request_rows: Vec::new(),
    }
}
