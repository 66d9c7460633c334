//! Redis's side: the same work by the layouts that feature stores on Redis use.
//!
//! | work | Redis |
//! |---|---|
//! | a row | a hash of an entity, a field for each feature, 8 bytes each: HSET, HMGET |
//! | rows of a batch | as many commands in one write |
//! | an event into four windows | MULTI, for each of four levels of buckets HINCRBY of count and sum and EXPIRE, EXEC |
//! | four windows | HGETALL of the four levels; adding up is left to the caller, and costs nothing here |
//! | a distinct value, a day's count | PFADD to the hour's key, EXPIRE; PFCOUNT of 24 hours |
//!
//! In Redis's favour: no smallest and largest amounts, no event time order, no old buckets taken away but by EXPIRE.
//! A bucket lives from the time of its event on: filled with the past, what would be gone by now is left out.

use std::time::Duration;

use model::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};

use super::{
    pipe::{Expected, Pipe},
    resp::{Reply, command, each},
};
use crate::load::{
    Error,
    fill::Portion,
    operation::Operation,
    side::Outcome,
    workload::{self, Kind, Table},
};

/// Width of a bucket and life of its hash, in ms: what 5m, 1h, 24h and 7d need, in 10, 12, 24 and 28 buckets.
const LEVELS: [(i64, i64); 4] = [
    (30 * SECOND_MS, 6 * MINUTE_MS),
    (5 * MINUTE_MS, 65 * MINUTE_MS),
    (HOUR_MS, 25 * HOUR_MS),
    (6 * HOUR_MS, 7 * DAY_MS + 6 * HOUR_MS),
];
/// Hours that a distinct count goes over.
const DISTINCT_HOURS: i64 = 24;

/// One connection.
pub(crate) struct Redis {
    pipe: Pipe,
    timeout: Duration,
    clock: SystemClock,
    fields: Vec<String>,
}

/// Commands on their way to a pipe, and how many replies they get.
#[derive(Default)]
struct Commands {
    bytes: Vec<u8>,
    replies: usize,
}

impl Commands {
    fn add(&mut self, words: &[&[u8]]) {
        command(&mut self.bytes, words);
        self.replies += 1;
    }
}

impl Redis {
    /// Connects to the server at `addr`; rows have `features` features.
    pub(crate) async fn connect(
        addr: &str,
        features: usize,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let pipe = Pipe::connect(addr).await.map_err(|error| {
            Error::Failed(format!(
                "connect to Redis at {addr}: {error}; is redis-server running there?"
            ))
        })?;
        let fields = (0..features).map(|i| format!("f{i}")).collect();
        Ok(Self { pipe, timeout, clock: SystemClock::new(), fields })
    }

    /// Makes sure that it is Redis that answers at `addr`, and soon.
    pub(crate) async fn greet(addr: &str, patience: Duration) -> Result<(), Error> {
        let asking = async {
            let redis = Self::connect(addr, 0, patience).await?;
            Ok::<_, Error>(redis.ask(&[b"PING"]).await)
        };
        let answer = tokio::time::timeout(patience, asking).await.unwrap_or(Ok(Vec::new()))?;
        match answer.first().map(String::as_str) {
            Some("PONG") => Ok(()),
            said => Err(Error::Failed(format!(
                "{addr} is no Redis that can be used: it answers {} to PING; name one that needs no password, or give \
                 --against redis, which starts one",
                said.unwrap_or("nothing")
            ))),
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn call(&self, operation: &Operation) -> Outcome {
        let commands = self.commands(operation);
        self.send(commands, operation.entities.len()).await
    }

    /// Fills some of a table.
    pub(crate) async fn fill(&self, portion: &Portion) -> Outcome {
        let (mut commands, mut prng) = (Commands::default(), Prng::new(portion.seed));
        let now = self.clock.wall_ms();
        match portion.table {
            Table::Rows => {
                portion.entities.clone().for_each(|it| self.put(&mut commands, it, &mut prng));
            }
            Table::Windows => {
                portion.events(now).for_each(|event| push(&mut commands, event, now, &mut prng));
            }
            Table::Distinct => {
                portion
                    .events(now)
                    .for_each(|event| push_distinct(&mut commands, event, now, &mut prng));
            }
        }
        let units = portion.entities.end - portion.entities.start;
        self.send(commands, usize::try_from(units).unwrap_or(0)).await
    }

    /// Its version and how it keeps what is written.
    pub(crate) async fn describe(&self) -> String {
        let info = self.ask(&[b"INFO", b"server"]).await.concat();
        let version = info.lines().find_map(|line| line.trim().strip_prefix("redis_version:"));
        let append = self.ask(&[b"CONFIG", b"GET", b"appendonly"]).await;
        let sync = self.ask(&[b"CONFIG", b"GET", b"appendfsync"]).await;
        let log = match (append.get(1).map(String::as_str), sync.get(1)) {
            (Some("no"), _) => "no log".to_owned(),
            (Some(_), Some(sync)) => format!("log synced: {sync}"),
            _ => "its settings are not told".to_owned(),
        };
        format!("redis {}, {log}", version.unwrap_or("of unknown version"))
    }

    /// The texts of the answer to one command; none when there is no answer.
    async fn ask(&self, words: &[&[u8]]) -> Vec<String> {
        let mut commands = Commands::default();
        commands.add(words);
        let expected = Expected::Replies(1);
        let asking = self.pipe.call(commands.bytes, expected);
        let answer = tokio::time::timeout(self.timeout, asking).await.ok().flatten();
        let (answer, mut texts) = (answer.unwrap_or_default(), Vec::new());
        // What makes no sense is no answer.
        let _ = each(&answer, &mut |reply| {
            if let Reply::Bytes(text) | Reply::Text(text) | Reply::Error(text) = reply {
                texts.push(String::from_utf8_lossy(text).into_owned());
            }
        });
        texts
    }

    fn commands(&self, operation: &Operation) -> Commands {
        let (mut commands, mut prng) = (Commands::default(), Prng::new(operation.seed));
        let now = self.clock.wall_ms();
        for entity in &operation.entities {
            match operation.kind {
                Kind::ReadRow | Kind::ReadBatch => self.read_row(&mut commands, *entity),
                Kind::ReadWindows => read_windows(&mut commands, *entity),
                Kind::ReadDistinct => read_distinct(&mut commands, *entity, now),
                Kind::Put | Kind::PutBatch => self.put(&mut commands, *entity, &mut prng),
                Kind::Push | Kind::PushBatch => {
                    push(&mut commands, (*entity, now), now, &mut prng);
                }
                Kind::PushDistinct => {
                    push_distinct(&mut commands, (*entity, now), now, &mut prng);
                }
                Kind::Service => {}
            }
        }
        commands
    }

    async fn send(&self, commands: Commands, units: usize) -> Outcome {
        if commands.replies == 0 {
            // All was left out as gone: there is nothing to ask.
            return Outcome::whole(units);
        }
        let asking = self.pipe.call(commands.bytes, Expected::Replies(commands.replies));
        let answer = match tokio::time::timeout(self.timeout, asking).await {
            Err(_) => return Outcome::failed("timeout"),
            Ok(None) => return Outcome::failed("connection lost"),
            Ok(Some(answer)) => answer,
        };
        let mut error = None;
        let walked = each(&answer, &mut |reply| {
            if let Reply::Error(text) = reply {
                error.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
            }
        });
        match walked.err().or(error) {
            None => Outcome::whole(units),
            Some(error) => Outcome::failed(error),
        }
    }

    fn read_row(&self, commands: &mut Commands, entity: u64) {
        let key = key("row", entity);
        let mut words: Vec<&[u8]> = vec![b"HMGET", key.as_bytes()];
        words.extend(self.fields.iter().map(String::as_bytes));
        commands.add(&words);
    }

    fn put(&self, commands: &mut Commands, entity: u64, prng: &mut Prng) {
        let key = key("row", entity);
        let values: Vec<_> =
            self.fields.iter().map(|_| (prng.unit() * 1000.0).to_le_bytes()).collect();
        let mut words: Vec<&[u8]> = vec![b"HSET", key.as_bytes()];
        for (field, value) in self.fields.iter().zip(&values) {
            words.extend([field.as_bytes(), value.as_slice()]);
        }
        commands.add(&words);
    }
}

/// The keys that a load leaves behind, as patterns.
pub const KEYS: &str = "row:*, win0:* to win3:*, places:*";

fn key(kind: &str, entity: u64) -> String {
    format!("{kind}:{}", workload::key(entity))
}

fn level_key(level: usize, entity: u64) -> String {
    format!("win{level}:{}", workload::key(entity))
}

/// Seconds that are left at `now` of a life of `life` ms from `at` on, at least one; `None` when it is over.
fn seconds_left(at: i64, life: i64, now: i64) -> Option<String> {
    let left = at + life - now;
    (left > 0).then(|| (left / SECOND_MS).max(1).to_string())
}

fn push(commands: &mut Commands, (entity, at): (u64, i64), now: i64, prng: &mut Prng) {
    let amount = workload::amount(prng).to_string();
    commands.add(&[b"MULTI"]);
    for (level, (width, life)) in LEVELS.iter().enumerate() {
        let Some(seconds) = seconds_left(at, *life, now) else { continue };
        let (key, bucket) = (level_key(level, entity), at.div_euclid(*width));
        let (count, sum) = (format!("{bucket}:n"), format!("{bucket}:s"));
        commands.add(&[b"HINCRBY", key.as_bytes(), count.as_bytes(), b"1"]);
        commands.add(&[b"HINCRBY", key.as_bytes(), sum.as_bytes(), amount.as_bytes()]);
        commands.add(&[b"EXPIRE", key.as_bytes(), seconds.as_bytes()]);
    }
    commands.add(&[b"EXEC"]);
}

fn read_windows(commands: &mut Commands, entity: u64) {
    for level in 0..LEVELS.len() {
        commands.add(&[b"HGETALL", level_key(level, entity).as_bytes()]);
    }
}

fn hour_key(hour: i64, entity: u64) -> String {
    format!("places:{}:{hour}", workload::key(entity))
}

fn push_distinct(commands: &mut Commands, (entity, at): (u64, i64), now: i64, prng: &mut Prng) {
    let (key, place) = (hour_key(at.div_euclid(HOUR_MS), entity), workload::place(prng));
    let Some(seconds) = seconds_left(at, (DISTINCT_HOURS + 1) * HOUR_MS, now) else { return };
    commands.add(&[b"PFADD", key.as_bytes(), place.as_bytes()]);
    commands.add(&[b"EXPIRE", key.as_bytes(), seconds.as_bytes()]);
}

fn read_distinct(commands: &mut Commands, entity: u64, now: i64) {
    let hour = now.div_euclid(HOUR_MS);
    let keys: Vec<_> =
        (hour - DISTINCT_HOURS + 1..=hour).map(|hour| hour_key(hour, entity)).collect();
    let mut words: Vec<&[u8]> = vec![b"PFCOUNT"];
    words.extend(keys.iter().map(String::as_bytes));
    commands.add(&words);
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::{super::resp, *};

    /// What a Redis would answer to a command; nothing more than these tests need.
    fn answer(words: &[&[u8]], is_in_transaction: &mut bool) -> Vec<u8> {
        let queued = *is_in_transaction;
        match words {
            [b"MULTI"] => {
                *is_in_transaction = true;
                b"+OK\r\n".to_vec()
            }
            [b"EXEC"] => {
                *is_in_transaction = false;
                [b"*12\r\n".as_slice(), &b":1\r\n".repeat(12)].concat()
            }
            _ if queued => b"+QUEUED\r\n".to_vec(),
            [b"HMGET", _, fields @ ..] => {
                let head = format!("*{}\r\n", fields.len());
                [head.as_bytes(), &b"$8\r\n\r\n345678\r\n".repeat(fields.len())].concat()
            }
            [b"HGETALL", _] => b"*2\r\n$3\r\n1:n\r\n$1\r\n7\r\n".to_vec(),
            [b"PFCOUNT", keys @ ..] => format!(":{}\r\n", keys.len()).into_bytes(),
            [b"INFO", ..] => b"$25\r\n# Server\r\nredis_version:9\r\n".to_vec(),
            [b"CONFIG", _, name] => {
                let value: &[u8] = if *name == b"appendonly" { b"yes" } else { b"everysec" };
                let mut out = Vec::new();
                command(&mut out, &[name, value]);
                out
            }
            _ => b"-ERR unknown command\r\n".to_vec(),
        }
    }

    /// Serves one connection, a byte of each answer at a time where `is_slow`, until `commands` were answered.
    async fn serve(mut stream: TcpStream, is_slow: bool, mut commands: usize) {
        let (mut input, mut is_in_transaction) = (Vec::new(), false);
        while commands > 0 {
            // Commands have the grammar of replies.
            while let Some(length) = resp::length(&input).expect("well formed") {
                let whole: Vec<u8> = input.drain(..length).collect();
                let mut words = Vec::new();
                let mut keep = |reply| {
                    if let Reply::Bytes(word) = reply {
                        words.push(word);
                    }
                };
                each(&whole, &mut keep).expect("whole");
                let answer = answer(&words, &mut is_in_transaction);
                for part in answer.chunks(if is_slow { 1 } else { answer.len() }) {
                    stream.write_all(part).await.expect("the client reads");
                    tokio::task::yield_now().await;
                }
                commands = commands.saturating_sub(1);
            }
            if commands > 0 && stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return;
            }
        }
    }

    async fn connected(is_slow: bool, commands: usize) -> Redis {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let addr = listener.local_addr().expect("it has one").to_string();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            serve(stream, is_slow, commands).await;
        });
        Redis::connect(&addr, 3, Duration::from_secs(30)).await.expect("it listens")
    }

    fn operation(kind: Kind, entities: u64) -> Operation {
        Operation { kind, entities: (0..entities).collect(), seed: 1 }
    }

    #[tokio::test]
    async fn every_kind_is_answered_whole_however_the_bytes_come() {
        for is_slow in [false, true] {
            let redis = connected(is_slow, usize::MAX).await;
            for (kind, entities) in [
                (Kind::ReadRow, 1),
                (Kind::ReadBatch, 9),
                (Kind::ReadWindows, 1),
                (Kind::ReadDistinct, 1),
                (Kind::Push, 1),
                (Kind::PushBatch, 5),
            ] {
                let outcome = redis.call(&operation(kind, entities)).await;
                assert_eq!(outcome, Outcome::Answered { units: entities, refused: 0 }, "{kind:?}");
            }
        }
    }

    #[tokio::test]
    async fn many_in_flight_on_one_connection_get_answers_in_order() {
        let redis = std::sync::Arc::new(connected(false, usize::MAX).await);
        let mut asking = tokio::task::JoinSet::new();
        for entities in 1..40 {
            let redis = std::sync::Arc::clone(&redis);
            let kind = if entities % 2 == 0 { Kind::ReadBatch } else { Kind::PushBatch };
            asking.spawn(async move { (entities, redis.call(&operation(kind, entities)).await) });
        }
        while let Some(answered) = asking.join_next().await {
            let (units, outcome) = answered.expect("no panic");
            assert_eq!(outcome, Outcome::Answered { units, refused: 0 });
        }
    }

    #[tokio::test]
    async fn errors_and_cut_connections_are_failures_with_their_words() {
        let redis = connected(false, 1).await;
        let refused = redis.call(&operation(Kind::Put, 1)).await;
        assert_eq!(refused, Outcome::failed("ERR unknown command"));
        let lost = redis.call(&operation(Kind::ReadRow, 1)).await;
        assert_eq!(lost, Outcome::failed("connection lost"));
    }

    #[test]
    fn a_bucket_of_the_past_lives_as_long_as_is_left_of_it_or_is_left_out() {
        let now = 100 * DAY_MS;
        let text = |at| {
            let mut commands = Commands::default();
            push(&mut commands, (1, at), now, &mut Prng::new(1));
            (commands.replies, String::from_utf8_lossy(&commands.bytes).into_owned())
        };
        let (replies, fresh) = text(now);
        assert_eq!(replies, 2 + 3 * LEVELS.len());
        assert!(fresh.contains("\r\n360\r\n"), "{fresh}");
        let (replies, old) = text(now - 2 * HOUR_MS);
        assert_eq!(replies, 2 + 3 * 2, "the levels of 6 and of 65 minutes are over");
        assert!(!old.contains("win0:") && !old.contains("win1:"), "{old}");
        assert!(old.contains(&format!("\r\n{}\r\n", 23 * 3600)), "{old}");
        assert_eq!(seconds_left(0, 1500, 1000).as_deref(), Some("1"));
        assert_eq!(seconds_left(0, 1000, 1000), None);
    }

    #[tokio::test]
    async fn version_and_log_of_the_server_are_told() {
        let redis = connected(false, usize::MAX).await;
        assert_eq!(redis.describe().await, "redis 9, log synced: everysec");
    }
}
