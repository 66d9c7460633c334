//! One writer's connection: writes of a journal as requests, under the numbers the journal gave them.

use client::{Client, Error, GroupWriter, Receipt, StreamWriter, SyncLevel, blocking};

use crate::journal::{Change, Write};

/// The definitions that writers write to. One long window counts every event; the clock follows the events, so that nothing
/// depends on when a test runs.
pub const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.profile]
entity = "user"
[group.profile.features]
version = "i64"
note = "string"
[stream.clicks]
event_time = "at"
clock = "event"
[stream.clicks.fields]
user = "string"
at = "timestamp"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["30d"]
[group.clicking.features]
clicks = "count(*)"
"#;

/// Event time of write 0, in ms; each write is a ms later.
const TIME_START: i64 = 1_767_225_600_000;
/// Fields of an event.
const EVENT_FIELDS: usize = 2;

/// One writer's connection. It never sends anything twice by itself.
pub struct Sender {
    client: blocking::Client,
    group: GroupWriter,
    stream: StreamWriter,
    note_bytes: usize,
}

impl Sender {
    /// Connects `writer` to the server at `addr`; its rows carry notes of about `note_bytes` bytes.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Panics
    /// When the system refuses a thread or its sockets.
    pub fn connect(addr: &str, writer: &str, note_bytes: usize) -> Result<Self, Error> {
        let builder = Client::builder(addr).producer(writer, 1).connections(1).retries(0);
        let client = blocking::Client::with(builder).expect("a client's thread");
        let (group, stream) = (client.group("profile")?, client.stream("clicks")?);
        Ok(Self { client, group, stream, note_bytes })
    }

    /// The same, asking that every write be on the disk before it is acknowledged.
    #[must_use]
    pub fn durable(self) -> Self {
        let (group, stream) =
            (self.group.sync(SyncLevel::Durable), self.stream.sync(SyncLevel::Durable));
        Self { group, stream, ..self }
    }

    /// Sends `write` and waits for the reply. A reply that takes a part only is a defect of the server.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Panics
    /// When the reply does not say that all of the write was taken.
    pub fn send(&self, write: &Write) -> Result<Receipt, Error> {
        let at = TIME_START + i64::try_from(write.sequence).unwrap_or(i64::MAX);
        match &write.change {
            Change::Rows(keys) => self.put(write.sequence, keys, at),
            Change::Events(events) => self.push(write.sequence, events, at),
        }
    }

    fn put(&self, version: u64, keys: &[String], at: i64) -> Result<Receipt, Error> {
        let row = |key: &String| {
            let row = self.group.row().key(key.as_str()).at(at);
            let row = row.set("version", i64::try_from(version).unwrap_or(i64::MAX));
            row.set("note", note(key, version, self.note_bytes)).pack()
        };
        let rows: Vec<_> = keys.iter().map(row).collect::<Result<_, _>>()?;
        let features = rows.first().map_or(0, |row| row.features);
        let rows: Vec<_> = rows.iter().map(client::PackedRow::as_put).collect();
        let reply = self.client.wait(self.group.put_packed(features, &rows, Some(version)))?;
        assert_eq!(reply.applied as usize, rows.len(), "{reply:?}");
        Ok(reply.receipt)
    }

    fn push(&self, sequence: u64, events: &[(String, u64)], at: i64) -> Result<Receipt, Error> {
        let event = |key: &String| {
            self.stream.event().set("user", key.as_str()).set("at", at).pack().map_err(Error::from)
        };
        let mut packed = Vec::new();
        for (key, count) in events {
            for _ in 0..*count {
                packed.push(event(key)?);
            }
        }
        let rows: Vec<_> = packed.iter().map(Vec::as_slice).collect();
        let push = self.stream.push_packed(EVENT_FIELDS, &rows, Some(sequence));
        let reply = self.client.wait(push)?;
        assert_eq!(reply.accepted as usize, rows.len(), "{reply:?}");
        Ok(reply.receipt)
    }
}

/// The note in the row of `key`: it says whose it is, of which version, how long, and then goes on as these decide, so that
/// a byte from elsewhere shows.
#[must_use]
pub fn note(key: &str, version: u64, bytes: usize) -> String {
    let mut note = format!("{key}/{version}/{bytes}/");
    let mut number = stdx::hash::fnv1a64(note.as_bytes());
    while note.len() < bytes {
        note += &format!("{number:016x}");
        number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    note
}
