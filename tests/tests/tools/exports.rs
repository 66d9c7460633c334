//! An export is opened by pyarrow, polars, pandas, duckdb and datasketches, and holds what the server answers.

use std::path::{Path, PathBuf};

use system_tests::python;
use system_tests::server::{Server, Start};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[entity.pair]
key = ["string", "i64"]
[group.profile]
entity = "card"
max_age = "1000d"
[group.profile.features]
flag = "bool"
number = "i64"
narrow = "f32"
wide = "f64"
text = "string"
raw = "bytes"
at = "timestamp"
amount = "decimal(2)"
vector = "f32[2]"
[group.pairs]
entity = "pair"
[group.pairs.features]
score = "i64"
[stream.payments]
event_time = "ts"
clock = "event"
[stream.payments.fields]
card = "string"
merchant = "string"
amount = "decimal(2)"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1d"]
[group.spend.features]
payments = "count(*)"
total = "sum(amount)"
mean = "avg(amount)"
last_merchant = "last(merchant)"
merchants = "approx_distinct(merchant)"
"#;

/// Full, null, half and old rows.
const PROFILES: &str = r#"{"card":"full","flag":true,"number":-7,"narrow":0.1,"wide":1e300,"text":"née, \"x\"","raw":"00ff","at":"2026-01-01T00:00:00.123Z","amount":12.5,"vector":[1,2.5]}
{"card":"large","flag":false,"number":9223372036854775807,"narrow":-1e30,"wide":-0.5,"text":"","raw":"","at":"1969-12-31T23:59:59.999Z","amount":-92233720368547758.08,"vector":[0.1,-3]}
{"card":"null","flag":null,"number":null,"narrow":null,"wide":null,"text":null,"raw":null,"at":null,"amount":null,"vector":null}
{"card":"half","number":1,"text":"only these"}
"#;

fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    write(&path, text);
    path.to_str().expect("UTF-8").to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a user's input; it is no file of a database")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("there is room");
}

fn ok(server: &Server, args: &[&str]) -> String {
    let output = server.run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "larder {args:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Cards with from 0 to thousands of merchants: `c<i>` has 9^i.
fn payments() -> String {
    let mut lines = "card,merchant,amount,ts\n".to_owned();
    for card in 0..5_u32 {
        for merchant in 0..9_u32.pow(card) {
            let second = merchant % 60;
            lines.push_str(&format!(
                "c{card},m{merchant},{merchant}.25,2026-01-01T00:00:{second:02}Z\n"
            ));
        }
    }
    lines
}

/// A server with rows and events, its exports and what it answered.
fn place(root: &Path) -> (Server, PathBuf) {
    let definitions = PathBuf::from(file(root, "features.toml", DEFINITIONS));
    let start = Start::on(&root.join("data")).apply(&definitions).exports(&root.join("exports"));
    let server = start.must_start();
    ok(&server, &["put", "profile", &file(root, "profiles.jsonl", PROFILES)]);
    ok(&server, &["put", "pairs", &file(root, "pairs.csv", "pair,score\na|1,10\na|-2,20\n")]);
    ok(&server, &["push", "payments", &file(root, "payments.csv", &payments())]);
    let answers = root.join("answers");
    std::fs::create_dir(&answers).expect("there is room");
    for group in ["profile", "pairs", "spend"] {
        let answer = ok(&server, &["scan", group, "--format", "json"]);
        write(&answers.join(format!("{group}.jsonl")), &answer);
    }
    (server, answers)
}

#[test]
fn four_tools_read_every_value_of_an_export() {
    if python::python().is_none() {
        assert!(!python::run("exported_files.py", &[]), "it is skipped");
        return;
    }
    let root = tempfile::tempdir().expect("a temporary directory");
    let (server, answers) = place(root.path());
    for format in ["arrow", "parquet"] {
        ok(&server, &["export", "--name", format, "--format", format]);
        let export = root.path().join("exports").join(format);
        let paths = [&export, &answers].map(|path| path.to_str().expect("UTF-8"));
        assert!(python::run("exported_files.py", &[paths[0], format, paths[1]]));
    }
}

#[test]
fn exported_sketches_open_in_datasketches_and_merge() {
    if python::python().is_none() {
        assert!(!python::run("exported_sketches.py", &[]), "it is skipped");
        return;
    }
    let root = tempfile::tempdir().expect("a temporary directory");
    let (server, _) = place(root.path());
    ok(&server, &["export", "--name", "partials", "--partials", "--group", "spend"]);
    let file = root.path().join("exports/partials/spend/part-00000.arrow");
    let file = file.to_str().expect("UTF-8");
    // What is counted one by one; 9^4 merchants, of which the others have some.
    assert!(python::run("exported_sketches.py", &[file, "merchants_1d", "512", "6561"]));
}
