//! Nothing acknowledged under `always` is lost: a server is killed again and again in the middle of a push, restarted on
//! the same directory and port, and the push goes on. In the end every event was counted exactly once.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Server, write_file};
use serde_json::Value as Json;

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[stream.clicks]
event_time = "at"
clock = "event"
[stream.clicks.fields]
user = "string"
at = "timestamp"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["30d"]
[group.clicking.features]
clicks = "count(*)"
"#;

const EVENTS: u64 = 40_000;
const KILLS: u64 = 4;

#[test]
fn every_event_is_counted_once_across_kills() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let definitions = directory.path().join("features.toml");
    write_file(&definitions, DEFINITIONS);
    let apply = definitions.to_str().expect("UTF-8");
    let mut server = Server::start(&data, &["--apply", apply]);
    let addr = server.addr.clone();
    // The stream declares no event id: only the producer's sequence keeps a repeated request from counting twice.
    let mut push = Command::new(env!("CARGO_BIN_EXE_larder"))
        .args([
            "push",
            "clicks",
            "-",
            "--input-format",
            "jsonl",
            "--batch",
            "100",
            "--format",
            "json",
        ])
        .env("LARDER_ADDR", &addr)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the push starts");
    let mut input = push.stdin.take().expect("stdin is piped");
    for number in 0..EVENTS {
        writeln!(
            input,
            "{{\"user\":\"u{}\",\"at\":{}}}",
            number % 10,
            1_767_225_600_000_i64 + number as i64
        )
        .expect("the push reads on");
        if number % (EVENTS / (KILLS + 1)) == EVENTS / (KILLS + 2) {
            server.kill();
            server = Server::start_at(&data, &addr);
        }
    }
    drop(input);
    let output = push.wait_with_output().expect("the push ends");
    assert!(output.status.success(), "the push survives {KILLS} kills");
    let counts: Json = serde_json::from_slice(&output.stdout).expect("counts");
    assert_eq!(counts["accepted"].as_u64(), Some(EVENTS), "{counts}");
    let scanned = server.ok(&["scan", "clicking", "--format", "json"]);
    let total: u64 = scanned
        .lines()
        .map(|line| {
            let entity: Json = serde_json::from_str(line).expect("JSON");
            entity["values"]["clicks_30d"].as_u64().expect("a count")
        })
        .sum();
    assert_eq!(total, EVENTS, "events counted after {KILLS} kills");
}
