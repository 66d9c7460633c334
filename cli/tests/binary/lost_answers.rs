//! A load whose server goes away for good in the middle of a batch: it ends in time, and says which batches nobody knows the
//! outcome of. With a producer's name the same load is run again, and every event is there once.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

use crate::harness::{Server, larder, write_file};
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

const EVENTS: u64 = 1_000;
/// What a client sends to prepare is shorter, a batch of events is longer.
const PREPARING_BYTES: usize = 2_000;

/// Stands between a client and the server: hands everything on both ways until a batch comes. That is handed on, too, but its
/// answer is not; from then on nobody answers at all. Its address.
fn cutting_proxy(server: &str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound").to_string();
    let server = server.to_owned();
    let proxy = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
        let (mut client, _) = listener.accept().expect("the load connects");
        let mut upstream = TcpStream::connect(server).expect("the server listens");
        let mut buffer = vec![0; 1 << 16];
        let mut sent = 0;
        while sent < PREPARING_BYTES {
            let bytes = client.read(&mut buffer).expect("readable");
            assert!(bytes > 0, "the load left before its first batch");
            sent += bytes;
            upstream.write_all(&buffer[..bytes]).expect("writable");
            if sent < PREPARING_BYTES {
                let bytes = upstream.read(&mut buffer).expect("readable");
                assert!(bytes > 0, "the server left");
                client.write_all(&buffer[..bytes]).expect("writable");
            }
        }
        // The batch may be in the server now, or not: exactly what the load must say.
        drop(listener);
        let _ = client.shutdown(Shutdown::Both);
    });
    (addr, proxy.expect("a thread"))
}

fn clicks(server: &Server) -> u64 {
    let scanned = server.ok(&["scan", "clicking", "--format", "json"]);
    let count = |line: &str| {
        let entity: Json = serde_json::from_str(line).expect("JSON");
        entity["values"]["clicks_30d"].as_u64().expect("a count")
    };
    scanned.lines().map(count).sum()
}

/// "Up to a minute" took 107 s, and the last line was that of the last attempt: connection refused.
#[test]
fn what_nobody_knows_is_told_and_a_load_with_a_name_is_run_again() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| place.path().join(name).to_str().expect("UTF-8").to_owned();
    write_file(&place.path().join("features.toml"), DEFINITIONS);
    let event = |number: u64| {
        format!("{{\"user\":\"u{}\",\"at\":{}}}\n", number % 7, 1_767_225_600_000 + number)
    };
    write_file(&place.path().join("clicks.jsonl"), &(0..EVENTS).map(event).collect::<String>());
    let server = Server::start(&place.path().join("data"), &["--apply", &path("features.toml")]);
    let file = path("clicks.jsonl");
    let load = ["push", "clicks", &file, "--retry-for", "2s"];
    let named = [&load[..], &["--producer", "tuesday"]].concat();

    for (args, advice) in [(&load[..], "second run would apply again"), (&named, "same --producer")]
    {
        let (addr, proxy) = cutting_proxy(&server.addr);
        let output = larder(&addr, args);
        proxy.join().expect("it cut");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in
            ["trying again for up to 2 s", "outcome unknown", "batch 1 (lines 1 to 500)", advice]
        {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }
    let before = clicks(&server);
    server.ok(&named);
    let after = clicks(&server);
    assert!(after - before <= EVENTS, "{before} and {after}");
    server.ok(&named);
    assert_eq!(clicks(&server), after, "what was applied is not applied again");
}

#[test]
fn a_time_for_retries_that_is_none_is_refused_with_those_that_are() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("clicks.jsonl");
    write_file(&file, "{\"user\":\"u\",\"at\":1767225600000}\n");
    let output = larder(
        "127.0.0.1:9",
        &["push", "clicks", file.to_str().expect("UTF-8"), "--retry-for", "soon"],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("10s, 1m"), "{said}");
}
