//! A log replayed by many threads gives what one thread gives, and what was live: values, ids, and what each producer is told when
//! it asks again; and the same error when a record cannot be done. `LARDER_SEED` replays one seed.

use std::sync::Arc;

use engine::{
    Config, Database, Error, Outcome, ProducerId, PushRequest, PutRequest, PutRowRequest,
    RetractRequest, StatValue, SyncPolicy, WriteOptions,
};
use model::time::format_timestamp;
use stdx::{clock::Clock, prng::Prng};
use storage::{Vfs, fs::SimFs};

use crate::harness::{DEFINITIONS, Place, START, by, pack, put};

/// Threads, and bytes of a chunk: one record each, a few, more than there are.
const WAYS: [(usize, usize); 6] =
    [(1, usize::MAX), (1, 700), (2, 700), (3, 1), (8, 3_000), (2, usize::MAX)];

fn open(fs: &SimFs, clock: Arc<dyn Clock>, way: (usize, usize)) -> Result<Database<SimFs>, Error> {
    let config = Config {
        sync: SyncPolicy::Always,
        seed: 5,
        segment_bytes: 1 << 16,
        replay_threads: way.0,
        replay_chunk_bytes: way.1,
        ..Config::default()
    };
    Database::open(fs.clone(), &config, clock)
}

/// A write that can be sent again: what it was, and what it did.
enum Sent {
    Put { user: String, time: i64, cells: [String; 2] },
    Delete { users: Vec<String> },
    Push { stream: &'static str, events: Vec<Vec<String>> },
    Retract { events: Vec<Vec<String>> },
}

impl Sent {
    fn random(now: i64, prng: &mut Prng) -> Self {
        let user = |prng: &mut Prng| format!("user-{}", prng.below(40));
        let time = |prng: &mut Prng| now - prng.between(0, 3_000_000);
        let order = |prng: &mut Prng| {
            let (id, at) = (prng.below(300).to_string(), format_timestamp(time(prng)));
            vec![id, user(prng), "2.50".to_owned(), at]
        };
        match prng.below(10) {
            0..=2 => {
                let cell = |prng: &mut Prng| match prng.below(4) {
                    0 => "-".to_owned(),
                    1 => "null".to_owned(),
                    _ => prng.below(5).to_string(),
                };
                Self::Put { user: user(prng), time: time(prng), cells: [cell(prng), cell(prng)] }
            }
            3 => Self::Delete { users: (0..1 + prng.below(5)).map(|_| user(prng)).collect() },
            4 => {
                let at = |prng: &mut Prng| START + prng.between(-100, 100) * 60_000;
                let click = |prng: &mut Prng| vec![user(prng), format_timestamp(at(prng))];
                let events = (0..1 + prng.below(9)).map(|_| click(prng)).collect();
                Self::Push { stream: "clicks", events }
            }
            5 => Self::Retract { events: (0..4).map(|_| order(prng)).collect() },
            _ => {
                let events = (0..1 + prng.below(20)).map(|_| order(prng)).collect();
                Self::Push { stream: "orders", events }
            }
        }
    }

    /// The retraction of an event that was pushed: it will be found, if it was accepted.
    fn retraction(&self, prng: &mut Prng) -> Option<Self> {
        let Self::Push { stream: "orders", events } = self else { return None };
        let some = events.iter().filter(|_| prng.chance(0.5)).cloned().collect();
        Some(Self::Retract { events: some })
    }

    /// Sends it; what the producer is told, and whether that was known already.
    fn send(&self, database: &Database<SimFs>, options: &WriteOptions) -> (Outcome, bool) {
        let (_, definitions) = database.definitions();
        let packed = |stream: &str, events: &[Vec<String>]| {
            let (index, stream) = definitions.stream(stream).expect("defined");
            let pack = |event: &Vec<String>| {
                let cells: Vec<_> = event.iter().map(String::as_str).collect();
                pack(&stream.fields, &cells)
            };
            (index, stream.fields.len(), events.iter().map(pack).collect::<Vec<_>>())
        };
        let written = match self {
            Self::Put { user, time, cells } => {
                let (group, definition) = definitions.group("profile").expect("defined");
                let row = pack(&definition.columns()[..2], &[&cells[0], &cells[1]]);
                let (key, event_time) = (user.as_bytes(), Some(*time));
                let rows = vec![PutRowRequest { key, event_time, row: &row }];
                database.put(&PutRequest { group, features: 2, rows }, options)
            }
            Self::Delete { users } => {
                let group = database.group_index("profile").expect("defined");
                let keys: Vec<_> = users.iter().map(String::as_bytes).collect();
                database.delete(group, &keys, options)
            }
            Self::Push { stream, events } => {
                let (stream, fields, rows) = packed(stream, events);
                let events = rows.iter().map(Vec::as_slice).collect();
                database.push(&PushRequest { stream, fields, events }, options)
            }
            Self::Retract { events } => {
                let (stream, fields, rows) = packed("orders", events);
                let events = rows.iter().map(Vec::as_slice).collect();
                database.retract(&RetractRequest { stream, fields, events }, options)
            }
        };
        let written = written.expect("it is taken");
        written.ticket.wait().expect("synced");
        (written.outcome, written.repeated)
    }
}

/// Ids, producers and definitions there are, and how far the streams are.
fn remembered(database: &Database<SimFs>) -> Vec<(String, StatValue)> {
    let kept = ["stream_", "producers_", "definitions_"];
    // What became of events is counted from the start of a server on.
    let is_kept = |name: &str| {
        kept.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with("stream_events_")
    };
    database.stats().into_iter().filter(|(name, _)| is_kept(name)).collect()
}

/// One life of a database: every write with its producer and sequence, and what it did.
fn live(place: &Place, prng: &mut Prng) -> (Vec<(Sent, WriteOptions, Outcome)>, Database<SimFs>) {
    let database = place.open();
    let definitions = DEFINITIONS.replace("dedup = \"1h\"\n", "dedup = \"1h\"\nretract = true\n");
    let wider = definitions.replace("limit = \"i64\"\n", "limit = \"i64\"\nscore = \"f64\"\n");
    let apply = |text: &str| {
        let applied = database.apply("t", text, false).expect("valid");
        applied.ticket.map(|ticket| ticket.wait().expect("synced"));
    };
    apply(&definitions);
    let mut sent: Vec<(Sent, WriteOptions, Outcome)> = Vec::new();
    let writes = 20 + prng.below(150);
    let (widened, snapshot) = (prng.below(2 * writes), prng.below(2 * writes));
    for number in 0..writes {
        place.clock.advance_ms(u32::try_from(prng.below(20_000)).expect("small"));
        let last = sent.last().and_then(|(last, ..)| last.retraction(prng));
        let write = match last.filter(|_| prng.chance(0.3)) {
            Some(retraction) => retraction,
            None => Sent::random(place.clock.wall_ms(), prng),
        };
        let producer = ProducerId(u128::from(1 + prng.below(3)));
        let options = WriteOptions { producer, sequence: number + 1, sync: None };
        let (outcome, repeated) = write.send(&database, &options);
        assert!(!repeated);
        sent.push((write, options, outcome));
        if number == widened {
            apply(&wider);
        }
        if number == snapshot {
            let mut more = Vec::new();
            let done = database.checkpoint(&mut |_| {
                if prng.chance(0.2) {
                    let write = Sent::random(place.clock.wall_ms(), prng);
                    let sequence = 1_000 + more.len() as u64;
                    let options = WriteOptions { producer, sequence, sync: None };
                    let (outcome, _) = write.send(&database, &options);
                    more.push((write, options, outcome));
                }
            });
            done.expect("the disk works");
            sent.append(&mut more);
        }
    }
    (sent, database)
}

#[test]
fn many_threads_restore_what_one_restores_and_what_was_live() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok());
    for seed in seed.map_or(0..25, |seed: u64| seed..seed + 1) {
        let mut prng = Prng::new(seed);
        let place = Place::new();
        let (sent, database) = live(&place, &mut prng);
        let (digest, memory) = (database.digest().expect("readable"), remembered(&database));
        database.abandon();
        drop(database);
        place.fs.crash(&mut prng);
        let probe = Prng::new(prng.next_u64());
        let mut answers = None;
        for way in WAYS {
            let what = format!("{way:?}: replay with LARDER_SEED={seed}");
            let database = open(&place.fs.fork(), place.clock.clone(), way).expect("it opens");
            assert_eq!(database.digest().expect("readable"), digest, "{what}");
            assert_eq!(remembered(&database), memory, "{what}");
            assert_eq!(database.recovery().threads, way.0);
            for (write, options, outcome) in &sent {
                let told = write.send(&database, options);
                // What changed nothing was not logged, and does nothing once more.
                let is_logged = outcome.applied > 0 || told.1;
                assert!(
                    !is_logged || told == (*outcome, true),
                    "{what}: {told:?}, was {outcome:?}"
                );
            }
            // What is a duplicate now is one whoever replayed.
            let mut probe = probe.clone();
            let now = place.clock.wall_ms();
            let after: Vec<_> = (0..40)
                .map(|_| Sent::random(now, &mut probe).send(&database, &WriteOptions::default()).0)
                .collect();
            let after = (after, database.digest().expect("readable"));
            assert_eq!(*answers.get_or_insert_with(|| after.clone()), after, "{what}");
        }
    }
}

/// Rows of a damaged part of the snapshot are written by the log: whoever replays refuses the start at the first of them, and
/// nothing in the directory is changed.
#[test]
fn the_first_record_that_cannot_be_done_is_the_one_told_of() {
    let place = Place::new();
    let database = place.start();
    let users = 0..60_u64;
    for user in users.clone() {
        let country = char::from(b'a' + u8::try_from(user % 26).expect("small"));
        let country = country.to_string().repeat(40_000);
        put(&database, "profile", &format!("u{user}"), START, &[&country, "1"], &by(user + 1));
    }
    database.checkpoint(&mut |_| {}).expect("the disk works");
    for user in users {
        put(&database, "profile", &format!("u{user}"), START + 1, &["-", "2"], &by(user + 101));
    }
    database.abandon();
    drop(database);
    let names = place.fs.list().expect("listed");
    let snapshot = names.iter().find(|name| name.ends_with(".lsnap")).expect("there is one");
    let bytes = place.fs.bytes(snapshot).len();
    for tenth in 2..9 {
        place.fs.flip_bit(snapshot, bytes * 8 / 10 * tenth);
    }
    let mut expected = None;
    for way in WAYS {
        let fs = place.fs.fork();
        let error = open(&fs, place.clock.clone(), way).expect_err("a damaged part is written");
        let message = error.to_string();
        assert!(message.contains("damaged at byte"), "{message}");
        assert_eq!(*expected.get_or_insert_with(|| message.clone()), message, "{way:?}");
        for name in &names {
            assert_eq!(fs.bytes(name), place.fs.bytes(name), "{name} was touched");
        }
    }
}
