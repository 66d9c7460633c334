//! Small files become large ones: the same changes in the same order, whenever the process ends, in as many files as they need.
#![expect(clippy::disallowed_methods, reason = "files are put as a crash leaves them")]

use std::collections::BTreeSet;
use std::path::Path;

use engine::Database;
use export::history::{HistoryMerge, check};
use stdx::clock::Clock;
use storage::fs::SimFs;

use crate::harness::{LAZY, Place, START, Writer, apply, copy_of, group, merge_all, shown, stream};

fn push(writer: &mut Writer<'_>, number: usize, events: usize) {
    let (time, now) = ((START - 1000).to_string(), writer.clock.wall_ms());
    let ids: Vec<_> = (0..events).map(|it| format!("{number}-{it}")).collect();
    let rows: Vec<_> = ids.iter().map(|id| [id.as_str(), "c", "1.00", "null", &time]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    writer.push("payments", &rows, now);
}

/// A minute in which something of everything happens.
fn minute(payments: &mut Writer<'_>, pairs: &mut Writer<'_>, number: usize) {
    push(payments, number, 1 + number % 3);
    let time = (START - 1000).to_string();
    if number.is_multiple_of(4) {
        payments.retract("payments", &[&[&format!("{number}-0"), "c", "-", "-", &time]]);
    }
    let full = ["true", "-7", "0.1", "-0", "née", "00ff", &time, "12.50", "[1.5,-0.25]"];
    let part = ["-", "null", "-", "1e-300", "-", "null", "-", "-", "null"];
    let cells = if number.is_multiple_of(2) { &full } else { &part };
    pairs.put("pairs", &[("a|7", START - 5, cells), ("|-1", START + 500, &part)]);
    if number.is_multiple_of(5) {
        pairs.delete("pairs", &["a|7", "nobody|0"]);
    }
}

fn files(place: &Place, source: &export::history::HistorySource) -> Vec<(u64, u64)> {
    let reader = place.reader();
    let files = &reader.manifest().sources[source].files;
    files.iter().map(|file| (file.first_lsn.0, file.rows)).collect()
}

/// All files below `folder`, by their paths from there on.
fn walk(folder: &Path, below: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let entry = entry.expect("listed");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(walk(&entry.path(), &format!("{name}/")));
        } else {
            found.insert(name);
        }
    }
    found
}

fn must_be_whole(place: &Place, payments: &[String], pairs: &[String], what: &str) {
    let reader = place.reader();
    assert_eq!(shown(&reader, &stream("payments")), payments, "{what}");
    assert_eq!(shown(&reader, &group("pairs")), pairs, "{what}");
    let checked = check(&place.root()).expect("read").expect("there is one");
    assert_eq!(checked.problems, [], "{what}");
}

#[test]
fn merged_files_hold_the_same_changes_in_the_same_order() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut payments = Writer::new(&place, &database, 1);
    let mut pairs = Writer::new(&place, &database, 2);
    for number in 0..40 {
        minute(&mut payments, &mut pairs, number);
        place.clock.advance_ms(60_000);
        place.catch_up(&database, &mut follower);
    }
    let before = place.reader();
    assert!(files(&place, &stream("payments")).len() == 40, "one a minute");
    assert!(merge_all(&database, &mut follower) > 1);
    must_be_whole(&place, &payments.expected, &pairs.expected, "merged");
    let after = place.reader();
    assert!(
        files(&place, &stream("payments")).len() < 8 && files(&place, &group("pairs")).len() < 8
    );
    assert_eq!((before.position(), before.versions()), (after.position(), after.versions()));
    for (source, history) in &before.manifest().sources {
        let range = |files: &[export::history::HistoryFile]| {
            let first = files.iter().map(|file| (file.first_lsn, file.first_at_ms)).min();
            let last = files.iter().map(|file| (file.last_lsn, file.last_at_ms)).max();
            (first, last, files.iter().map(|file| file.rows).sum::<u64>())
        };
        assert_eq!(range(&history.files), range(&after.manifest().sources[source].files));
    }
    // Nothing else lies there, and a start goes on with it.
    let listed = after.manifest().sources.values().map(|it| it.files.len()).sum::<usize>();
    assert_eq!(walk(&place.root(), "").len(), listed + 1);
    drop(follower);
    let mut follower = place.follow(&database, LAZY);
    minute(&mut payments, &mut pairs, 40);
    place.catch_up(&database, &mut follower);
    must_be_whole(&place, &payments.expected, &pairs.expected, "gone on with");
}

#[test]
fn what_differs_in_its_columns_or_lies_on_both_sides_of_a_gap_stays_apart() {
    const ONE: &str = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\nhistory = true\nfeatures = { a = \"string\" }\n";
    let place = Place::new();
    let database = place.open_with(100_000);
    apply(&database, ONE);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    let put =
        |database: &Database<SimFs>, writer: &mut Writer<'_>, follower: &mut _, cells: &[&str]| {
            for _ in 0..5 {
                writer.put("g", &[("k", START, cells)]);
                place.catch_up(database, follower);
            }
        };
    put(&database, &mut writer, &mut follower, &["x"]);
    apply(&database, &ONE.replace("\"string\" }", "\"string\", b = \"i64\" }"));
    put(&database, &mut writer, &mut follower, &["x", "7"]);
    // What is not gone through before a checkpoint is given up.
    let kept = writer.expected.len();
    for _ in 0..200 {
        writer.put("g", &[("k", START, &[&"y".repeat(1000), "7"])]);
    }
    database.checkpoint(&mut |_| {}).expect("made");
    writer.expected.truncate(kept);
    place.catch_up(&database, &mut follower);
    let behind = shown(&place.reader(), &group("g")).split_off(kept);
    writer.expected.extend(behind);
    put(&database, &mut writer, &mut follower, &["z", "7"]);
    assert_eq!(place.reader().gaps().len(), 1);
    assert_eq!(merge_all(&database, &mut follower), 0, "5, 5 and 6 files are too few");
    for _ in 0..3 {
        put(&database, &mut writer, &mut follower, &["z", "7"]);
    }
    assert!(merge_all(&database, &mut follower) > 0);
    let (now, gap) = (files(&place, &group("g")), place.reader().gaps()[0]);
    assert_eq!(now.iter().filter(|(first, _)| *first < gap.first.0).count(), 10);
    assert_eq!(shown(&place.reader(), &group("g")), writer.expected);
    assert_eq!(check(&place.root()).expect("read").expect("there is one").problems, []);
}

#[test]
fn limits_of_what_is_kept_bound_what_is_merged() {
    let kept = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\nhistory = { age = \"4h\" }\nfeatures = { a = \"string\" }\n";
    let place = Place::new();
    let database = place.open();
    apply(&database, kept);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    for _ in 0..60 {
        writer.put("g", &[("k", START, &["x"])]);
        place.catch_up(&database, &mut follower);
        merge_all(&database, &mut follower);
        place.clock.advance_ms(60_000);
    }
    let reader = place.reader();
    let merged = &reader.manifest().sources[&group("g")].files;
    let spans = merged.iter().map(|file| file.last_at_ms - file.first_at_ms);
    assert_eq!(spans.max(), Some(7 * 60_000), "a sixteenth of 4 h is 15 min");
    assert_eq!(shown(&reader, &group("g")), writer.expected);
}

/// Each moment of a merge as the disk has it when the process ends there.
#[test]
fn whenever_a_merge_ends_one_of_both_is_there() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut payments = Writer::new(&place, &database, 1);
    let mut pairs = Writer::new(&place, &database, 2);
    for number in 0..24 {
        minute(&mut payments, &mut pairs, number);
        place.catch_up(&database, &mut follower);
    }
    drop(follower);
    let before = copy_of(&place);
    let mut follower = place.follow(&database, LAZY);
    assert!(matches!(follower.merge(&database, &mut || true), Ok(HistoryMerge::Merged)));
    drop(follower);
    let (old, new) = (walk(&before.root(), ""), walk(&place.root(), ""));
    let merged: Vec<_> = new.difference(&old).cloned().collect();
    let gone: Vec<_> = old.difference(&new).cloned().collect();
    let [merged] = merged.as_slice() else { panic!("{merged:?}") };
    assert!(gone.len() >= 8, "{gone:?}");
    let bytes = std::fs::read(place.root().join(merged)).expect("read");
    let folder = merged.rsplit_once('/').expect("a directory").0;
    let mut moments = Vec::new();
    // Being written.
    for part in [0, 1, bytes.len() / 2, bytes.len()] {
        let moment = copy_of(&before);
        let unfinished = format!("{folder}/.merged.arrow.1-0.tmp");
        std::fs::write(moment.root().join(unfinished), &bytes[..part]).expect("written");
        moments.push(moment);
    }
    // Named, with the manifest of before.
    let named = copy_of(&before);
    std::fs::write(named.root().join(merged), &bytes).expect("written");
    let next = std::fs::read(place.root().join("manifest.json")).expect("read");
    let unfinished = copy_of(&named);
    let half = unfinished.root().join(".manifest.json.1-0.tmp");
    std::fs::write(half, &next[..next.len() / 2]).expect("written");
    // With the manifest of after; then the old ones go, one by one.
    let listed = copy_of(&named);
    std::fs::write(listed.root().join("manifest.json"), &next).expect("written");
    for count in 0..=gone.len() {
        let moment = copy_of(&listed);
        gone.iter().take(count).for_each(|path| {
            std::fs::remove_file(moment.root().join(path)).expect("removed");
        });
        moments.push(moment);
    }
    moments.extend([named, unfinished, listed]);
    for (number, moment) in moments.iter().enumerate() {
        let what = format!("moment {number}");
        must_be_whole(moment, &payments.expected, &pairs.expected, &format!("{what}, as it is"));
        let database = moment.open();
        let mut follower = moment.follow(&database, LAZY);
        let mut more = Writer::new(moment, &database, 9);
        push(&mut more, 100, 2);
        moment.catch_up(&database, &mut follower);
        merge_all(&database, &mut follower);
        let all: Vec<_> = payments.expected.iter().chain(&more.expected).cloned().collect();
        must_be_whole(moment, &all, &pairs.expected, &what);
        let reader = moment.reader();
        let files = reader.manifest().sources.values().map(|it| it.files.len()).sum::<usize>();
        assert_eq!(walk(&moment.root(), "").len(), files + 1, "{what}: nothing unlisted is left");
    }
}

#[test]
fn a_merge_that_may_not_go_on_or_meets_damage_leaves_all_as_it_was() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    for number in 0..20 {
        push(&mut writer, number, 1);
        place.catch_up(&database, &mut follower);
    }
    let before = walk(&place.root(), "");
    for asked in 0..20 {
        let mut left = asked;
        let given_up = follower.merge(&database, &mut || {
            left -= 1;
            left >= 0
        });
        assert!(matches!(given_up, Ok(HistoryMerge::GivenUp)), "{given_up:?}");
        assert_eq!(walk(&place.root(), ""), before);
    }
    // One in the middle is damaged: it stays, what is beside it is merged.
    let path = place.root().join(before.iter().nth(10).expect("it is there"));
    let mut bytes = std::fs::read(&path).expect("read");
    let whole = bytes.clone();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let refused = follower.merge(&database, &mut || true).expect("it goes on");
    let HistoryMerge::Refused(why) = refused else { panic!("{refused:?}") };
    assert!(why.to_string().contains("checksum"), "{why}");
    assert_eq!(walk(&place.root(), ""), before);
    assert!(merge_all(&database, &mut follower) > 0);
    assert!(path.exists());
    std::fs::write(&path, whole).expect("written");
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
}

/// Each try threw away the files that were open, and history stood still.
#[test]
fn a_merge_that_cannot_be_written_is_left_and_history_goes_on() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    for number in 0..20 {
        push(&mut writer, number, 1);
        place.catch_up(&database, &mut follower);
    }
    let reader = place.reader();
    let files = &reader.manifest().sources[&stream("payments")].files;
    let (first, last) = (files[0].first_lsn.0, files[files.len() - 1].last_lsn.0);
    // A directory has the name.
    let path = place.root().join(format!("streams/payments/{first:020}-{last:020}.arrow"));
    std::fs::create_dir(&path).expect("made");
    let refused = follower.merge(&database, &mut || true).expect("it goes on");
    assert!(matches!(refused, HistoryMerge::Refused(_)), "{refused:?}");
    assert_eq!(merge_all(&database, &mut follower), 0, "it is not tried again");
    push(&mut writer, 20, 1);
    place.catch_up(&database, &mut follower);
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
    drop(follower);
    std::fs::remove_dir(&path).expect("removed");
    let mut follower = place.follow(&database, LAZY);
    assert!(merge_all(&database, &mut follower) > 0);
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
}
