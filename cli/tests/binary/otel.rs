//! An operator sends spans to a collector: one read, and the collector has its span, with the request id that the server's own list of
//! slow requests shows. Compiled with the feature `otel` alone: `cargo xtask long otel`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

use crate::harness::{Server, write_file};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.profile]
entity = "card"
[group.profile.features]
country = "string"
[service.fraud]
features = ["profile:country"]
"#;

/// A collector that takes everything: what was posted, with its first line and headers.
fn collector(status: &'static str) -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it has one").to_string();
    let (posted, receiver) = sync_channel(64);
    let serves = move || {
        for stream in listener.incoming().flatten() {
            // Nobody waits for more once the test is over.
            if posted.send(take(stream, status)).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("collector".to_owned()).spawn(serves);
    thread.expect("a thread");
    (addr, receiver)
}

fn take(mut stream: TcpStream, status: &str) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        reader.read_line(&mut head).expect("text");
        let line = head[start..].trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("all of it comes");
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("it listens");
    (head, body)
}

/// A field of a protobuf message.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            return value;
        }
    }
}

/// The fields of a message, by number: <https://protobuf.dev/programming-guides/encoding/>.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    let fixed = |bytes: &mut &[u8]| {
        let (number, rest) = bytes.split_first_chunk().expect("eight bytes");
        *bytes = rest;
        Field::Number(u64::from_le_bytes(*number))
    };
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => fixed(&mut bytes),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("short");
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value.to_vec())
            }
            5 => {
                bytes = &bytes[4..];
                Field::Number(0)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

/// The messages in field `number`.
fn messages(bytes: &[u8], number: u64) -> Vec<Vec<u8>> {
    let of_it = fields(bytes).into_iter().filter(|(found, _)| *found == number);
    of_it
        .map(|(_, field)| match field {
            Field::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no message"),
        })
        .collect()
}

/// Names and values of `KeyValue` messages; those that are no text as they are written.
fn attributes(bytes: &[u8], number: u64) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    messages(bytes, number)
        .into_iter()
        .map(|pair| {
            let name = text(messages(&pair, 1).remove(0));
            let value = fields(&messages(&pair, 2).remove(0)).remove(0);
            let value = match value {
                (1, Field::Bytes(value)) => text(value),
                (4, Field::Number(bits)) => f64::from_bits(bits).to_string(),
                (_, Field::Number(number)) => number.to_string(),
                other => panic!("{other:?}"),
            };
            (name, value)
        })
        .collect()
}

#[test]
fn a_read_is_a_span_at_the_collector_with_the_request_id_that_the_server_shows() {
    let place = tempfile::tempdir().expect("a directory");
    let definitions = place.path().join("f.toml");
    write_file(&definitions, DEFINITIONS);
    let (addr, posted) = collector("200 OK");
    let (data, url) = (place.path().join("data"), format!("http://{addr}/in"));
    let more = ["--otel-endpoint", &url, "--otel-sample", "1", "--slow", "1us", "--apply"];
    let definitions = definitions.to_str().expect("UTF-8");
    let server = Server::start(&data, &[&more[..], &[definitions]].concat());
    server.ok(&["get", "fraud", "--key", "c1"]);
    // Each batch has a second's spans: the read is in one of them.
    let (resource, span) = loop {
        let (head, body) = posted.recv().expect("the collector goes on");
        assert!(head.starts_with("POST /in/v1/traces HTTP/1.0\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        let found = messages(&body, 1).into_iter().find_map(|of_resource| {
            let resource = attributes(&messages(&of_resource, 1).remove(0), 1);
            let scopes = messages(&of_resource, 2).into_iter();
            let mut spans = scopes.flat_map(|scope| messages(&scope, 2));
            let span = spans.find(|span| messages(span, 5) == [b"read service:fraud".to_vec()])?;
            Some((resource, span))
        });
        if let Some(found) = found {
            break found;
        }
    };
    assert_eq!(resource["service.name"], "larder");
    let sizes = [messages(&span, 1)[0].len(), messages(&span, 2)[0].len()];
    assert_eq!(sizes, [16, 8], "a trace and a span");
    let said = attributes(&span, 9);
    for (name, value) in [
        ("db.operation.name", "read"),
        ("db.response.status_code", "OK"),
        ("larder.service", "fraud"),
    ] {
        assert_eq!(said[name], value, "{said:#?}");
    }
    // The server's own list of slow requests has the same, and everything is slow to it.
    let mut stream = TcpStream::connect(&server.admin).expect("it listens");
    stream.write_all(b"GET /debug/slow HTTP/1.0\r\n\r\n").expect("it reads");
    let mut slow = String::new();
    stream.read_to_string(&mut slow).expect("it answers");
    let (_, slow) = slow.split_once("\r\n\r\n").expect("a head and a body");
    let slow: serde_json::Value = serde_json::from_str(slow).expect("JSON");
    let read =
        slow["last"].as_array().expect("a list").iter().find(|one| one["operation"] == "read");
    let read = read.expect("it was slow");
    assert_eq!(said["larder.request_id"], read["request_id"].to_string());
    for (ours, theirs) in [
        ("larder.waited_for_thread_ms", "waited_for_thread_ms"),
        ("larder.handler_ms", "handler_ms"),
        ("larder.waited_after_ms", "waited_after_ms"),
    ] {
        let value: f64 = said[ours].parse().expect("a number");
        assert_eq!(Some(value), read[theirs].as_f64(), "{ours}");
    }
    let time = |number| match fields(&span).into_iter().find(|(found, _)| *found == number) {
        Some((_, Field::Number(time))) => time,
        other => panic!("{other:?} is no time"),
    };
    let took_ms = read["took_ms"].as_f64().expect("a number");
    let span_ms = (time(8) - time(7)) as f64 / 1e6;
    assert!((span_ms - took_ms).abs() < 1e-3, "{span_ms} ms, the server says {took_ms}");
}

#[test]
fn a_collector_that_takes_nothing_costs_spans_and_no_requests() {
    let place = tempfile::tempdir().expect("a directory");
    let (addr, posted) = collector("503 Service Unavailable");
    let url = format!("http://{addr}");
    let more = ["--otel-endpoint", &url, "--otel-sample", "1"];
    let server = Server::start(place.path(), &more);
    server.ok(&["describe"]);
    posted.recv().expect("it was asked");
    // Counted when the answer has come: the server is asked until then.
    let failed = (0..10_000).find_map(|_| {
        let mut stream = TcpStream::connect(&server.admin).expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let line =
            text.lines().find(|line| line.starts_with("larder_spans_total{outcome=\"failed\"}"));
        let count: f64 = line?.rsplit(' ').next()?.parse().ok()?;
        (count > 0.0).then_some(count)
    });
    assert!(failed.is_some(), "what was refused is counted");
    server.ok(&["describe"]);
    let told = server.fails(2, &["serve", "--otel-endpoint", "127.0.0.1:4318"]);
    assert!(told.contains("http://HOST:4318"), "{told}");
}
