//! What files hold is what writers were told was accepted, whatever its types, and whoever wrote at the same time.

use std::collections::BTreeSet;

use engine::changes::ChangeKind;

use crate::harness::{EAGER, LAZY, Place, START, Writer, apply, group, shown, stream};

fn at(ms: i64) -> String {
    (START + ms).to_string()
}

#[test]
fn every_kind_of_change_and_of_value_comes_back_as_it_was_written() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, EAGER);
    let mut card = Writer::new(&place, &database, u128::MAX - 7);
    let (early, late) = (at(-1000), at(-9_000_000));
    card.push(
        "payments",
        &[
            &["a", "c1", "10.00", "0.5", &early],
            &["b", "c1", "-", "-0", &early],
            &["old", "c1", "1.00", "1", &late],
            &["a", "c2", "2.00", "2", &early],
            &["é", "c2", "-0.01", "null", &early],
        ],
        START,
    );
    place.clock.advance_ms(7);
    card.push("payments", &[&["a", "c1", "10.00", "0.5", &early]], START + 7);
    card.retract("payments", &[&["x", "c1", "-", "-", &early], &["b", "c1", "-", "-", &early]]);
    card.push("payments", &[&["b", "c1", "3.00", "0", &early]], START + 7);
    let expected = std::mem::take(&mut card.expected);
    assert_eq!(expected.len(), 3 + 1 + 1, "late, duplicate and unknown ones are not there");
    let mut clicks = Writer::new(&place, &database, 0x00ff_0000_0000_0000_0000_0000_0000_0001);
    // The clock of the stream is the largest event time.
    clicks.push("clicks", &[&["c1", &at(5)], &["c1", &at(-5)]], START + 5);
    clicks.push("clicks", &[&["null", &at(9)], &["c2", &at(8)]], START + 8);
    card.push("unkept", &[&["c1", &early]], START);
    let mut pairs = Writer::new(&place, &database, 3);
    let full = ["true", "-7", "0.1", "1e-300", "née", "00ff", &early, "12.50", "[1.5,-0.25]"];
    let part = ["-", "null", "-", "-0", "-", "null", "-", "-", "null"];
    let one = ["-", "-", "-", "-", "", "-", "-", "-", "-"];
    pairs.put("pairs", &[("a|7", START - 5, &full), ("|-1", START + 500, &part)]);
    pairs.delete("pairs", &["a|7", "nobody|0"]);
    place.clock.advance_ms(1);
    pairs.put("pairs", &[("a|7", START - 50, &one)]);
    pairs.put("pairs", &[("a|7", START - 500, &one)]);
    place.catch_up(&database, &mut follower);
    let reader = place.reader();
    assert_eq!(shown(&reader, &stream("payments")), expected);
    assert_eq!(shown(&reader, &stream("clicks")), clicks.expected);
    assert_eq!(shown(&reader, &group("pairs")), pairs.expected);
    assert!(reader.changes(&stream("unkept")).err().expect("none").to_string().contains("clicks"));
    assert_eq!(reader.position(), database.wal().appended_lsn());
    let complete = reader.complete_from(&group("pairs"));
    assert_eq!(complete, Some((reader.began(&group("pairs")).expect("it began"), true)));
}

#[test]
fn history_is_what_was_accepted_while_several_push_at_once() {
    let place = Place::new();
    let database = place.start();
    let mut follower = place.follow(&database, EAGER);
    let expected = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=3_u128)
            .map(|number| {
                let mut writer = Writer::new(&place, &database, number);
                scope.spawn(move || {
                    for round in 0..40 {
                        let time = at(-i64::from(round));
                        // Ids that others push as well: one of them is the first.
                        let rows: Vec<_> = (0..5).map(|it| format!("{}", round * 3 + it)).collect();
                        let rows: Vec<_> =
                            rows.iter().map(|id| [id.as_str(), "c", "1.00", "-", &time]).collect();
                        let rows: Vec<_> = rows.iter().map(|row| row.as_slice()).collect();
                        writer.push("payments", &rows, START);
                    }
                    writer.expected
                })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            place.step(&database, &mut follower);
            std::thread::yield_now();
        }
        writers.into_iter().flat_map(|it| it.join().expect("no panic")).collect::<Vec<_>>()
    });
    place.catch_up(&database, &mut follower);
    let found = shown(&place.reader(), &stream("payments"));
    let set = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!((found.len(), set(&found)), (expected.len(), set(&expected)));
    assert_eq!(expected.len(), 40 * 3 + 2, "each id once");
    let order = |line: &String| {
        let (lsn, rest) = line.split_once('.').expect("a record");
        let index = rest.split(' ').next().expect("an index");
        (lsn.parse::<u64>().expect("a number"), index.parse::<u32>().expect("a number"))
    };
    assert!(found.iter().map(order).is_sorted_by(|a, b| a < b));
}

#[test]
fn definitions_that_change_begin_and_end_histories_and_add_columns() {
    let place = Place::new();
    let database = place.open();
    let plain = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\nhistory = false\nfeatures = { a = \"i64\" }\n";
    apply(&database, plain);
    assert!(place.try_follow(&database, LAZY).expect("nothing is wrong").is_none());
    let mut writer = Writer::new(&place, &database, 1);
    writer.put("g", &[("k", START, &["1"])]);
    writer.expected.clear();
    apply(&database, &plain.replace("false", "true"));
    let began = database.wal().appended_lsn();
    writer.put("g", &[("k", START, &["2"])]);
    let mut follower = place.follow(&database, LAZY);
    place.step(&database, &mut follower);
    apply(
        &database,
        &plain.replace("false", "{ age = \"1d\" }").replace("\"i64\"", "\"i64\", b = \"string\""),
    );
    writer.put("g", &[("k", START + 1, &["3", "x"]), ("l", START, &["-", "null"])]);
    place.catch_up(&database, &mut follower);
    assert_eq!(place.reader().began(&group("g")), Some(began));
    assert_eq!(place.reader().complete_from(&group("g")), Some((began, false)));
    let mut expected = writer.expected.clone();
    let wide = plain.replace("\"i64\"", "\"i64\", b = \"string\"");
    apply(&database, &wide);
    let ended = database.wal().appended_lsn();
    writer.put("g", &[("k", START + 2, &["4", "y"])]);
    apply(&database, &wide.replace("false", "true"));
    let again = database.wal().appended_lsn();
    writer.expected.clear();
    writer.put("g", &[("m", START + 3, &["5", "z"])]);
    // A follower of its own finds it all in the log.
    drop(follower);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    expected.append(&mut writer.expected);
    let reader = place.reader();
    assert_eq!(shown(&reader, &group("g")), expected);
    let spans: Vec<_> = reader.manifest().sources[&group("g")]
        .spans
        .iter()
        .map(|span| (span.from, span.was_empty, span.to))
        .collect();
    assert_eq!(spans, [(began, false, Some(ended)), (again, false, None)]);
    assert_eq!(reader.versions().len(), 5);
    let version = |lsn| reader.versions().iter().find(|it| it.lsn == lsn).expect("it is there");
    assert_eq!(version(ended).text, wide);
    assert_eq!(ChangeKind::ALL.map(ChangeKind::as_str), ["push", "retract", "put", "delete"]);
}
