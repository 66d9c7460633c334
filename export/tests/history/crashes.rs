//! The process ends at any moment, and the disk has what it had: the next one goes on, and each change is there exactly once.
#![expect(
    clippy::disallowed_methods,
    reason = "files are put as a crash or somebody else leaves them"
)]

use crate::harness::{EAGER, LAZY, Place, START, Writer, copy_folder, group, shown, stream};

/// What a disk had at one moment, and how many changes had been accepted.
struct Moment {
    place: Place,
    payments: usize,
    pairs: usize,
}

#[test]
fn whenever_it_ends_each_change_is_there_once_and_in_order() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, LAZY);
    let mut payments = Writer::new(&place, &database, 1);
    let mut pairs = Writer::new(&place, &database, 2);
    let (mut moments, mut before) = (Vec::new(), None);
    for round in 0..12_u32 {
        let time = (START - i64::from(round)).to_string();
        let (one, two) = (format!("{round}a"), format!("{round}b"));
        payments.push(
            "payments",
            &[&[&one, "c", "1.00", "-", &time], &[&two, "d", "1.00", "-", &time]],
            START,
        );
        pairs.put("pairs", &[("a|1", START, &["true", "-", "-", "-", "-", "-", "-", "-", "-"])]);
        let mut take = |history: &std::path::Path| {
            let copy = Place { fs: place.fs.fork(), ..Place::new() };
            copy_folder(history, &copy.root());
            moments.push(Moment {
                place: copy,
                payments: payments.expected.len(),
                pairs: pairs.expected.len(),
            });
        };
        // Nothing read yet; files open, with temporary names; closed.
        take(&place.root());
        place.step(&database, &mut follower);
        take(&place.root());
        if round % 3 == 2 {
            follower.close(&database, &*place.clock).expect("closed");
            take(&place.root());
            // The files have their names, and the manifest is the one of before.
            let manifest = place.root().join("manifest.json");
            let now = std::fs::read(&manifest).expect("it is there");
            if let Some(old) = before.replace(now.clone()) {
                std::fs::write(&manifest, old).expect("written");
                take(&place.root());
                std::fs::write(&manifest, now).expect("written");
            }
        }
    }
    assert!(moments.len() > 30);
    for (number, Moment { place, payments: first, pairs: second }) in moments.iter().enumerate() {
        for limits in [EAGER, LAZY] {
            let copy = Place { fs: place.fs.fork(), ..Place::new() };
            copy_folder(&place.root(), &copy.root());
            let database = copy.open();
            let mut follower = copy.follow(&database, limits);
            let mut more = Writer::new(&copy, &database, 9);
            more.push("payments", &[&["new", "c", "1.00", "-", &START.to_string()]], START);
            copy.catch_up(&database, &mut follower);
            let reader = copy.reader();
            let expected: Vec<_> =
                payments.expected[..*first].iter().chain(&more.expected).collect();
            let found = shown(&reader, &stream("payments"));
            assert!(found.iter().eq(expected), "moment {number}: {found:#?}");
            assert_eq!(
                shown(&reader, &group("pairs")),
                pairs.expected[..*second],
                "moment {number}"
            );
            assert_eq!(reader.gaps(), [], "moment {number}");
            let files = reader.manifest().sources.values().map(|it| it.files.len()).sum::<usize>();
            let there = walk(&copy.root());
            assert_eq!(there, files + 1, "moment {number}: nothing lies there that is not listed");
        }
    }
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("it is there");
    let paths = entries.map(|entry| entry.expect("listed").path());
    paths.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}

/// Without a server nobody reads the log for history: it is kept all the same, over checkpoints and starts.
#[test]
fn a_database_alone_keeps_what_history_needs() {
    let place = Place::new();
    let database = place.start();
    let mut writer = Writer::new(&place, &database, 1);
    let push = |writer: &mut Writer<'_>, round: u32| {
        let rows: Vec<_> = (0..200).map(|it| format!("{round}-{it}-{}", "x".repeat(60))).collect();
        let time = START.to_string();
        let rows: Vec<_> = rows.iter().map(|id| [id.as_str(), "c", "1.00", "-", &time]).collect();
        let rows: Vec<_> = rows.iter().map(|row| row.as_slice()).collect();
        writer.push("payments", &rows, START);
    };
    (0..10).for_each(|round| push(&mut writer, round));
    let removed = database.checkpoint(&mut |_| {}).expect("made").segments_removed;
    assert_eq!(removed, 0);
    let (sequence, expected) = (writer.sequence, writer.expected);
    database.close().expect("closed");
    drop(database);
    let database = place.open();
    let mut writer = Writer { sequence, expected, ..Writer::new(&place, &database, 1) };
    (10..20).for_each(|round| push(&mut writer, round));
    assert_eq!(database.checkpoint(&mut |_| {}).expect("made").segments_removed, 0);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
    push(&mut writer, 20);
    let removed = database.checkpoint(&mut |_| {}).expect("made").segments_removed;
    assert!(removed > 2, "{removed}");
    // What is behind the position is kept.
    place.catch_up(&database, &mut follower);
    assert_eq!(shown(&place.reader(), &stream("payments")), writer.expected);
    assert!(place.reader().gaps().is_empty());
}
