//! Files go when they are too old or too many; what cannot be kept is a gap that is told.

use engine::Lsn;
use export::history::HistoryGap;

use crate::harness::{EAGER, LAZY, Place, START, Writer, apply, group, shown};

const KEPT: &str = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\nhistory = { age = \"1h\" }\nfeatures = { a = \"string\" }\n";

#[test]
fn files_go_when_all_in_them_is_too_old() {
    let place = Place::new();
    let database = place.open();
    apply(&database, KEPT);
    let mut follower = place.follow(&database, EAGER);
    let mut writer = Writer::new(&place, &database, 1);
    for hour in 0..5 {
        writer.put("g", &[("k", START, &[&format!("{hour}")])]);
        place.catch_up(&database, &mut follower);
        place.clock.advance_ms(1_800_000);
    }
    let reader = place.reader();
    // Written every half an hour, the last two hours ago, now and half an hour ago by the last look.
    assert_eq!(shown(&reader, &group("g")), writer.expected[2..]);
    let (from, was_empty) = reader.complete_from(&group("g")).expect("it has a history");
    assert!(!was_empty && writer.expected[2].starts_with(&format!("{from}.")), "{from}");
    let files = std::fs::read_dir(place.root().join("groups/g")).expect("it is there").count();
    assert_eq!(files, 3);
}

/// What was old stayed until something new was written.
#[test]
fn what_is_old_goes_by_the_clock_when_nothing_new_is_written() {
    let place = Place::new();
    let database = place.open();
    let stream = "[stream.s]\nevent_time = \"ts\"\nclock = \"event\"\nhistory = { age = \"1h\" }\nfields = { ts = \"timestamp\" }\n";
    apply(&database, &format!("{KEPT}{stream}"));
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    let mut events = Writer::new(&place, &database, 2);
    for half_hour in 0..3 {
        writer.put("g", &[("k", START, &[&format!("{half_hour}")])]);
        events.push("s", &[&[&(START + half_hour).to_string()]], START + half_hour);
        place.catch_up(&database, &mut follower);
        place.clock.advance_ms(1_800_000);
    }
    // Ended meanwhile: what was kept goes when it was to go.
    apply(&database, &KEPT.replace("{ age = \"1h\" }", "false"));
    place.catch_up(&database, &mut follower);
    let files = |source| place.reader().manifest().sources[&source].files.len();
    for (minutes, left) in [(0, 2), (1, 1), (29, 1), (1, 0)] {
        place.clock.advance_ms(minutes * 60_000);
        let position = place.reader().position();
        place.step(&database, &mut follower);
        assert_eq!(files(group("g")), left, "{minutes} minutes later");
        assert_eq!(place.reader().position(), position);
        let there = std::fs::read_dir(place.root().join("groups/g")).expect("it is there");
        assert_eq!(there.count(), left);
    }
    // The clock of events stands still.
    assert_eq!(files(crate::harness::stream("s")), 3);
    assert!(shown(&place.reader(), &group("g")).is_empty());
    let dropped = place.reader().manifest().sources[&group("g")].dropped_to;
    assert!(writer.expected[2].starts_with(&format!("{dropped}.")), "{dropped}");
}

/// Events of three years ago were dropped the moment they were kept: their arrivals, on the event clock, were compared with the wall clock.
#[test]
fn on_an_event_clock_age_is_that_of_the_clock() {
    let place = Place::new();
    let database = place.open();
    apply(
        &database,
        "[stream.s]\nevent_time = \"ts\"\nclock = \"event\"\nhistory = { age = \"1h\" }\nfields = { ts = \"timestamp\" }\n",
    );
    let mut follower = place.follow(&database, EAGER);
    let mut writer = Writer::new(&place, &database, 1);
    for half_hour in 0..5 {
        let now = 1_000_000 + half_hour * 1_800_000;
        writer.push("s", &[&[&now.to_string()]], now);
        place.catch_up(&database, &mut follower);
    }
    let kept = shown(&place.reader(), &crate::harness::stream("s"));
    assert_eq!(kept, writer.expected[2..]);
}

#[test]
fn the_oldest_files_go_when_there_are_too_many_bytes() {
    let place = Place::new();
    let database = place.open();
    apply(&database, &KEPT.replace("age = \"1h\"", "size = \"1MiB\""));
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    let mut noise = stdx::prng::Prng::stream(1, "noise");
    for _ in 0..8 {
        let mut text = || -> String {
            let byte = |noise: &mut stdx::prng::Prng| u8::try_from(noise.below(90)).expect("small");
            (0..60_000).map(|_| char::from(b'!' + byte(&mut noise))).collect()
        };
        let texts = [text(), text(), text(), text(), text()];
        let rows = texts.each_ref().map(|text| [text.as_str()]);
        let rows: Vec<(&str, i64, &[&str])> =
            rows.iter().map(|row| ("k", START, row.as_slice())).collect();
        writer.put("g", &rows);
        place.catch_up(&database, &mut follower);
    }
    let reader = place.reader();
    let history = &reader.manifest().sources[&group("g")];
    let bytes: u64 = history.files.iter().map(|file| file.bytes).sum();
    assert!(bytes <= 1 << 20, "{bytes}");
    let kept = shown(&reader, &group("g"));
    assert!(kept.len() >= 5 && kept.len() < writer.expected.len());
    assert_eq!(kept, writer.expected[writer.expected.len() - kept.len()..]);
    assert!(history.dropped_to > Lsn(0));
}

/// The history cannot be written for so long that the log kept for it would fill the disk.
#[test]
fn what_is_given_up_is_a_gap_and_history_goes_on_behind_it() {
    let place = Place::new();
    let database = place.open_with(200_000);
    apply(&database, KEPT);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    let text = "x".repeat(1000);
    let put = |writer: &mut Writer<'_>, count: usize| {
        for _ in 0..count {
            writer.put("g", &[("k", START, &[&text])]);
        }
    };
    put(&mut writer, 5);
    place.catch_up(&database, &mut follower);
    let before = writer.expected.clone();
    let position = place.reader().position();
    put(&mut writer, 100);
    database.history_failed("the disk of the history is full".to_owned());
    let trouble = database.history_trouble().expect("it failed").to_string();
    assert!(trouble.contains("is full") && trouble.contains("every 5 s"), "{trouble}");
    assert_eq!(database.checkpoint(&mut |_| {}).expect("made").segments_removed, 0);
    put(&mut writer, 300);
    writer.expected.clear();
    apply(&database, &KEPT.replace("1h", "2h"));
    let removed = database.checkpoint(&mut |_| {}).expect("made").segments_removed;
    assert!(removed > 4, "{removed}");
    put(&mut writer, 3);
    let mut after = std::mem::take(&mut writer.expected);
    place.catch_up(&database, &mut follower);
    let reader = place.reader();
    let [HistoryGap { first, last }] = reader.gaps() else { panic!("{:?}", reader.gaps()) };
    assert_eq!(*first, Lsn(position.0 + 1));
    assert_eq!(reader.complete_from(&group("g")), Some((Lsn(last.0 + 1), false)));
    let found = shown(&reader, &group("g"));
    assert_eq!(found[..5], before);
    after.drain(..after.len().saturating_sub(found.len() - 5));
    assert!(found.ends_with(&after) && found.len() < 405);
    assert_eq!(reader.versions().len(), 2);
    assert!(database.history_trouble().is_none());
    // A start finds it as it is.
    drop(follower);
    let mut follower = place.follow(&database, LAZY);
    place.catch_up(&database, &mut follower);
    assert_eq!(place.reader().gaps(), reader.gaps());
}
