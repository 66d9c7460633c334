//! What somebody else changed is told; what a start cannot trust it does not go on with.
#![expect(
    clippy::disallowed_methods,
    reason = "files are put as a crash or somebody else leaves them"
)]

use export::history::{HistoryFollower, check, copy};

use crate::harness::{LAZY, Place, START, Writer, shown, stream};

fn with_history(place: &Place) -> Vec<String> {
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(place, &database, 1);
    for it in 0..20 {
        let id = format!("{it}");
        writer.push("payments", &[&[&id, "c", "1.00", "-", &START.to_string()]], START);
        if it % 7 == 0 {
            place.catch_up(&database, &mut follower);
        }
    }
    place.catch_up(&database, &mut follower);
    writer.expected
}

#[test]
fn check_finds_a_flipped_bit_a_missing_file_and_a_damaged_manifest() {
    let place = Place::new();
    let all = with_history(&place);
    let whole = check(&place.root()).expect("read").expect("there is one");
    assert_eq!((whole.rows, whole.problems), (all.len() as u64, vec![]));
    let reader = place.reader();
    let file = &reader.manifest().sources[&stream("payments")].files[1];
    let path = place.root().join(&file.path);
    let bytes = std::fs::read(&path).expect("read");
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&path, damaged).expect("written");
        let found = check(&place.root()).expect("read").expect("there is one").problems;
        assert!(
            found.len() == 1 && found[0].file == path && found[0].what.contains("checksum"),
            "{found:?}"
        );
        // A copy of damage is no backup.
        let target = place.directory.path().join(format!("copy{at}"));
        let copied = copy(&place.root(), &target, &[], &mut |_| Ok(()));
        assert!(copied.expect_err("damaged").to_string().contains("larder check"));
    }
    std::fs::remove_file(&path).expect("removed");
    let found = check(&place.root()).expect("read").expect("there is one").problems;
    assert!(found.len() == 1 && found[0].what.contains("cannot read it"), "{found:?}");
    std::fs::write(&path, bytes).expect("written");
    let manifest = place.root().join("manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, text.replace("\"position\": ", "\"position\": 1")).expect("written");
    let found = check(&place.root()).expect("read").expect("there is one").problems;
    assert!(found.len() == 1 && found[0].what.contains("checksum does not fit"), "{found:?}");
    let refused = place.try_follow(&place.open(), LAZY).expect_err("it is damaged");
    assert!(refused.to_string().contains("move the history's directory away"), "{refused}");
    assert!(check(place.directory.path()).expect("read").is_none());
}

/// All files were removed, and history began anew without a word.
#[test]
fn files_without_a_manifest_are_left_alone() {
    let place = Place::new();
    let all = with_history(&place);
    let manifest = place.root().join("manifest.json");
    let text = std::fs::read(&manifest).expect("read");
    std::fs::remove_file(&manifest).expect("removed");
    let refused = place.try_follow(&place.open(), LAZY).expect_err("it is missing").to_string();
    assert!(refused.contains("put it back") && refused.contains("move the directory"), "{refused}");
    let problems = check(&place.root()).expect("read").expect("there is one").problems;
    assert!(problems.len() == 1 && problems[0].what.contains("missing"), "{problems:?}");
    std::fs::write(&manifest, text).expect("written");
    drop(place.follow(&place.open(), LAZY));
    assert_eq!(shown(&place.reader(), &stream("payments")), all);
}

#[test]
fn a_copy_is_a_history_of_its_own() {
    let place = Place::new();
    let all = with_history(&place);
    let copied = Place { fs: place.fs.fork(), ..Place::new() };
    copy(&place.root(), &copied.root(), &[], &mut |_| Ok(())).expect("copied");
    let database = copied.open();
    let mut follower = copied.follow(&database, LAZY);
    copied.catch_up(&database, &mut follower);
    assert_eq!(shown(&copied.reader(), &stream("payments")), all);
    let stopped = copy(&place.root(), &copied.directory.path().join("no"), &[], &mut |_| {
        Err(export::Error::Usage("stop".to_owned()))
    });
    assert!(stopped.is_err());
}

#[test]
fn the_history_of_another_database_or_of_a_longer_log_is_left_alone() {
    let place = Place::new();
    let all = with_history(&place);
    let other = Place::new();
    let config = engine::Config { seed: 6, ..engine::Config::default() };
    let database =
        engine::Database::open(other.fs.clone(), &config, other.clock.clone()).expect("opens");
    let follow = |database: &engine::Database<_>| {
        HistoryFollower::open(database, &*place.clock, &place.root(), LAZY)
    };
    let refused = follow(&database).expect_err("it is another one").to_string();
    assert!(refused.contains("another database"), "{refused}");
    // The log of the same database, cut behind its definitions.
    let shorter = Place::new();
    let database = shorter.start();
    let refused = follow(&database).expect_err("its log is shorter").to_string();
    assert!(refused.contains("the log was cut"), "{refused}");
    assert_eq!(shown(&place.reader(), &stream("payments")), all);
}

/// It was taken up again once the log had grown past it, and other changes stood under the numbers of those in its files.
#[test]
fn a_history_that_was_refused_stays_so_when_the_log_has_grown_past_it() {
    let place = Place::new();
    let all = with_history(&place);
    let position = place.reader().position();
    let unlisted = place.root().join("streams/payments/unlisted.arrow");
    std::fs::write(&unlisted, b"a file that a crash left").expect("written");
    // The log of the same database, cut behind its definitions.
    let shorter = Place::new();
    let database = shorter.start();
    let refused = || {
        let (clock, root) = (&*place.clock, place.root());
        let opened = HistoryFollower::open(&database, clock, &root, LAZY);
        opened.expect_err("it is not of this log").to_string()
    };
    let first = refused();
    assert!(first.contains("the log was cut") && first.contains("move the directory"), "{first}");
    let mut writer = Writer::new(&shorter, &database, 1);
    for it in 0..40 {
        let id = format!("other{it}");
        writer.push("payments", &[&[&id, "c", "1.00", "-", &START.to_string()]], START);
    }
    assert!(database.wal().appended_lsn() > position);
    assert_eq!(refused(), first);
    assert!(unlisted.is_file(), "nothing was removed");
    assert_eq!(shown(&place.reader(), &stream("payments")), all);
    let problems = check(&place.root()).expect("read").expect("there is one").problems;
    assert!(problems.len() == 1 && problems[0].what.contains("the log was cut"), "{problems:?}");
    let copied = place.directory.path().join("copied");
    copy(&place.root(), &copied, &[], &mut |_| Ok(())).expect("copied");
    assert_eq!(check(&copied).expect("read").expect("there is one").problems.len(), 1);
}

#[test]
fn what_a_crash_left_is_removed_by_the_next_who_writes() {
    let place = Place::new();
    let all = with_history(&place);
    let left = [".manifest.json.1-0.tmp", "streams/payments/unlisted.arrow"];
    let left = left.map(|name| place.root().join(name));
    left.iter().for_each(|path| std::fs::write(path, b"unfinished").expect("written"));
    let database = place.open();
    drop(place.follow(&database, LAZY));
    assert_eq!(left.map(|path| path.exists()), [false, false]);
    assert_eq!(shown(&place.reader(), &stream("payments")), all);
}
