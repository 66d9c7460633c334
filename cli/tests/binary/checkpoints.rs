//! Checkpoints and backups from outside: asked for, by themselves, at the end; then the server is killed, and what it has when it
//! starts again must be what it had.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{Server, larder, write_file};
use serde_json::Value as Json;

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.profile]
entity = "user"
[group.profile.features]
note = "string"
[stream.clicks]
event_time = "at"
clock = "event"
[stream.clicks.fields]
user = "string"
number = "i64"
at = "timestamp"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["30d"]
[group.clicking.features]
clicks = "count(*)"
newest = "last(number)"
"#;

/// 2026-01-01, in ms.
const START: u64 = 1_767_225_600_000;
/// Users that click in turn.
const USERS: u64 = 50;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> String {
        write_file(&self.path(name), text);
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    fn start(&self, more: &[&str]) -> Server {
        let definitions = self.file("features.toml", DEFINITIONS);
        let mut args = vec!["--apply", &definitions];
        args.extend(more);
        Server::start(&self.path("data"), &args)
    }

    /// Puts `count` rows of `bytes` each, about, over ten users.
    fn put(&self, server: &Server, count: u64, bytes: usize) {
        let note = "x".repeat(bytes);
        let mut rows = String::new();
        for number in 0..count {
            let (user, at) = (number % 10, START + number);
            rows.push_str(&format!(
                "{{\"user\":\"u{user}\",\"note\":\"{number} {note}\",\"event_time\":{at}}}\n"
            ));
        }
        let file = self.file("rows.jsonl", &rows);
        server.ok(&["put", "profile", &file, "--batch", "50"]);
    }

    /// Pushes clicks number `from` to `to`.
    fn push(&self, server: &Server, from: u64, to: u64) {
        let events: String = (from..to).map(click).collect();
        let file = self.file("clicks.jsonl", &events);
        server.ok(&["push", "clicks", &file]);
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).expect("it is there");
        entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into()).collect()
    }

    fn snapshots(&self) -> usize {
        self.names("data").iter().filter(|name| name.ends_with(".lsnap")).count()
    }
}

fn click(number: u64) -> String {
    let (user, at) = (number % USERS, START + number);
    format!("{{\"user\":\"u{user}\",\"number\":{number},\"at\":{at}}}\n")
}

fn json(text: &str) -> Json {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Everything that a server holds.
fn everything(server: &Server) -> Vec<String> {
    let mut lines = Vec::new();
    for group in ["profile", "clicking"] {
        let scanned = server.ok(&["scan", group, "--format", "json"]);
        lines.extend(scanned.lines().map(|line| format!("{group} {line}")));
    }
    lines.sort_unstable();
    lines
}

fn figure(server: &Server, name: &str) -> Option<u64> {
    let stats = server.ok(&["stats", "--format", "json"]);
    let line = stats.lines().map(json).find(|line| line["name"] == name);
    line.and_then(|line| line["value"].as_u64())
}

fn checkpoint(server: &Server, more: &[&str]) -> Json {
    let mut args = vec!["checkpoint", "--format", "json"];
    args.extend(more);
    json(&server.ok(&args))
}

/// Ends a server gently.
fn terminate(server: Server) {
    let sent = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    assert!(server.wait().success(), "SIGTERM ends it well");
}

#[test]
fn after_a_checkpoint_the_old_log_is_gone_and_a_killed_server_has_everything() {
    let place = Place::new();
    let server = place.start(&["--checkpoint-wal", "off", "--checkpoint-every", "off"]);
    // More than a segment of 64 MiB, so that there is something to remove.
    place.put(&server, 1_500, 48_000);
    place.push(&server, 0, 2_000);
    let before = everything(&server);
    let first = "wal-00000000000000000001.log".to_owned();
    assert!(place.names("data").contains(&first) && place.snapshots() == 0);
    let done = checkpoint(&server, &[]);
    assert_eq!(done["number"].as_u64(), Some(1), "{done}");
    assert_eq!(done["entities"].as_u64(), Some(10 + USERS), "{done}");
    assert!(done["segments_removed"].as_u64() >= Some(1), "{done}");
    assert!(
        done["bytes"].as_u64() > Some(10 * 48_000) && done["lsn"].as_u64() > Some(30),
        "{done}"
    );
    assert!(!place.names("data").contains(&first), "{:?}", place.names("data"));
    assert_eq!(place.snapshots(), 1);
    assert_eq!(everything(&server), before, "a checkpoint changes nothing");

    server.kill();
    let server = place.start(&[]);
    assert_eq!(everything(&server), before);
    place.push(&server, 2_000, 2_100);
    let after = everything(&server);
    assert_ne!(after, before);
    server.kill();
    assert_eq!(everything(&place.start(&[])), after, "snapshot and the log behind it");
}

/// A push that goes on until its input ends.
struct Pushing {
    process: Child,
    next: u64,
}

impl Pushing {
    fn start(server: &Server) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_larder"))
            .args(["push", "clicks", "-", "--input-format", "jsonl", "--batch", "7"])
            .env("LARDER_ADDR", &server.addr)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the push starts");
        Self { process, next: 0 }
    }

    fn send(&mut self, count: u64) {
        let input = self.process.stdin.as_mut().expect("stdin is piped");
        for number in self.next..self.next + count {
            input.write_all(click(number).as_bytes()).expect("the push reads on");
        }
        self.next += count;
    }

    fn end(mut self) -> u64 {
        drop(self.process.stdin.take());
        assert!(self.process.wait().expect("it ends").success());
        self.next
    }
}

/// The clicks that a server holds, which must be all up to one: each user's number of them and their last must fit.
fn clicks_of_a_prefix(server: &Server) -> u64 {
    let scanned = server.ok(&["scan", "clicking", "--format", "json"]);
    let users: Vec<Json> = scanned.lines().map(json).collect();
    let count = |user: &Json| user["values"]["clicks_30d"].as_u64().expect("a count");
    let total: u64 = users.iter().map(count).sum();
    for user in &users {
        let name = user["key"].as_str().or_else(|| user["key"]["user"].as_str()).expect("a key");
        let number: u64 = name.trim_start_matches('u').parse().expect("a number");
        let expected = (number..total).step_by(usize::try_from(USERS).expect("few")).count() as u64;
        assert_eq!(count(user), expected, "{name} of {total} clicks");
        let newest = user["values"]["newest_30d"].as_u64();
        assert_eq!(newest, Some(number + (expected - 1) * USERS), "{name} of {total} clicks");
    }
    total
}

#[test]
fn backups_taken_under_load_open_and_hold_a_consistent_prefix() {
    let place = Place::new();
    let server = place.start(&[]);
    let mut pushing = Pushing::start(&server);
    let mut taken = Vec::new();
    for number in 0..3 {
        pushing.send(5_000);
        let held = clicks_of_a_prefix(&server);
        let copy = format!("copies/{number}");
        let path = place.path(&copy);
        let path = path.to_str().expect("UTF-8");
        // The pipe holds more clicks than fit into one request: the push goes on meanwhile.
        let done = checkpoint(&server, &["--copy", path]);
        assert_eq!(done["copy"].as_str(), Some(path), "{done}");
        taken.push((copy, held));
    }
    let sent = pushing.end();
    assert_eq!(place.names("data/backups"), Vec::<String>::new(), "nothing is left on the server");
    assert_eq!(clicks_of_a_prefix(&server), sent);
    server.kill();
    for (copy, held) in taken {
        let copied = Server::start(&place.path(&copy), &[]);
        let clicks = clicks_of_a_prefix(&copied);
        assert!(
            (held..=sent).contains(&clicks),
            "{held} were there before, {clicks} are in {copy}"
        );
        // A database of its own: it takes writes and starts again.
        place.push(&copied, clicks, clicks + 100);
        copied.kill();
        assert_eq!(clicks_of_a_prefix(&Server::start(&place.path(&copy), &[])), clicks + 100);
    }
}

#[test]
fn a_copy_never_goes_where_something_is() {
    let place = Place::new();
    let server = place.start(&[]);
    place.push(&server, 0, 10);
    std::fs::create_dir(place.path("full")).expect("made");
    place.file("full/notes.txt", "mine");
    for (full, why) in [("full", "not empty"), ("data", "part of the data directory")] {
        let full = place.path(full);
        let full = full.to_str().expect("UTF-8");
        let error = server.fails(1, &["checkpoint", "--copy", full]);
        assert!(error.contains(why) && error.contains(full), "{error}");
    }
    assert_eq!(place.snapshots(), 0, "it is refused before anything is done");
}

/// A copy inside of the data directory was made, and lay among the files of the database.
#[test]
fn a_copy_never_goes_into_the_data_directory() {
    let place = Place::new();
    let server = place.start(&["--checkpoint-every", "off"]);
    place.push(&server, 0, 10);
    std::os::unix::fs::symlink(place.path("data/backups"), place.path("link")).expect("linked");
    let before = place.names("data");
    std::fs::create_dir(place.path("data/backups")).expect("made");
    for inside in ["data/copy", "data/backups/copy", "data/not/yet/there", "link/copy"] {
        let target = place.path(inside);
        let target = target.to_str().expect("UTF-8");
        let error = server.fails(1, &["checkpoint", "--copy", target]);
        let data = place.path("data").canonicalize().expect("there");
        for part in [target, data.to_str().expect("UTF-8"), "outside of it"] {
            assert!(error.contains(part), "{part:?} is missing in: {error}");
        }
    }
    std::fs::remove_dir(place.path("data/backups")).expect("nothing is in it");
    assert_eq!(place.names("data"), before, "it is refused before anything is done");
    let parent = place.path("");
    let error = server.fails(1, &["checkpoint", "--copy", parent.to_str().expect("UTF-8")]);
    assert!(error.contains("not empty"), "{error}");
    assert_eq!((place.names("data"), place.snapshots()), (before, 0));
}

/// It wrote the same snapshot again, however large.
#[test]
fn a_checkpoint_with_nothing_new_is_the_one_there_was() {
    let place = Place::new();
    let mut server = place.start(&["--checkpoint-every", "1s"]);
    place.push(&server, 0, 500);
    // The first or, on a slow machine, one behind that which came by itself.
    let first = checkpoint(&server, &[]);
    let number = first["number"].as_u64().expect("a number");
    let nothing_new = format!("nothing new since checkpoint {number}");
    for round in 0..2 {
        let output = server.run(&["checkpoint", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(&nothing_new), "{said}");
        let again = json(&String::from_utf8_lossy(&output.stdout));
        for name in ["number", "lsn", "entities", "bytes"] {
            assert_eq!(again[name], first[name], "{name} in round {round}: {again}");
        }
        assert_eq!(again["ms"].as_u64(), Some(0), "{again}");
        // A start knows it, too.
        server.kill();
        server = place.start(&["--checkpoint-every", "off"]);
    }
    let copy = place.path("copy");
    let done = checkpoint(&server, &["--copy", copy.to_str().expect("UTF-8")]);
    assert_eq!(done["number"], first["number"], "{done}");
    assert_eq!(figure(&server, "checkpoints_count"), Some(0));
    let before = everything(&server);
    assert_eq!(everything(&Server::start(&copy, &[])), before, "a copy is made all the same");
    place.push(&server, 500, 501);
    assert_eq!(checkpoint(&server, &[])["number"].as_u64(), Some(number + 1));
}

#[test]
fn a_checkpoint_comes_by_itself_when_the_log_has_grown() {
    let place = Place::new();
    let server = place.start(&["--checkpoint-wal", "1MiB", "--checkpoint-every", "off"]);
    place.push(&server, 0, 100);
    assert_eq!(figure(&server, "checkpoints_count"), Some(0));
    place.put(&server, 100, 30_000);
    // One may come between the two records of 1.5 MB; then the second brings another.
    let came = (0..10_000).any(|_| {
        figure(&server, "checkpoints_count") >= Some(1)
            && figure(&server, "log_bytes_since_checkpoint").is_some_and(|it| it < 1 << 20)
    });
    assert!(came, "3 MB of log, and no checkpoint");
    let before = everything(&server);
    server.kill();
    assert_eq!(everything(&place.start(&[])), before);
}

#[test]
fn checkpoints_asked_for_at_once_come_one_after_the_other_or_are_told_to_wait() {
    let place = Place::new();
    let server = place.start(&["--checkpoint-every", "off"]);
    place.put(&server, 100, 30_000);
    let asked: Vec<Child> = (0..8)
        .map(|_| {
            Command::new(env!("CARGO_BIN_EXE_larder"))
                .args(["checkpoint", "--format", "json"])
                .env("LARDER_ADDR", &server.addr)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the larder binary starts")
        })
        .collect();
    let mut numbers = Vec::new();
    for process in asked {
        let output = process.wait_with_output().expect("it ends");
        if output.status.success() {
            let done = json(&String::from_utf8_lossy(&output.stdout));
            numbers.push(done["number"].as_u64().expect("a number"));
        } else {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.contains("ask again later"), "{error}");
        }
    }
    // Nothing is written meanwhile: those that waited are answered with what the first one made.
    assert!(numbers.iter().all(|number| *number == 1) && numbers.len() >= 2, "{numbers:?}");
    assert_eq!((place.snapshots(), figure(&server, "checkpoints_count")), (1, Some(1)));
    let before = everything(&server);
    server.kill();
    assert_eq!(everything(&place.start(&[])), before);
}

#[test]
fn a_server_that_is_stopped_ends_with_a_checkpoint_as_told() {
    let place = Place::new();
    for (number, (when, snapshots)) in (1..).zip([("never", 0), ("auto", 0), ("always", 1)]) {
        let server = place.start(&["--checkpoint-at-stop", when]);
        place.push(&server, (number - 1) * 500, number * 500);
        terminate(server);
        assert_eq!(place.snapshots(), snapshots, "{when}");
    }
    let server = place.start(&[]);
    assert_eq!(clicks_of_a_prefix(&server), 1_500);
    // Enough log for auto, although all of it went to ten users.
    place.put(&server, 400, 48_000);
    let before = everything(&server);
    terminate(server);
    let server = place.start(&[]);
    assert_eq!(everything(&server), before);
    assert!(figure(&server, "log_bytes_since_checkpoint") < Some(1 << 20), "nothing was replayed");
}

/// Whether the backup was done first or given up: there is all of it or nothing, and the server has ended well.
#[test]
fn a_server_that_is_stopped_during_a_backup_leaves_a_whole_one_or_none() {
    let place = Place::new();
    let server = place.start(&[]);
    place.put(&server, 400, 48_000);
    let copy = place.path("copy");
    let mut backup = Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(["checkpoint", "--addr", &server.addr, "--copy"])
        .arg(&copy)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary");
    // Something of it is there; or it is over already.
    while !copy.exists() && backup.try_wait().expect("a child").is_none() {
        std::thread::yield_now();
    }
    terminate(server);
    let is_done = backup.wait().expect("a child").success();
    assert_eq!(is_done, copy.exists(), "{:?}", place.names(""));
    if is_done {
        let checked = larder("127.0.0.1:9", &["check", copy.to_str().expect("UTF-8")]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn limits_that_are_none_are_refused_with_what_is_one() {
    for (flag, value, parts) in [
        ("--checkpoint-every", "soon", ["`soon` is no time", "5m"]),
        ("--checkpoint-every", "1ms", ["too short", "1s at least"]),
        ("--checkpoint-wal", "lots", ["`lots` is no size", "off"]),
        ("--checkpoint-wal", "1KiB", ["too little", "1MiB or more"]),
        ("--checkpoint-at-stop", "perhaps", ["perhaps", "always"]),
    ] {
        let output = larder("127.0.0.1:1", &["serve", flag, value]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing in: {error}");
        }
    }
    assert!(!Path::new("larder-data").exists(), "nothing was started");
}
