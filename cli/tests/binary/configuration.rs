//! One option, three places to set it: the command line goes before the environment, that before the file; and a server that is told
//! to stop twice.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

use crate::harness::{Server, larder, repository, write_file};

/// `larder config check` with these variables.
fn check(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(["config", "check"])
        .args(args)
        .envs(variables.iter().copied())
        .output()
        .expect("the larder binary starts")
}

fn option(output: &Output, name: &str) -> (Json, String) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    let found = lines.into_iter().find(|line| line["option"] == name).expect(name);
    (found["value"].clone(), found["from"].as_str().expect("a text").to_owned())
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("larder.toml");
    write_file(&file, "threads = 1\nsync = \"os\"\n");
    let path = file.to_str().expect("UTF-8");
    let variable = [("LARDER_SERVE_THREADS", "2")];
    let all = check(&[path, "--format", "json", "--", "--threads", "3"], &variable);
    assert_eq!(option(&all, "threads"), ("3".into(), "command line".to_owned()));
    let two = check(&[path, "--format", "json"], &variable);
    assert_eq!(option(&two, "threads"), ("2".into(), "LARDER_SERVE_THREADS".to_owned()));
    let one = check(&[path, "--format", "json"], &[]);
    assert_eq!(option(&one, "threads"), ("1".into(), format!("{path}:1")));
    assert_eq!(option(&one, "sync"), ("os".into(), format!("{path}:2")));
    assert_eq!(option(&one, "checkpoint_every"), ("5m".into(), "default".to_owned()));
    assert_eq!(option(&one, "max_memory"), (Json::Null, "not set".to_owned()));
    let named = check(&["--format", "json"], &[("LARDER_SERVE_CONFIG", path)]);
    assert_eq!(option(&named, "threads"), ("1".into(), format!("{path}:1")));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_by_check_and_by_serve() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("larder.toml");
    write_file(&file, "thread = 1\ndrain = \"5 bananas\"\n\n[data]\n");
    let path = file.to_str().expect("UTF-8");
    let serve = larder("127.0.0.1:9", &["serve", "--config", path]);
    for (output, code) in [(check(&[path], &[]), 1), (serve, 2)] {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        for part in [
            format!("{path}:1: thread: "),
            "did you mean threads?".to_owned(),
            format!("{path}:2: drain: "),
            "5 bananas".to_owned(),
            format!("{path}:4: data: "),
        ] {
            assert!(said.contains(&part), "{part:?} is missing in {said}");
        }
    }
}

#[test]
fn a_server_takes_its_file() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("larder.toml");
    let audit = place.path().join("audit");
    write_file(
        &file,
        &format!("audit = {:?}\ndata = \"elsewhere\"\n", audit.to_str().expect("UTF-8")),
    );
    let path = file.to_str().expect("UTF-8");
    // The harness gives --data: it goes before the file's.
    let server = Server::start(&place.path().join("data"), &["--config", path]);
    assert!(audit.join("audit-00000000000000000001.jsonl").exists());
    assert!(place.path().join("data").exists() && !Path::new("elsewhere").exists());
    drop(server);
}

#[test]
fn the_example_says_what_holds_by_itself() {
    let path = repository("deploy/larder.toml");
    let output = check(&[path.to_str().expect("UTF-8"), "--format", "json"], &[]);
    let (_, from) = option(&output, "data");
    assert!(from.contains("deploy/larder.toml:"), "{from}");
    // Each option of the server is in it, set or as a comment that says what it is.
    let text = std::fs::read_to_string(&path).expect("it is there");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in shown.lines() {
        let option: Json = serde_json::from_str(line).expect("JSON");
        let name = option["option"].as_str().expect("a text");
        let is_there = text.lines().any(|line| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
        });
        assert!(is_there || name == "config", "deploy/larder.toml says nothing of {name}");
    }
}

fn terminate(server: &Server) {
    let sent = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIGTERM can be sent");
}

/// A peer that has begun a request and never ends it holds up the end as long as the drain time, which here is an hour.
#[test]
fn a_second_signal_ends_at_once_what_drains() {
    use std::io::Write as _;
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), &["--drain", "1h", "--checkpoint-at-stop", "never"]);
    let mut peer = std::net::TcpStream::connect(&server.admin).expect("it listens");
    peer.write_all(b"GET /health HTTP/1.1\r\n").expect("it is taken");
    terminate(&server);
    // The first signal is taken when nobody is let in any more.
    while std::net::TcpStream::connect(&server.addr).is_ok() {
        std::thread::yield_now();
    }
    terminate(&server);
    assert_eq!(server.wait().code(), Some(1), "it did not wait for its peer");
}

/// The same peer, and a drain time that ends.
#[test]
fn the_drain_time_ends_the_wait_for_a_peer() {
    use std::io::Write as _;
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), &["--drain", "300ms"]);
    let mut peer = std::net::TcpStream::connect(&server.admin).expect("it listens");
    peer.write_all(b"GET /health HTTP/1.1\r\n").expect("it is taken");
    terminate(&server);
    assert!(server.wait().success(), "SIGTERM ends it well");
}
