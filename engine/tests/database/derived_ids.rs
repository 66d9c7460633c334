//! A stream declares no event id, and its only group counts: no ids are made. Then a group is added that breaks ties of one time by them.

use crate::harness::{Place, START, by, get, push};
use engine::ReadOptions;
use model::time::format_timestamp;

const COUNTED: &str = r#"
[entity.user]
key = "string"
[stream.visits]
event_time = "at"
[stream.visits.fields]
user = "string"
page = "string"
at = "timestamp"
[group.seen]
entity = "user"
stream = "visits"
key = "user"
windows = ["1h"]
[group.seen.features]
visits = "count(*)"
"#;
const LAST: &str = r#"
[group.pages]
entity = "user"
stream = "visits"
key = "user"
windows = ["1h"]
[group.pages.features]
page = "last(page)"
"#;
const PAGES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Pushes a page each, all of one time, in this order; every page is always write number `1 + its place in PAGES`.
fn visit(database: &engine::Database<storage::fs::SimFs>, pages: &[usize], at: i64) {
    let at = format_timestamp(at);
    for page in pages {
        let (name, sequence) = (PAGES[*page], *page as u64 + 1);
        push(database, "visits", &[&["ann", name, &at]], &by(sequence));
    }
}

fn values(database: &engine::Database<storage::fs::SimFs>) -> Vec<String> {
    get(database, &["seen:visits_1h", "pages:page_1h"], "ann", ReadOptions::default())
}

#[test]
fn a_group_with_ids_added_to_a_stream_gets_them() {
    let both = format!("{COUNTED}{LAST}");
    let forwards: Vec<usize> = (0..PAGES.len()).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    let mut winners = Vec::new();
    for (first, order) in [(COUNTED, &forwards), (COUNTED, &backwards), (&*both, &forwards)] {
        let place = Place::new();
        let database = place.open();
        database.apply("test.toml", first, false).expect("valid");
        push(&database, "visits", &[&["ann", "z", &format_timestamp(START - 1)]], &by(99));
        database.apply("test.toml", &both, false).expect("valid");
        visit(&database, order, START);
        let live = values(&database);
        drop(database);
        assert_eq!(values(&place.open()), live, "after a restart");
        winners.push(live);
    }
    assert!(winners.iter().all(|winner| *winner == winners[0]), "{winners:?}");
    assert_eq!(winners[0][0], "PARTIAL 9", "{winners:?}");
}
