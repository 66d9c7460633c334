//! Snapshots: what they hold with the log behind them is what the live database held, however much was written meanwhile; what
//! they give is served from where it lies, promoted when it is written, and written again. `LARDER_SEED` replays one seed.

use engine::{Database, Error, ReadOptions, StorageError, WriteOptions};
use model::time::format_timestamp;
use stdx::prng::Prng;
use storage::fs::SimFs;

use crate::{
    harness::{DEFINITIONS, Place, START, by, get, push, put},
    replay_equals_live::act,
};

fn checkpoint(database: &Database<SimFs>) -> engine::Checkpointed {
    database.checkpoint(&mut |_| {}).expect("the disk works")
}

fn seeds() -> std::ops::Range<u64> {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    seed.map_or(0..20, |seed| seed..seed + 1)
}

/// Writes go on while a snapshot is written, between any two shards; then the power goes, again and again, each life on top of
/// the snapshot of the one before.
#[test]
fn a_snapshot_under_writes_and_the_log_behind_it_are_what_was_live() {
    for seed in seeds() {
        let mut prng = Prng::new(seed);
        let place = Place::new();
        drop(place.start());
        for life in 0..5 {
            let database = place.open();
            for _ in 0..1 + prng.below(3) {
                for _ in 0..prng.below(40) {
                    place.clock.advance_ms(u32::try_from(prng.below(60_000)).expect("small"));
                    act(&place, &database, &mut prng);
                }
                let writes = prng.chance(0.7);
                let before = (!writes).then(|| database.digest().expect("readable"));
                let done = database.checkpoint(&mut |_| {
                    for _ in 0..prng.below(4) * u64::from(writes) {
                        act(&place, &database, &mut prng);
                    }
                });
                assert!(done.is_ok(), "seed {seed}, life {life}: {done:?}");
                if let Some(before) = before {
                    let after = database.digest().expect("readable");
                    assert_eq!(before, after, "seed {seed}, life {life}: served from the new one");
                }
            }
            for _ in 0..prng.below(10) {
                act(&place, &database, &mut prng);
            }
            let live = database.digest().expect("readable");
            if prng.chance(0.5) {
                database.close().expect("closed");
            } else {
                database.abandon();
            }
            drop(database);
            place.fs.crash(&mut prng);
            let restored = place.open();
            assert_eq!(
                restored.digest().expect("readable"),
                live,
                "seed {seed}, life {life}: replay with LARDER_SEED={seed}"
            );
            // Some lives go on with what the digest brought into memory, some do not.
            drop(restored);
        }
    }
}

/// Four writers and a checkpointer, all at once: the state restored is the state that was live.
#[test]
fn threads_that_write_do_not_disturb_a_snapshot() {
    let place = Place::new();
    let database = place.start();
    std::thread::scope(|threads| {
        for thread in 0..4_u64 {
            let (database, place) = (&database, &place);
            threads.spawn(move || {
                let mut prng = Prng::new(100 + thread);
                for _ in 0..400 {
                    act(place, database, &mut prng);
                }
            });
        }
        for _ in 0..5 {
            checkpoint(&database);
        }
    });
    let live = database.digest().expect("readable");
    drop(database);
    let restored = place.open();
    assert_eq!(restored.digest().expect("readable"), live);
    assert!(restored.recovery().records > 0);
}

#[test]
fn rows_of_a_snapshot_are_read_written_and_deleted_as_if_they_were_in_memory() {
    let place = Place::new();
    let database = place.start();
    for user in 0..500 {
        let (key, limit) = (format!("u{user}"), user.to_string());
        put(&database, "profile", &key, START, &["DE", &limit], &by(user + 1));
    }
    checkpoint(&database);
    database.close().expect("closed");
    drop(database);

    let database = place.open();
    let profile = ["profile:country", "profile:limit"];
    let read = |key: &str| get(&database, &profile, key, ReadOptions::default());
    assert_eq!(read("u7"), ["PRESENT DE", "PRESENT 7"]);
    assert_eq!(read("nobody"), ["NOT_FOUND", "NOT_FOUND"]);
    put(&database, "profile", "u7", START + 5, &["-", "70"], &by(1001));
    assert_eq!(read("u7"), ["PRESENT DE", "PRESENT 70"], "half of the row is from the snapshot");
    let stale = put(&database, "profile", "u8", START - 5, &["FR", "1"], &by(1002));
    assert_eq!((stale.outcome.applied, stale.outcome.duplicate), (0, 1));
    let group = database.group_index("profile").expect("defined");
    let deleted = database.delete(group, &[b"u9", b"u9"], &by(1003)).expect("taken");
    assert_eq!(deleted.outcome.applied, 1, "once");
    assert_eq!(read("u9"), ["NOT_FOUND", "NOT_FOUND"]);
    put(&database, "profile", "u9", START + 9, &["IT", "-"], &by(1004));
    assert_eq!(read("u9"), ["PRESENT IT", "NOT_FOUND"], "a new row, nothing of the old one");
    let again = put(&database, "profile", "u479", START + 9, &["XX", "9"], &by(480));
    assert!(again.repeated, "a sequence of before the snapshot is known");
    assert_eq!(read("u479"), ["PRESENT DE", "PRESENT 479"]);

    // Scanned once each, wherever they lie; and the same after one more snapshot of snapshot and memory.
    let digest = database.digest().expect("readable");
    assert_eq!(database.group_memory()[group].entities, 500);
    checkpoint(&database);
    assert_eq!(database.digest().expect("readable"), digest);
    drop(database);
    assert_eq!(place.open().digest().expect("readable"), digest);
}

#[test]
fn a_group_that_grew_since_the_snapshot_has_nothing_of_the_new_feature() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ada", START, &["DE", "5"], &by(1));
    checkpoint(&database);
    let wider = DEFINITIONS.replace("limit = \"i64\"\n", "limit = \"i64\"\nscore = \"f64\"\n");
    database.apply("t", &wider, false).expect("valid").ticket.expect("new").wait().expect("synced");
    put(&database, "profile", "bob", START, &["FR", "6", "0.5"], &by(2));
    drop(database);

    let database = place.open();
    let read = |key: &str| get(&database, &["profile:*"], key, ReadOptions::default());
    assert_eq!(read("ada"), ["PRESENT DE", "PRESENT 5", "NOT_FOUND"]);
    assert_eq!(read("bob"), ["PRESENT FR", "PRESENT 6", "PRESENT 0.5"]);
    put(&database, "profile", "ada", START, &["-", "-", "0.25"], &by(3));
    assert_eq!(read("ada"), ["PRESENT DE", "PRESENT 5", "PRESENT 0.25"]);
    checkpoint(&database);
    drop(database);
    let database = place.open();
    assert_eq!(get(&database, &["profile:*"], "ada", ReadOptions::default())[2], "PRESENT 0.25");
}

#[test]
fn definitions_that_change_while_a_snapshot_is_written_make_it_begin_anew() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ada", START, &["DE", "5"], &by(1));
    let wider = DEFINITIONS.replace("limit = \"i64\"\n", "limit = \"i64\"\nscore = \"f64\"\n");
    let mut told = 0;
    let done = database.checkpoint(&mut |_| {
        told += 1;
        if told == 30 {
            database.apply("t", &wider, false).expect("valid");
        }
    });
    assert!(done.is_ok() && told > 64, "{done:?} after {told} shards");
    drop(database);
    let shown = get(&place.open(), &["profile:*"], "ada", ReadOptions::default());
    assert_eq!(shown, ["PRESENT DE", "PRESENT 5", "NOT_FOUND"]);
}

/// Duplicates, windows with tiles, late events: what a stream remembers is in the snapshot.
#[test]
fn streams_go_on_after_a_snapshot_as_if_nothing_had_been() {
    let place = Place::new();
    let database = place.start();
    let at = |minute: i64| format_timestamp(START + minute * 60_000);
    for minute in 0..300 {
        place.clock.advance_ms(60_000);
        let (id, time) = (format!("o{minute}"), at(minute));
        push(&database, "orders", &[&[&id, "ada", "1.25", &time]], &WriteOptions::default());
    }
    checkpoint(&database);
    let orders = ["buying:orders_5m", "buying:orders_1d", "buying:spent_1d"];
    let before = get(&database, &orders, "ada", ReadOptions::default());
    drop(database);

    let database = place.open();
    assert_eq!(get(&database, &orders, "ada", ReadOptions::default()), before);
    let (id, time) = ("o299", at(299));
    let again = push(&database, "orders", &[&[id, "ada", "1.25", &time]], &WriteOptions::default());
    assert_eq!(
        (again.outcome.applied, again.outcome.duplicate),
        (0, 1),
        "its id is in the snapshot"
    );
    let late = at(100);
    push(&database, "orders", &[&["new", "ada", "1.25", &late]], &WriteOptions::default());
    let after = get(&database, &orders, "ada", ReadOptions::default());
    assert_eq!(after[1..], ["PARTIAL 301", "PARTIAL 376.25"]);
}

#[test]
fn the_log_before_a_snapshot_is_removed_and_not_missed() {
    let place = Place::new();
    let database = place.start();
    let text = "x".repeat(20_000);
    for user in 0..40 {
        put(&database, "profile", &format!("u{user}"), START, &[&text, "1"], &by(user + 1));
    }
    let segments = |place: &Place| {
        use storage::Vfs;
        let names = place.fs.list().expect("listed");
        names.iter().filter(|name| name.starts_with("wal-0")).count()
    };
    assert!(segments(&place) > 5, "{}", segments(&place));
    let done = checkpoint(&database);
    assert!(done.segments_removed > 4, "{done:?}");
    assert!(segments(&place) <= 2, "{}", segments(&place));
    let digest = database.digest().expect("readable");
    drop(database);
    let database = place.open();
    assert_eq!(database.digest().expect("readable"), digest);
    assert!(database.recovery().segments <= 2);
}

#[test]
fn a_checkpoint_that_fails_leaves_everything_as_it_was_and_says_why() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ada", START, &["DE", "5"], &by(1));
    checkpoint(&database);
    let text = "x".repeat(50_000);
    put(&database, "profile", "bob", START, &[&text, "5"], &by(2));
    let (digest, files) = (database.digest().expect("readable"), place.fs.operations());
    assert!(files > 0);
    use storage::Vfs;
    // The log takes space for its next segment only once the write is acknowledged.
    let is_taken = || place.fs.list().expect("listed").iter().any(|name| name == "wal-next");
    assert!((0..10_000_000).any(|_| is_taken()), "no space for the next segment");
    let used: usize =
        place.fs.list().expect("listed").iter().map(|f| place.fs.bytes(f).len()).sum();
    place.fs.set_capacity(Some(used as u64 + 10_000));
    let error = database.checkpoint(&mut |_| {}).expect_err("no space").to_string();
    assert!(error.contains("full"), "{error}");
    assert!(database.checkpoint_trouble().expect("told").reason.contains("full"));
    place.fs.set_capacity(None);
    put(&database, "profile", "eve", START, &["DE", "5"], &by(3));
    checkpoint(&database);
    assert_eq!(database.checkpoint_trouble(), None);
    assert_ne!(database.digest().expect("readable"), digest);
    let digest = database.digest().expect("readable");
    drop(database);
    assert_eq!(place.open().digest().expect("readable"), digest);
}

#[test]
fn a_backup_taken_while_writes_go_on_is_a_database_of_its_own() {
    let place = Place::new();
    let database = place.start();
    for user in 0..50 {
        put(&database, "profile", &format!("u{user}"), START, &["DE", "1"], &by(user + 1));
    }
    let copy = Place::new();
    let mut next = 100;
    let done = database.backup(&copy.fs, &mut |at| {
        // What comes while files are copied is in the copy or not.
        if at.bytes_copied > 0 {
            return;
        }
        next += 1;
        put(&database, "profile", &format!("u{next}"), START, &["FR", "2"], &by(next));
    });
    let done = done.expect("copied");
    let digest = database.digest().expect("readable");
    put(&database, "profile", "later", START, &["FR", "2"], &by(1000));
    let restored = copy.open();
    assert_eq!(restored.digest().expect("readable"), digest);
    assert!(done.files >= 3 && done.checkpoint.lsn.0 > 50, "{done:?}");
}

/// The stop was looked at between shards of a checkpoint only: a server that was told to stop copied its backup to the end.
#[test]
fn a_backup_is_given_up_in_the_midst_of_a_file_and_nothing_is_left_of_it() {
    let place = Place::new();
    let database = place.start();
    let text = "x".repeat(60_000);
    for user in 0..60 {
        put(&database, "profile", &format!("u{user}"), START, &[&text, "1"], &by(user + 1));
    }
    let (copy, mut pieces) = (Place::new(), 0);
    let failed = database.backup(&copy.fs, &mut |at| {
        pieces += u32::from(at.bytes_copied > 0);
        if pieces == 2 {
            database.stop_checkpoints();
        }
    });
    assert!(matches!(failed, Err(Error::Storage(StorageError::Closed))), "{failed:?}");
    assert_eq!(pieces, 2, "no further piece was begun");
    use storage::Vfs;
    assert_eq!(copy.fs.list().expect("listed"), Vec::<String>::new());
}

/// One shard may hold gigabytes. Here it is one row.
#[test]
fn a_checkpoint_is_given_up_in_the_midst_of_a_shard() {
    let place = Place::new();
    let database = place.start();
    let features: String = (0..80).map(|number| format!("f{number} = \"string\"\n")).collect();
    let wide = format!(
        "{DEFINITIONS}\n[group.wide]\nentity = \"user\"\n[group.wide.features]\n{features}"
    );
    let applied = database.apply("wide.toml", &wide, false).expect("valid");
    assert!(!applied.plan.is_refused(), "{}", applied.plan);
    let text = "x".repeat(60_000);
    put(&database, "wide", "ada", START, &[&*text; 80], &by(1));
    let (mut fenced, mut stopped_in) = (None, None);
    let failed = database.checkpoint(&mut |at| {
        // Once when a shard is fenced, and again before it is written.
        if fenced == Some(at.shards_done) && at.bytes > 4 << 20 && stopped_in.is_none() {
            stopped_in = fenced;
            database.stop_checkpoints();
        }
        fenced = Some(at.shards_done);
    });
    assert!(matches!(failed, Err(Error::Storage(StorageError::Closed))), "{failed:?}");
    assert_eq!(stopped_in, fenced, "not one shard more was written");
}

/// What was written since the last look was counted anew for each group: many small tables were written to their end.
#[test]
fn a_checkpoint_is_looked_at_every_4_mib_across_small_tables() {
    let place = Place::new();
    let database = place.start();
    let features: String = (0..20).map(|number| format!("f{number} = \"string\"\n")).collect();
    let groups: String = (0..10)
        .map(|group| {
            format!("[group.g{group}]\nentity = \"user\"\n[group.g{group}.features]\n{features}")
        })
        .collect();
    let applied = database.apply("many.toml", &format!("{DEFINITIONS}\n{groups}"), false);
    let applied = applied.expect("valid");
    assert!(!applied.plan.is_refused(), "{}", applied.plan);
    let text = "x".repeat(60_000);
    for group in 0..10 {
        // Of one key, and so in one shard.
        put(&database, &format!("g{group}"), "ada", START, &[&*text; 20], &by(group + 1));
    }
    let (mut last, mut within) = (None, 0);
    let done = database.checkpoint(&mut |at| {
        let now = (at.shards_done, at.bytes);
        within += u32::from(last.is_some_and(|(shard, bytes)| shard == now.0 && bytes < now.1));
        last = Some(now);
    });
    assert!(done.expect("the disk works").bytes > 12_000_000);
    assert!(within >= 2, "told {within} times in the midst of the shard");
}

#[test]
fn a_checkpoint_with_nothing_new_writes_nothing() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ada", START, &["DE", "5"], &by(1));
    let first = checkpoint(&database);
    let operations = || place.fs.operations();
    // The log seals itself once, at a moment of its own.
    let writes_nothing = (0..10).any(|_| {
        let before = operations();
        checkpoint(&database);
        operations() == before
    });
    assert!(writes_nothing, "not one operation on the disk");
    let again = checkpoint(&database);
    assert_eq!((again.number, again.lsn, again.is_new), (first.number, first.lsn, false));
    drop(database);
    let database = place.open();
    let again = checkpoint(&database);
    assert_eq!((again.number, again.lsn, again.is_new), (first.number, first.lsn, false));
    assert_eq!(again.entities, first.entities);
    put(&database, "profile", "ada", START + 1, &["FR", "6"], &by(2));
    let next = checkpoint(&database);
    assert!(next.is_new && next.number == first.number + 1, "{next:?}");
}
