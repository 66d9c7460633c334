//! A server merges and drops files while somebody reads them: what was merged is read as if it had not been, what was dropped is told, and
//! who computes from it begins again with what there is.
//!
//! All ended with "No such file or directory" before.
#![expect(clippy::disallowed_methods, reason = "a file is removed as somebody else does")]

use std::sync::Mutex;

use engine::Database;
use export::Error;
use export::history::HistoryFollower;
use export::replay::{ReplayOptions, ReplayOrder};
use stdx::clock::Clock;
use storage::fs::SimFs;

use crate::harness::{LAZY, Place, Writer, apply, copy_of, merge_all, show, shown, stream};
use crate::replays::{DEFINITIONS, Given, Served, replay, replay_beside};

/// A history of so many files, one each ten minutes; what is in it.
fn filled(place: &Place, definitions: &str, files: usize) -> (Database<SimFs>, Vec<String>) {
    let database = place.open();
    apply(&database, definitions);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(place, &database, 1);
    for number in 0..files {
        let now = place.clock.wall_ms();
        let (one, two, time) = (format!("{number}a"), format!("{number}b"), (now - 1).to_string());
        writer.push("payments", &[&[&one, "a", "1.00", &time], &[&two, "b", "2.50", &time]], now);
        place.catch_up(&database, &mut follower);
        place.clock.advance_ms(600_000);
    }
    let expected = writer.expected;
    (database, expected)
}

#[test]
fn files_that_are_merged_while_they_are_read_are_read_once() {
    let place = Place::new();
    let (_, expected) = filled(&place, DEFINITIONS, 30);
    for read_before in [0, 1, 7, 8, 29] {
        let copy = copy_of(&place);
        let database = copy.open();
        let mut follower = copy.follow(&database, LAZY);
        let mut writer = Writer { sequence: 100, ..Writer::new(&copy, &database, 1) };
        let reader = copy.reader();
        let (mut lines, source) = (Vec::new(), stream("payments"));
        let mut changes = reader.changes(&source).expect("it has a history");
        let mut take = |batch: Result<export::history::ChangeBatch, Error>| {
            let taken = batch.and_then(|batch| {
                batch.for_each(&mut |change| {
                    lines.push(show(change));
                    Ok(())
                })
            });
            taken.expect("it can be read");
        };
        changes.by_ref().take(read_before).for_each(&mut take);
        // With what came later, which the reader knows nothing of.
        let now = copy.clock.wall_ms();
        for number in 0..12 {
            let (id, time) = (format!("later{number}"), (now - 1).to_string());
            writer.push("payments", &[&[&id, "a", "1.00", &time]], now);
            copy.catch_up(&database, &mut follower);
            if number % 4 == 0 {
                let merges = merge_all(&database, &mut follower);
                // Later there may be too few small ones.
                if number == 0 {
                    assert!(merges > 0, "30 files are small");
                }
                changes.by_ref().take(1).for_each(&mut take);
            }
        }
        changes.for_each(&mut take);
        assert_eq!(lines, expected, "after {read_before} files");
    }
}

#[test]
fn what_is_dropped_while_it_is_read_is_told_and_read_anew() {
    let place = Place::new();
    let kept = DEFINITIONS.replace("history = true", "history = { age = \"1d\" }");
    let (database, expected) = filled(&place, &kept, 6);
    let mut follower = place.follow(&database, LAZY);
    let reader = place.reader();
    let source = stream("payments");
    let mut changes = reader.changes(&source).expect("it has a history");
    changes.next().expect("there are some").expect("it can be read");
    // An hour of 10 minutes each, and nothing since: the first three are old.
    place.clock.advance_ms(24 * 3_600_000 - 60 * 60_000 + 25 * 60_000);
    place.step(&database, &mut follower);
    let told = changes.find_map(Result::err).expect("it is gone");
    assert!(matches!(told, Error::Dropped { .. }), "{told}");
    assert!(told.to_string().contains("read a copy"), "{told}");
    assert_eq!(shown(&reader.again().expect("it is whole"), &source), expected[6..]);
    // What is listed and not there is no race.
    let reader = place.reader();
    let first = &reader.manifest().sources[&source].files[0];
    std::fs::remove_file(place.root().join(&first.path)).expect("removed");
    let told = reader.changes(&source).expect("it has one").find_map(Result::err);
    let told = told.expect("it is gone").to_string();
    assert!(told.contains(&first.path) && told.contains("cannot read it"), "{told}");
}

/// A replay beside a server that does `what` once the replay has its spine; the same replay afterwards.
fn replayed_beside(
    definitions: &str,
    what: impl Fn(&Place, &Database<SimFs>, &mut HistoryFollower) + Sync,
) {
    for order in [ReplayOrder::Arrival, ReplayOrder::Event { delay_ms: 0 }] {
        let place = Place::new();
        let (database, _) = filled(&place, definitions, 24);
        let follower = Mutex::new(Some(place.follow(&database, LAZY)));
        let now = place.clock.wall_ms();
        let row = |(card, back): (&str, i64)| (card.to_owned(), now - back, vec![]);
        let spine: Served =
            [("a", 0), ("b", 600_000), ("a", 7_000_000), ("c", 0)].map(row).into_iter().collect();
        let options = ReplayOptions { order, ..ReplayOptions::default() };
        let (report, beside) = replay_beside(&place, &spine, &options, &Given::HISTORY, &|_| {
            if let Some(mut follower) = follower.lock().expect("nobody panicked").take() {
                what(&place, &database, &mut follower);
            }
        });
        assert!(follower.lock().expect("nobody panicked").is_none(), "{order:?}: it was alone");
        let (after, alone) = replay(&place, &spine, &options, &Given::HISTORY);
        assert_eq!(beside, alone);
        assert_eq!(report.streams, after.streams, "nothing is counted twice");
        assert!(report.streams.iter().any(|(_, counts)| counts.accepted > 0));
    }
}

#[test]
fn a_replay_beside_a_server_that_merges_gives_the_same() {
    replayed_beside(DEFINITIONS, |_, database, follower| {
        assert!(merge_all(database, follower) > 0)
    });
}

#[test]
fn a_replay_beside_a_server_that_drops_files_begins_again_with_what_is_left() {
    let kept = DEFINITIONS.replace("history = true", "history = { age = \"1d\" }");
    replayed_beside(&kept, |place, _, follower| {
        let before = place.reader().manifest().sources[&stream("payments")].files.len();
        place.clock.advance_ms(24 * 3_600_000 - 2 * 3_600_000);
        follower.drop_old(place.clock.wall_ms()).expect("there is room");
        let left = place.reader().manifest().sources[&stream("payments")].files.len();
        assert!(left > 0 && left < before, "{left} of {before}");
    });
}
