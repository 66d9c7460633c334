//! The log needs room on the disk, and history leaves it: it waits, and the log is kept for it as far as that goes.

use engine::Database;
use export::history::HistoryMerge;
use storage::Vfs;
use storage::fs::SimFs;

use crate::harness::{LAZY, Place, START, Writer, apply, group, shown};

const KEPT: &str = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\nhistory = { age = \"1h\" }\nfeatures = { a = \"string\" }\n";
const SEGMENT_BYTES: u64 = 1 << 16;

fn put(writer: &mut Writer<'_>, count: usize) {
    for _ in 0..count {
        writer.put("g", &[("k", START, &[&"x".repeat(1000)])]);
    }
}

/// So many bytes are free from now on.
fn leave(place: &Place, bytes: u64) {
    const MUCH: u64 = 1 << 40;
    place.fs.set_capacity(Some(MUCH));
    let used = MUCH - place.fs.free_bytes().expect("known");
    place.fs.set_capacity(Some(used + bytes));
}

fn files(place: &Place) -> usize {
    std::fs::read_dir(place.root().join("groups/g")).expect("it is there").count()
}

fn has_trouble(database: &Database<SimFs>) -> bool {
    database.history_trouble().is_some()
}

#[test]
fn history_waits_for_room_and_nothing_is_missing_once_there_is() {
    let place = Place::new();
    let database = place.open();
    apply(&database, KEPT);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    for _ in 0..8 {
        put(&mut writer, 1);
        place.catch_up(&database, &mut follower);
    }
    // More than the log needs, and too little for what may come of a step.
    leave(&place, 2 * SEGMENT_BYTES + (7 << 20));
    assert!(matches!(follower.merge(&database, &mut || true), Ok(HistoryMerge::Nothing)));
    place.step(&database, &mut follower);
    put(&mut writer, 1);
    let refused = follower.step(&database, &*place.clock, &mut || true).expect_err("no room");
    let refused = refused.to_string();
    assert!(refused.contains("the log may need 131072 more"), "{refused}");
    database.history_failed(refused);
    drop(follower);
    assert_eq!(files(&place), 8, "nothing was written");
    let again = place.try_follow(&database, LAZY).expect_err("no room").to_string();
    assert!(again.contains("are free") && has_trouble(&database), "{again}");
    // What is too old makes room all the same.
    place.clock.advance_ms(3_600_001);
    assert!(place.try_follow(&database, LAZY).is_err());
    assert_eq!(files(&place), 0);
    put(&mut writer, 3);
    place.fs.set_capacity(None);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    assert!(!has_trouble(&database));
    let reader = place.reader();
    // The one that waited is in a file with newer ones.
    assert_eq!(shown(&reader, &group("g")), writer.expected[8..]);
    assert_eq!(reader.gaps(), []);
}

/// The log was kept for history until the disk was full and no checkpoint could be made any more: writes were refused, for up to 4 GiB of
/// log that nothing else needed.
#[test]
fn a_full_disk_gives_up_what_of_the_log_is_kept_for_history_alone() {
    let place = Place::new();
    let database = place.open();
    apply(&database, KEPT);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    put(&mut writer, 2);
    place.catch_up(&database, &mut follower);
    put(&mut writer, 500);
    assert_eq!(database.checkpoint(&mut |_| {}).expect("made").segments_removed, 0);
    assert!(database.history_log_bytes() > 5 * SEGMENT_BYTES);
    // Nothing is given up as long as there is room for a segment, and for a checkpoint.
    leave(&place, SEGMENT_BYTES * 3 / 2);
    database.make_room_for_log().expect("looked");
    assert!(database.history_log_bytes() > 5 * SEGMENT_BYTES);
    put(&mut writer, 1);
    leave(&place, SEGMENT_BYTES);
    assert!(follower.step(&database, &*place.clock, &mut || true).is_err());
    database.checkpoint(&mut |_| {}).expect("there is room again");
    assert!(database.history_log_bytes() < SEGMENT_BYTES, "{}", database.history_log_bytes());
    place.fs.set_capacity(None);
    let mut follower = place.follow(&database, LAZY);
    put(&mut writer, 2);
    place.catch_up(&database, &mut follower);
    let reader = place.reader();
    assert_eq!(reader.gaps().len(), 1, "{:?}", reader.gaps());
    let found = shown(&reader, &group("g"));
    assert!(found[..2] == writer.expected[..2] && found.len() < writer.expected.len());
    assert!(writer.expected.ends_with(&found[2..]) && found.len() > 4, "{}", found.len());
}

/// What was written of a long log was thrown away, and written again with every try.
#[test]
fn what_was_gone_through_before_the_disk_was_full_lasts() {
    let place = Place::new();
    let database = place.open();
    apply(&database, KEPT);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    let mut writer = Writer::new(&place, &database, 1);
    // More than one step goes through.
    for _ in 0..600 {
        writer.put("g", &[("k", START, &[&"x".repeat(10_000)])]);
    }
    let mut looks = 0;
    let refused = follower.step(&database, &*place.clock, &mut || {
        looks += 1;
        if looks == 2 {
            leave(&place, 2 * SEGMENT_BYTES);
        }
        true
    });
    let refused = refused.expect_err("no room").to_string();
    assert!(looks == 2 && refused.contains("are free"), "{looks}: {refused}");
    drop(follower);
    let written = shown(&place.reader(), &group("g"));
    assert!(!written.is_empty() && written.len() < 600, "{}", written.len());
    assert!(writer.expected.starts_with(&written));
    place.fs.set_capacity(None);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    assert!(shown(&place.reader(), &group("g")) == writer.expected);
}

/// A log that a checkpoint kept for history, which has caught up since when it `is_caught_up`.
fn kept_log(place: &Place, is_caught_up: bool) -> Database<SimFs> {
    let database = place.open();
    apply(&database, KEPT);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(place, &database, 1);
    put(&mut writer, 1);
    place.catch_up(&database, &mut follower);
    put(&mut writer, 500);
    assert_eq!(database.checkpoint(&mut |_| {}).expect("made").segments_removed, 0);
    if is_caught_up {
        place.catch_up(&database, &mut follower);
    }
    database
}

/// Nothing was kept for history any more, and so nothing was removed.
#[test]
fn a_full_disk_gets_room_of_a_log_that_history_has_gone_through_since() {
    let place = Place::new();
    let database = kept_log(&place, true);
    assert_eq!(database.history_log_bytes(), 0);
    leave(&place, SEGMENT_BYTES / 2);
    database.make_room_for_log().expect("removed");
    assert!(place.fs.free_bytes().expect("known") > 4 * SEGMENT_BYTES);
    let mut writer = Writer { sequence: 501, ..Writer::new(&place, &database, 1) };
    put(&mut writer, 20);
    place.fs.set_capacity(None);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    assert_eq!(place.reader().gaps(), [], "nothing was given up");
}

/// It was given up, stayed, and was never tried again.
#[test]
fn what_could_not_be_removed_from_a_full_disk_is_tried_again() {
    let place = Place::new();
    let database = kept_log(&place, false);
    leave(&place, 0);
    assert!(database.make_room_for_log().is_err(), "no manifest can be written");
    leave(&place, SEGMENT_BYTES / 2);
    database.make_room_for_log().expect("removed");
    assert!(place.fs.free_bytes().expect("known") > 4 * SEGMENT_BYTES);
}

/// Nothing was new, so that no checkpoint was due; nothing could be written, so that nothing became new.
#[test]
fn a_disk_that_somebody_else_filled_gets_room_without_a_checkpoint() {
    let place = Place::new();
    let database = place.open();
    apply(&database, KEPT);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    put(&mut writer, 1);
    place.catch_up(&database, &mut follower);
    put(&mut writer, 500);
    assert_eq!(database.checkpoint(&mut |_| {}).expect("made").segments_removed, 0);
    leave(&place, SEGMENT_BYTES / 2);
    let free = || place.fs.free_bytes().expect("known");
    assert!(
        database.checkpoint(&mut |_| {}).is_ok_and(|done| !done.is_new) && free() < SEGMENT_BYTES
    );
    database.make_room_for_log().expect("removed");
    assert!(database.history_log_bytes() < SEGMENT_BYTES && free() > 4 * SEGMENT_BYTES);
    put(&mut writer, 20);
    place.fs.set_capacity(None);
    drop(follower);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    assert_eq!(place.reader().gaps().len(), 1);
    let found = shown(&place.reader(), &group("g"));
    assert!(found[0] == writer.expected[0] && writer.expected.ends_with(&found[1..]));
}
