//! Verification beside a server that merges and drops files: what is merged is verified all the same, what is dropped cannot be.
#![expect(clippy::disallowed_methods, reason = "a file of reads is removed as the server does")]

use engine::{PushRequest, ReadOptions, WriteOptions};
use export::history::HistoryMerge;
use export::reads::ReadLogReader;
use export::verify::{Unverifiable, VerifyOptions, VerifyReport, verify};
use model::packed_row::{Cell, write_row};
use model::text::parse_value;
use stdx::clock::Clock;

use crate::world::{Running, World, read};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[stream.orders]
event_time = "at"
history = { age = "1d" }
[stream.orders.fields]
user = "string"
price = "decimal(2)"
at = "timestamp"
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["all"]
[group.buying.features]
spent = "sum(price)"
[service.offer]
features = ["buying:*"]
log_reads = 1
"#;
const READS: u64 = 20;

/// An order and a read of its user, each ten minutes.
fn fill(world: &World, running: &mut Running) {
    let (_, definitions) = running.database.definitions();
    let fields = &definitions.streams[0].fields;
    for _ in 0..READS {
        let at = world.clock.wall_ms().to_string();
        let values = fields.iter().zip(["ada", "1.50", &at]);
        let values = values.map(|(field, text)| parse_value("it", text, field.data_type));
        let values: Vec<_> = values.map(|value| value.expect("valid")).collect();
        let mut row = Vec::new();
        write_row(&mut row, fields, values.iter().map(|value| Cell::Value(value.borrow())))
            .expect("types match");
        let request = PushRequest { stream: 0, fields: fields.len(), events: vec![&row] };
        running.database.push(&request, &WriteOptions::default()).expect("it is taken");
        let mut plan = running.database.plan_service("offer").expect("it is defined");
        let sample =
            read(&running.database, &mut plan, &[b"ada", b""], ReadOptions::default(), &[]);
        running.log.offer(sample.expect("it is read"));
        catch_up(world, running);
        world.clock.advance_ms(10 * 60_000);
    }
}

/// Everything so far goes into files.
fn catch_up(world: &World, running: &mut Running) {
    let wal = running.database.wal();
    wal.ticket(wal.appended_lsn(), Some(engine::SyncLevel::Durable)).wait().expect("synced");
    let (durable, now) = (wal.durable_lsn(), world.clock.wall_ms());
    running.log.advance(durable, now).expect("written");
    running.follow(world);
    let follower = running.follower.as_mut().expect("there is a history");
    follower.close(&running.database, &*world.clock).expect("closed");
}

/// Verifies, and does `what` once the first file of reads was opened.
fn verified(world: &World, what: &mut dyn FnMut()) -> VerifyReport {
    let mut is_first = true;
    let report = verify(&world.history(), &VerifyOptions::default(), &mut |step| {
        if std::mem::take(&mut is_first) {
            assert_eq!(step.files, 1);
            what();
        }
    });
    report.expect("it goes on with what there is")
}

#[test]
fn what_is_merged_is_verified_and_what_is_dropped_meanwhile_is_counted_apart() {
    let world = World::new();
    let mut running = world.open(DEFINITIONS);
    fill(&world, &mut running);
    let files = ReadLogReader::new(&world.history()).files("offer").expect("readable");
    assert!(files.len() > 8, "{}", files.len());
    let Running { database, follower, .. } = &mut running;
    let follower = follower.as_mut().expect("there is a history");
    let report = verified(&world, &mut || {
        let merged = follower.merge(database, &mut || true).expect("there is room");
        assert!(matches!(merged, HistoryMerge::Merged), "{merged:?}");
        // Reads that go are missed, and nothing else.
        std::fs::remove_file(&files[5].path).expect("it is there");
    });
    assert_eq!((report.different, report.files_gone), (0, 1), "{report:?}");
    let verified = report.reads;
    assert!(verified >= files.len() as u64 && report.unverifiable.is_empty(), "{report:?}");
    let report = verified_after_a_day(&world, &mut running);
    let dropped = report.unverifiable.get(&Unverifiable::Dropped).copied();
    assert_eq!((report.different, dropped), (0, Some(verified)), "{report:?}");
}

/// All that there was was dropped, and something has come since, which sees what was dropped in its window over everything.
fn verified_after_a_day(world: &World, running: &mut Running) -> VerifyReport {
    let clock = &*world.clock;
    let follower = running.follower.as_mut().expect("there is a history");
    verified(world, &mut || {
        world.clock.set_wall_ms(clock.wall_ms() + 30 * 3_600_000);
        follower.drop_old(clock.wall_ms()).expect("there is room");
    })
}
