//! The bytes of a log, for ever: whoever reads lines today reads those of every release. A file that changes is a change of the format,
//! and then `line::VERSION` is another; `LARDER_BLESS=1` writes files for new events. `larder audit verify` is held against the same
//! files by a test of the binary, and docs/formats/audit.md by one here.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::{
    DENIED, DROPPED,
    event::{AuditedKey, End, Event, Who},
    file,
    key::DeploymentKey,
    line,
    log::AuditLog,
    tally::{Of, Tally},
    verify::{Expected, verify},
};

const PAGE: &str = include_str!("../../../docs/formats/audit.md");
/// 2026-01-31T09:30:00Z
const START_MS: i64 = 1_769_851_800_000;
/// Two files come of it.
const FILE_BYTES_MAX: u64 = 4_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/audit")
}

fn who(subject: Option<&str>) -> Who {
    Who { subject: subject.map(Into::into), peer: "127.0.0.1:50000 (CN=scorer)".into() }
}

fn event(number: i64, what: &'static str) -> Event {
    Event::new(START_MS + number * 250, what)
}

fn keys(names: &[&str]) -> Vec<AuditedKey> {
    let key = |name: &&str| AuditedKey { entity: "card".into(), key: name.as_bytes().into() };
    names.iter().map(key).collect()
}

/// What a start says.
fn started(number: i64) -> Event {
    event(number, "start")
        .with("version", "0.1.0")
        .with("definitions_version", 3)
        .with("reads", 0.01)
        .with("keys_are_hashed", true)
}

/// One of every kind, as `acts`, `tally` and `writer` make them.
fn first_life() -> Vec<Event> {
    let tally = Tally::new(who(Some("loader")));
    let of = |what, kind, index| Of { what, kind, index };
    for rows in [1, 4096] {
        let name = || Some("group:profile".to_owned());
        tally.count((of("put", "group", 0), ""), rows, name);
        tally.count((of("scan", "group", 0), "support"), rows, name);
        tally.count((of("push", "stream", 0), ""), rows, || Some("stream:payments".to_owned()));
    }
    let denials = model::limits::AUDIT_DENIALS_TOLD_MAX + 5;
    (0..denials).for_each(|_| _ = tally.tells_denial());
    let names = (0..40).map(|number| format!("card_profile:{number}"));
    let missing = "subject scorer (role reader) may not read card_profile:0".to_owned();
    let mut events = vec![
        started(0),
        event(1, "apply")
            .by(Some(who(Some("platform"))))
            .with("file", "features.toml")
            .with("version", 4)
            .with("changes_count", 2)
            .with("changes", vec!["add group profile", "add service fraud"])
            .ended(End::Ok),
    ];
    events.extend(tally.take(START_MS + 500));
    events.extend([
        event(3, "read")
            .by(Some(who(Some("scorer"))))
            .on(["service:fraud", "group:profile"])
            .purpose("fraud-prevention")
            .with("vectors", 2)
            .keys(keys(&["c-1", "c-2"]))
            .ended(End::Ok),
        event(4, DENIED)
            .by(Some(who(Some("scorer"))))
            .with("operation", "prepare")
            .on(names)
            .ended(End::Denied(missing)),
        event(5, DENIED)
            .by(Some(Who { subject: None, peer: Arc::from("[::1]:50001") }))
            .with("operation", "hello")
            .ended(End::Denied("the token is not one of the server's access policy".to_owned())),
        event(6, DENIED).with("requests", 17),
        event(7, "delete")
            .by(Some(who(None)))
            .on(["group:profile"])
            .with("rows", 1)
            .keys(keys(&["c-3"]))
            .ended(End::Ok),
        event(8, "checkpoint")
            .by(Some(who(Some("platform"))))
            .with("name", "monday")
            .ended(End::Ok),
        event(9, "export")
            .by(Some(who(Some("platform"))))
            .on(["group:profile"])
            .purpose("training")
            .with("name", "one")
            .ended(End::Failed("an export runs and 4 wait for it: ask again later".to_owned())),
        event(10, "reload").with("what", "access policy").ended(End::Failed(
            "access.toml:2: a text in \"quotes\", with \u{fc} and a\nnew line".to_owned(),
        )),
        event(11, DROPPED).with("count", 3),
    ]);
    events
}

/// A process that is killed while it writes, and the one after it.
fn write(directory: &std::path::Path) {
    let key = DeploymentKey::of(&[b'k'; 40]);
    let mut log = AuditLog::open(directory, FILE_BYTES_MAX, START_MS).expect("it opens");
    for mut event in first_life() {
        event.hash_keys(Some(&key));
        log.append(vec![event]).expect("it is written");
    }
    drop(log);
    let last = *file::list(directory).expect("listed").last().expect("a file");
    let mut bytes = file::read(directory, last).expect("it is there");
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":17,\"prev\":\"00");
    file::replace(&directory.join(file::name(last)), &bytes).expect("it is written");
    let mut log = AuditLog::open(directory, FILE_BYTES_MAX, START_MS + 60_000).expect("it goes on");
    log.append(vec![started(241)]).expect("it is written");
    log.append(vec![event(242, "stop").ended(End::Ok)]).expect("it is written");
}

#[test]
fn a_log_of_every_event_has_its_golden_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path());
    let files = file::list(directory.path()).expect("listed");
    assert!(files.len() > 1, "the chain goes across files");
    for first in &files {
        let bytes = file::read(directory.path(), *first).expect("it is there");
        let path = folder().join(file::name(*first));
        if std::env::var_os("LARDER_BLESS").is_some() {
            file::replace(&path, &bytes).expect("the source tree can be written to");
        }
        let golden = file::read(&folder(), *first);
        let golden = golden
            .unwrap_or_else(|error| panic!("{}: {error}; LARDER_BLESS=1 makes it", path.display()));
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&golden));
    }
    assert_eq!(file::list(&folder()).expect("listed"), files, "none is left behind");
}

#[test]
fn the_golden_log_is_whole() {
    let found = verify(&folder(), &Expected::default()).expect("it is read");
    assert_eq!(found.problems, [""; 0]);
    assert_eq!((found.notes.len(), found.dropped), (1, 3), "{:?}", found.notes);
}

#[test]
fn the_page_of_the_format_names_every_event_and_field_of_the_golden_log() {
    let rows = || PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let is_row = |event: &str| rows().any(|names| names.contains(&format!("`{event}`")));
    let mut seen = 0;
    for first in file::list(&folder()).expect("listed") {
        let text = String::from_utf8(file::read(&folder(), first).expect("it is there"));
        for line in text.expect("UTF-8").lines().filter(|line| line.ends_with('}')) {
            let Ok(Value::Object(fields)) = serde_json::from_str(line) else { continue };
            assert_eq!(fields["v"], line::VERSION, "{line}");
            let event = fields["event"].as_str().expect("a text");
            assert!(is_row(event), "event {event} is not in the page");
            for name in fields.keys() {
                assert!(PAGE.contains(&format!("`{name}`")), "field {name} is not in the page");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen} fields");
}
