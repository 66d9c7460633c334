//! Training sets of `larder replay` equal DuckDB's range joins over the same events, with the bounds of docs/semantics.md: of generated
//! payments, and of a commit history.
#![expect(clippy::disallowed_methods, reason = "what a user would give, and no file of a database")]

use std::path::Path;
use std::process::Command;

use stdx::prng::Prng;
use system_tests::{binary::larder, python};

const START: i64 = 1_767_225_600_000;
/// Who changed which file of a public repository, when, and by how many lines.
const TOUCHES: &str = "../examples/commits/data/file_touches.csv";

/// Definitions of one window group with the aggregates that the oracle knows.
fn definitions(entity: &str, time: &str, value: (&str, &str)) -> String {
    let (value, data_type) = value;
    format!(
        "[entity.{entity}]\nkey = \"string\"\n[stream.s]\nevent_time = \"{time}\"\n[stream.s.fields]\n{entity} = \"string\"\n\
         {value} = \"{data_type}\"\n{time} = \"timestamp\"\n[group.g]\nentity = \"{entity}\"\nstream = \"s\"\nkey = \"{entity}\"\n\
         windows = [\"5m\", \"1h\", \"24h\", \"30d\"]\n[group.g.features]\nn = \"count(*)\"\nsum = \"sum({value})\"\n\
         avg = \"avg({value})\"\nmin = \"min({value})\"\nmax = \"max({value})\"\nstd = \"stddev({value})\"\n"
    )
}

/// Replays `events` for `spine` in `directory`, and compares.
fn check(directory: &Path, events: &Path, spine: &str, names: [&str; 3], data_type: &str) {
    let [entity, time, value] = names;
    let path = |name: &str| directory.join(name).display().to_string();
    let (definitions_file, spine_file, out) =
        (path("d.toml"), path("spine.csv"), path("out.parquet"));
    std::fs::write(&definitions_file, definitions(entity, time, (value, data_type)))
        .expect("written");
    std::fs::write(&spine_file, spine).expect("written");
    let events = events.display().to_string();
    let output = Command::new(larder())
        .args(["replay", "--definitions", &definitions_file, "--events", &events])
        .args(["--spine", &spine_file, "--feature", "g:*", "--out", &out])
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "larder replay failed: {said}");
    let windows = "5m:15s,1h:15s,24h:1h,30d:1h";
    // Else text of a file of numbers is taken for floats.
    let value = match data_type {
        "decimal(2)" => format!("{value}::DECIMAL(18, 2)"),
        _ => value.to_owned(),
    };
    // Skipped aloud where there is no Python.
    let _ran = python::run(
        "replay_oracle.py",
        &[&events, &spine_file, &out, entity, time, &value, windows],
    );
}

#[test]
fn generated_payments_equal_range_joins() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = Prng::new(20_260_701);
    let time = |ms: i64| model::time::format_timestamp(ms);
    let mut events = "card,amount,ts\n".to_owned();
    let mut spine = "card,as_of,label\n".to_owned();
    for number in 0..6000_i64 {
        let card = if random.chance(0.5) { 0 } else { random.below(200) };
        // Some are at the edges of tiles.
        let step = if random.chance(0.1) { 15_000 } else { 1 };
        let ts = (START + random.between(0, 40 * 86_400_000)).div_euclid(step) * step;
        let cents = random.between(-10_000, 99_999);
        let sign = if cents < 0 { "-" } else { "" };
        let (whole, rest) = (cents.abs() / 100, cents.abs() % 100);
        events += &format!("c{card},{sign}{whole}.{rest:02},{}\n", time(ts));
        if number % 8 == 0 {
            spine += &format!("c{card},{},{number}\n", time(ts + random.between(-2, 1_000_000)));
        }
    }
    let file = directory.path().join("events.csv");
    std::fs::write(&file, events).expect("written");
    check(directory.path(), &file, &spine, ["card", "ts", "amount"], "decimal(2)");
}

#[test]
fn a_commit_history_equals_range_joins() {
    let touches = Path::new(env!("CARGO_MANIFEST_DIR")).join(TOUCHES);
    let text = std::fs::read_to_string(&touches).expect("it can be read");
    let directory = tempfile::tempdir().expect("a directory");
    // A name, the time and the number of one line of 20; whoever needs quotes is left out.
    let mut spine = "author,as_of\n".to_owned();
    for line in text.lines().skip(1).step_by(20).filter(|line| !line.contains('"')) {
        let cells: Vec<_> = line.split(',').collect();
        if let [_, author, .., committed] = cells[..] {
            spine += &format!("{author},{committed}\n");
        }
    }
    check(directory.path(), &touches, &spine, ["author", "committed_at", "added"], "i64");
}
