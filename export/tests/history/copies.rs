//! A backup takes long, and history goes on meanwhile: the copy is what there was when it was begun, and the log that is copied beside
//! it goes on just there.
#![expect(clippy::disallowed_methods, reason = "a file is put where a link should be")]

use std::os::unix::fs::MetadataExt;

use engine::Lsn;
use export::history::{HistoryCopy, check};

use crate::harness::{LAZY, Place, START, Writer, copy_of, merge_all, shown, stream};

fn push(writer: &mut Writer<'_>, from: usize, to: usize) {
    let time = START.to_string();
    for number in from..to {
        let id = format!("{number}-{}", "x".repeat(2000));
        writer.push("payments", &[&[&id, "c", "1.00", "-", &time]], START);
    }
}

/// The history of a copy whose database is copied after history has gone on, and been merged, and a checkpoint was made: all that there
/// must be, what there is, and how many gaps.
fn copied(is_log_kept: bool) -> (Vec<String>, Vec<String>, usize) {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    for number in 0..10 {
        push(&mut writer, number, number + 1);
        place.catch_up(&database, &mut follower);
    }
    let backup = Place::new();
    let begun = HistoryCopy::begin(&place.root(), &backup.root()).expect("there is room");
    let begun = begun.expect("there is a history");
    assert!(begun.is_linked(), "on one file system");
    let position = begun.position();
    let kept = is_log_kept.then(|| database.keep_log_for_copy(Lsn(position.0 + 1)));
    // Meanwhile.
    push(&mut writer, 10, 300);
    place.catch_up(&database, &mut follower);
    assert!(place.reader().position() > position, "it goes on");
    assert!(merge_all(&database, &mut follower) > 0);
    database.checkpoint(&mut |_| {}).expect("made");
    let backup = Place { fs: place.fs.fork(), ..backup };
    drop(kept);
    let all = writer.expected.clone();
    push(&mut writer, 300, 320);
    place.catch_up(&database, &mut follower);
    let mut asked = Vec::new();
    let finished = begun.finish(&[], &mut |left| {
        asked.push(left);
        Ok(())
    });
    finished.expect("there is room");
    assert!(asked.is_sorted_by(|a, b| a > b) && asked.len() == 10, "{asked:?}");
    let reader = backup.reader();
    assert_eq!(reader.position(), position);
    assert_eq!(shown(&reader, &stream("payments")), all[..10]);
    for file in &reader.manifest().sources[&stream("payments")].files {
        let about = std::fs::metadata(backup.root().join(&file.path)).expect("it is there");
        assert_eq!(about.nlink(), 1, "a file of its own");
    }
    let database = backup.open();
    let mut follower = backup.follow(&database, LAZY);
    backup.catch_up(&database, &mut follower);
    let reader = backup.reader();
    assert_eq!(check(&backup.root()).expect("read").expect("there is one").problems, []);
    // The one that was copied has lost nothing either.
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
    (all, shown(&reader, &stream("payments")), reader.gaps().len())
}

#[test]
fn history_goes_on_while_it_is_copied_and_the_copy_goes_on_from_the_copied_log() {
    let (all, found, gaps) = copied(true);
    assert_eq!((found, gaps), (all, 0));
    // What the log is kept for: a checkpoint lets go of what the history that went on has gone through.
    let (all, found, gaps) = copied(false);
    assert!(gaps == 1 && found.len() < all.len());
}

/// As on a file system without links: somebody has to see to it that nothing changes.
#[test]
fn where_there_can_be_no_links_the_files_themselves_are_copied() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    for number in 0..3 {
        push(&mut writer, number, number + 1);
        place.catch_up(&database, &mut follower);
    }
    let (reader, target) = (place.reader(), Place::new());
    let files = &reader.manifest().sources[&stream("payments")].files;
    let in_its_place = target.root().join(&files[1].path);
    std::fs::create_dir_all(in_its_place.parent().expect("a directory")).expect("made");
    std::fs::write(&in_its_place, b"no link can be made here").expect("written");
    let begun = HistoryCopy::begin(&place.root(), &target.root()).expect("there is room");
    let begun = begun.expect("there is a history");
    assert!(!begun.is_linked());
    begun.finish(&[], &mut |_| Ok(())).expect("there is room");
    assert_eq!(shown(&target.reader(), &stream("payments")), writer.expected);
    assert_eq!(check(&target.root()).expect("read").expect("there is one").problems, []);
}

#[test]
fn a_copy_that_is_given_up_leaves_the_history_as_it_is() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    push(&mut writer, 0, 3);
    place.catch_up(&database, &mut follower);
    let target = copy_of(&place).directory.path().join("given-up");
    let begun = HistoryCopy::begin(&place.root(), &target).expect("there is room");
    let stopped = begun.expect("there is one").finish(&[], &mut |left| {
        assert!(left > 0);
        Err(export::Error::Usage("stop".to_owned()))
    });
    assert_eq!(stopped.expect_err("it was stopped").to_string(), "stop");
    assert!(!target.join("manifest.json").exists(), "it counts for nothing");
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
}
