//! Replays of files: what a record says, what it leaves out and what it has too much is judged as for `larder push` and `larder put`;
//! nothing that is read is written over.
#![expect(clippy::disallowed_methods, reason = "a user's files; they are no files of a database")]

use std::path::PathBuf;

use engine::replay::{ReplayPlan, ReplayTarget};
use export::{
    Error,
    replay::{ReplayFiles, ReplayOptions, ReplayReport, ReplayWatcher, replay_files},
};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.profile]
entity = "card"
[group.profile.features]
limit = "i64"
name = "string"
[stream.payments]
event_time = "ts"
clock = "event"
[stream.payments.fields]
card = "string"
amount = "i64"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m"]
[group.spend.features]
total = "sum(amount)"
"#;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a directory") };
        place.write("spine.csv", "card,as_of\na,2500\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it is there")
    }

    fn files(&self, out: &str) -> ReplayFiles {
        ReplayFiles {
            events: Vec::new(),
            rows: Vec::new(),
            spine: self.path("spine.csv"),
            as_of_column: "as_of".to_owned(),
            arrival_column: "arrival".to_owned(),
            maps: Vec::new(),
            service: None,
            with_statuses: true,
            out: self.path(out),
        }
    }
}

/// Replays `files` for `features`; what is rejected is told as `file unit number: why`.
fn replay(files: &ReplayFiles, features: &str) -> Result<(ReplayReport, Vec<String>), Error> {
    let plan = ReplayPlan::new("test.toml", DEFINITIONS, ReplayTarget::Features(&[features]))?;
    let mut told = Vec::new();
    let mut rejected = |one: &export::replay::Rejected<'_>| {
        let file = one.path.file_name().unwrap_or_default().to_string_lossy();
        told.push(format!("{file} {} {}: {}", one.unit, one.number, one.reason));
        Ok(())
    };
    let watcher = ReplayWatcher { step: &|_| {}, rejected: &mut rejected };
    let report = replay_files(&plan, files, ReplayOptions::default(), watcher)?;
    Ok((report, told))
}

#[test]
fn what_a_line_of_json_leaves_out_stays_as_it_was() {
    let place = Place::new();
    let rows = [
        r#"{"card": "a", "event_time": 1000, "limit": 1, "name": "x"}"#,
        r#"{"card": "a", "event_time": 2000, "limit": 2}"#,
    ];
    place.write("rows.jsonl", &rows.join("\n"));
    let mut files = place.files("out.csv");
    files.rows.push(("profile".to_owned(), place.path("rows.jsonl")));
    replay(&files, "profile:*").expect("replayed");
    let out = place.read("out.csv");
    assert!(out.contains("2,PRESENT,x,PRESENT"), "{out}");
}

#[test]
fn what_gives_no_field_is_refused_in_json_and_told_in_csv() {
    let place = Place::new();
    place.write("events.jsonl", r#"{"card": "a", "ammount": 5, "ts": 2000}"#);
    place.write("events.csv", "card,ammount,ts\na,5,2000\n");
    let mut files = place.files("out.csv");
    files.events = ["events.jsonl", "events.csv"].map(|name| (None, place.path(name))).to_vec();
    let (report, told) = replay(&files, "spend:*").expect("replayed");
    assert_eq!(report.rejected(), 1);
    let why = "events.jsonl line 1: no field is called ammount";
    assert!(told.len() == 1 && told[0].starts_with(why), "{told:?}");
    assert_eq!(report.ignored, [(place.path("events.csv"), vec!["ammount".to_owned()])]);
}

#[test]
fn what_is_read_is_not_written_over() {
    let place = Place::new();
    place.write("events.csv", "card,amount,ts\na,5,2000\n");
    for out in ["events.csv", "spine.csv"] {
        let before = place.read(out);
        let mut files = place.files(out);
        files.events.push((None, place.path("events.csv")));
        let error = replay(&files, "spend:*").expect_err("it is an input").to_string();
        assert!(error.contains(out) && error.contains("another --out"), "{error}");
        assert_eq!(place.read(out), before);
    }
}

#[test]
fn a_file_that_no_feature_needs_is_named_with_what_is_read() {
    let place = Place::new();
    place.write("rows.csv", "card,event_time,limit\na,1000,1\n");
    let mut files = place.files("out.csv");
    files.rows.push(("profile".to_owned(), place.path("rows.csv")));
    let error = replay(&files, "spend:*").expect_err("no rows are read").to_string();
    assert!(error.contains("profile is not needed: none of the row groups is read"), "{error}");
}
