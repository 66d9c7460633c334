//! A load that does not go as planned: somebody interrupts it, the server stands still, what an earlier load left is something else. It
//! leaves no process behind, waits no longer than it was told, and says what to change.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use crate::harness::{Server, binary};

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{name} can be sent");
}

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(["bench", "--entities", "100", "--features", "4", "--connections", "3"]);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the larder binary starts")
}

/// SIGTERM ends it in order, a second one at once; SIGKILL cannot be heard, and the kernel ends what was started.
#[test]
fn servers_that_it_started_end_with_it_however_it_ends() {
    for signals in [&["-TERM"][..], &["-TERM", "-TERM"], &["-KILL"]] {
        let mut bench = start(&["--duration", "1h", "--against", "echo"]);
        let mut said = BufReader::new(bench.stderr.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("text");
        let part = |start: &str| line.split_once(start).expect(start).1.trim();
        let addr = part("started a server for this: ").split(',').next().expect("an address");
        let directory = Path::new(part("data in "));
        TcpStream::connect(addr).expect("it is there");
        for name in signals {
            signal(bench.id(), name);
        }
        let status = bench.wait().expect("it ends");
        assert!(!status.success(), "{signals:?}: {status}");
        while TcpStream::connect(addr).is_ok() {
            std::thread::yield_now();
        }
        if signals == ["-TERM"] {
            assert!(!directory.exists(), "{} is left", directory.display());
        } else {
            // Nobody was there to take it away.
            let _perhaps_gone = std::fs::remove_dir_all(directory);
        }
    }
}

/// How many reads the server has answered.
fn reads(admin: &str) -> f64 {
    let mut stream = TcpStream::connect(admin).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let start = "larder_requests_total{operation=\"read\",status=\"ok\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    line.map_or(0.0, |count| count.parse().expect("a number"))
}

#[test]
fn a_server_that_ends_before_the_load_makes_it_fail() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path(), &["--sync", "memory"]);
    let mut bench = start(&["--addr", &server.addr, "--warm-up", "0", "--duration", "2s"]);
    while reads(&server.admin) < 100.0 {
        assert!(bench.try_wait().expect("it is ours").is_none(), "it ended early");
    }
    server.kill();
    let ended = bench.wait_with_output().expect("it ends");
    let note = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{note}");
    assert!(note.contains("the server's process ended before the load did"), "{note}");
    assert!(note.contains(" requests failed: rate and latencies are of the others"), "{note}");
}

#[test]
fn a_request_that_is_not_answered_fails_after_the_timeout_and_not_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path(), &["--sync", "memory"]);
    let times = ["--timeout", "100ms", "--warm-up", "1ms", "--duration", "10s", "--json", "-"];
    let mut bench = start(&[&["--addr", &server.addr][..], &times].concat());
    while reads(&server.admin) == 0.0 {
        assert!(bench.try_wait().expect("it is ours").is_none(), "it ended early");
    }
    signal(server.id(), "-STOP");
    let ended = bench.wait_with_output().expect("it ends");
    signal(server.id(), "-CONT");
    let out = String::from_utf8_lossy(&ended.stdout);
    let report: Json = serde_json::from_str(&out).expect("JSON");
    let failures = find(&report, "failures").expect("they are listed");
    let timeouts = failures["timeout"].as_u64().unwrap_or(0);
    // Three callers for most of ten seconds. With the client's own ten seconds each would have had one.
    assert!(timeouts > 3, "{failures}");
}

/// The first field of this name, wherever it is.
fn find<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    match value {
        Json::Object(fields) => {
            fields.get(name).or_else(|| fields.values().find_map(|value| find(value, name)))
        }
        Json::Array(items) => items.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

#[test]
fn what_an_earlier_load_left_is_taken_when_it_fits_and_else_both_widths_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path(), &["--sync", "memory"]);
    let port = server.addr.rsplit(':').next().expect("a port");
    // A name is as good as an address, wherever else it leads.
    let addr = format!("localhost:{port}");
    let load =
        ["bench", "--entities", "100", "--duration", "50ms", "--warm-up", "1ms", "--addr", &addr];
    let with = |more: &[&'static str]| [&load[..], more].concat();
    let told = server.fails(1, &with(&["--no-fill", "--features", "4"]));
    assert!(told.contains("run once without it"), "{told}");
    assert!(!server.ok(&["describe"]).contains("bench_"), "nothing was defined");
    server.ok(&with(&["--features", "4"]));
    let out = server.ok(&with(&["--features", "4", "--no-fill"]));
    assert!(out.contains("answered") && !out.contains("failed"), "{out}");
    for more in [
        &["--features", "5", "--no-fill"][..],
        &["--features", "3", "--no-fill"],
        &["--features", "3"],
    ] {
        let told = server.fails(1, &with(more));
        let asked = format!("--features is {}", more[1]);
        for part in ["bench_rows", "have 4 features", &asked, "give --features 4"] {
            assert!(told.contains(part), "no {part}: {told}");
        }
    }
}
