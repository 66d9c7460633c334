//! Events of many kilobytes each: an entity's log grows to hundreds of kilobytes, and no event is counted twice or lost.
//!
//! What broke once: a block says in 16 bits how many of its bytes hold nothing. A block that was longer by more than that passed
//! the rest off as events.

use engine::{Database, ReadOptions, WriteOptions};
use model::time::format_timestamp;
use storage::fs::SimFs;

use crate::harness::{Place, START, get, push};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[stream.notes]
event_time = "at"
[stream.notes.fields]
user = "string"
text = "string"
at = "timestamp"
[group.writing]
entity = "user"
stream = "notes"
key = "user"
windows = ["5m", "1d"]
[group.writing.features]
notes = "count(*)"
latest = "last(text)"
"#;

fn check(database: &Database<SimFs>, notes: i64, latest: &str) {
    let features = &["writing:notes_5m", "writing:notes_1d", "writing:latest_1d"];
    let shown = get(database, features, "ada", ReadOptions::default());
    let is_right = |shown: &[String]| match shown {
        [short, long, text] => {
            [short, long].iter().all(|count| count.ends_with(&format!(" {notes}")))
                && text.ends_with(latest)
        }
        _ => false,
    };
    assert!(is_right(&shown), "{notes} notes: {:?}", &shown[..2]);
}

#[test]
fn an_entity_with_long_events_counts_each_once() {
    let place = Place::new();
    let database = place.open();
    let applied = database.apply("notes.toml", DEFINITIONS, false).expect("valid definitions");
    applied.ticket.expect("something was applied").wait().expect("synced");
    let note = |number: i64| format!("{number:-<40}").repeat(512);
    for number in 1..=60 {
        let at = format_timestamp(START - 60 + number);
        let text = note(number);
        push(&database, "notes", &[&["ada", &text, &at]], &WriteOptions::default());
        check(&database, number, &text);
    }
    while !database.sweep(1000).is_round_over {}
    check(&database, 60, &note(60));
    drop(database);
    check(&place.open(), 60, &note(60));
}
