//! Nothing acknowledged under `always` is lost: a server is killed again and again in the middle of a load, restarted on
//! the same directory and port, and the load goes on. In the end every event was counted exactly once, and of two rows the later in the
//! file is there: batches that were sent again once came after those behind them.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Server, write_file};
use serde_json::Value as Json;
use std::path::Path;

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
[group.profile]
entity = "user"
[group.profile.features]
number = "i64"
"#;

const EVENTS: u64 = 40_000;
const KILLS: u64 = 4;

/// The server after the load of `lines` by `larder ARGS… - --batch 100`, killed a few times meanwhile; and what the load printed.
fn killed(data: &Path, args: &[&str], line: impl Fn(u64) -> String) -> (Server, Json) {
    let definitions = data.with_extension("toml");
    write_file(&definitions, DEFINITIONS);
    let apply = definitions.to_str().expect("UTF-8");
    let mut server = Server::start(data, &["--apply", apply]);
    let addr = server.addr.clone();
    let mut load = Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(args)
        .args(["-", "--input-format", "jsonl", "--batch", "100", "--format", "json"])
        .env("LARDER_ADDR", &addr)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the load starts");
    let mut input = load.stdin.take().expect("stdin is piped");
    for number in 0..EVENTS {
        writeln!(input, "{}", line(number)).expect("the load reads on");
        if number % (EVENTS / (KILLS + 1)) == EVENTS / (KILLS + 2) {
            server.kill();
            server = Server::start_at(data, &addr);
        }
    }
    drop(input);
    let output = load.wait_with_output().expect("the load ends");
    assert!(output.status.success(), "the load survives {KILLS} kills");
    (server, serde_json::from_slice(&output.stdout).expect("counts"))
}

/// What `scan` tells of the feature of each entity.
fn scanned(server: &Server, group: &str, feature: &str) -> Vec<u64> {
    let scanned = server.ok(&["scan", group, "--format", "json"]);
    let value = |line: &str| {
        let entity: Json = serde_json::from_str(line).expect("JSON");
        entity["values"][feature].as_u64().expect("a number")
    };
    scanned.lines().map(value).collect()
}

/// The stream declares no event id: only the producer's sequence keeps a repeated request from counting twice.
#[test]
fn every_event_is_counted_once_across_kills() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (server, counts) = killed(&directory.path().join("data"), &["push", "clicks"], |number| {
        let at = 1_767_225_600_000 + number;
        format!("{{\"user\":\"u{}\",\"at\":{at}}}", number % 10)
    });
    assert_eq!(counts["accepted"].as_u64(), Some(EVENTS), "{counts}");
    let total: u64 = scanned(&server, "clicking", "clicks_30d").iter().sum();
    assert_eq!(total, EVENTS, "events counted after {KILLS} kills");
}

/// Each user is in two batches, one behind the other, without an event time: what was put later counts.
#[test]
fn of_two_rows_the_later_in_the_file_is_there_across_kills() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (server, counts) = killed(&directory.path().join("data"), &["put", "profile"], |number| {
        let (pair, place) = (number / 200, number % 100);
        format!("{{\"user\":\"u{pair}-{place}\",\"number\":{number}}}")
    });
    assert_eq!(counts["applied"].as_u64(), Some(EVENTS), "{counts}");
    let numbers = scanned(&server, "profile", "number");
    assert_eq!(numbers.len() as u64, EVENTS / 2);
    let older = numbers.iter().filter(|number| *number % 200 < 100).count();
    assert_eq!(older, 0, "users have the row of the first of their two batches");
}
