//! A server with a memory limit, and clients that push new entities as fast as they can, for ever: it refuses them in
//! time, its memory stays where it was told, and whoever reads is answered. Then room is made, and pushes are taken
//! again.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Server, write_file};
use serde_json::Value as Json;

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "at"
event_id = "payment"
dedup = "1h"
[stream.payments.fields]
payment = "string"
card = "string"
shop = "string"
amount = "decimal(2)"
at = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "7d"]
[group.spend.features]
payments = "count(*)"
spend = "sum(amount)"
shops = "approx_distinct(shop)"
[group.shops]
entity = "card"
stream = "payments"
key = "shop"
windows = ["1h"]
[group.shops.features]
payments = "count(*)"
"#;

const LIMIT: u64 = 64 << 20;
/// What a process takes beside its database: see docs/memory.md.
const BESIDE: u64 = 64 << 20;
/// Clients that push at the same time.
const CLIENTS: u64 = 2;

/// How long clients push: a few seconds, or as many as `LARDER_MEMORY_SECONDS` says.
fn pushing() -> Duration {
    let seconds = std::env::var("LARDER_MEMORY_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(4))
}

/// Anonymous resident memory of a process, in bytes.
fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a figure");
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kib << 10
}

/// Pushes cards and shops nobody has seen until refused; true when refused for want of memory.
fn push_new(addr: &str, client: u64, round: u64) -> bool {
    let mut push = Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(["push", "payments", "-", "--input-format", "jsonl", "--format", "json"])
        .env("LARDER_ADDR", addr)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the push starts");
    let mut input = std::io::BufWriter::new(push.stdin.take().expect("stdin is piped"));
    let at = now_ms();
    for number in 0..100_000_u64 {
        let event = format!(
            "{{\"payment\":\"p-{client}-{round}-{number}\",\"card\":\"card-{client}-{round}-{number}\",\
             \"shop\":\"shop-{client}-{round}-{}\",\"amount\":\"12.50\",\"at\":{at}}}\n",
            number / 3,
        );
        // The push ends when it is refused: nobody reads any more.
        if input.write_all(event.as_bytes()).is_err() {
            break;
        }
    }
    drop(input);
    let output = push.wait_with_output().expect("the push ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || told.contains("MEMORY_FULL"), "{told}");
    !output.status.success()
}

#[expect(clippy::disallowed_methods, reason = "events of now, as users push them")]
fn now_ms() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis()
}

/// A figure of `larder stats`.
fn stat(server: &Server, name: &str) -> Json {
    let stats = server.ok(&["stats", "--format", "json"]);
    let figures = stats.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let found = figures.into_iter().find_map(|figure| match figure.get("name") {
        Some(known) => (known == name).then(|| figure["value"].clone()),
        None => figure.get(name).cloned(),
    });
    found.unwrap_or_else(|| panic!("no {name} in {stats}"))
}

fn start(directory: &Path) -> Server {
    let definitions = directory.join("features.toml");
    write_file(&definitions, DEFINITIONS);
    let apply = definitions.to_str().expect("UTF-8");
    let limit = (LIMIT >> 20).to_string() + "MiB";
    let arguments = ["--apply", apply, "--sync", "interval", "--max-memory", &limit];
    Server::start(&directory.join("data"), &arguments)
}

#[test]
fn memory_stays_where_it_was_told_while_clients_push_new_entities() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = start(directory.path());
    let bound = LIMIT + LIMIT / 10 + BESIDE;
    let end = now() + pushing();
    let (refused, mut largest) = (AtomicU64::new(0), 0);
    let push = |client: u64| {
        // However slow the machine is, memory fills.
        for round in (0..).take_while(|_| refused.load(Ordering::Relaxed) == 0 || now() < end) {
            let is_refused = push_new(&server.addr, client, round);
            refused.fetch_add(is_refused.into(), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let push = &push;
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || push(client))).collect();
        while clients.iter().any(|client| !client.is_finished()) {
            largest = largest.max(resident_bytes(server.id()));
            assert!(largest <= bound, "{largest} bytes resident, {bound} allowed");
            server.ok(&["get", "spend:*", "--key", "card-0-0-0"]);
        }
    });
    assert!(largest > LIMIT / 2, "{largest} bytes resident when {LIMIT} are full");
    let health = stat(&server, "memory_health");
    assert!(health.as_str().is_some_and(|health| health.contains("--max-memory")), "{health}");
    assert!(stat(&server, "memory_refused_count").as_u64() > Some(0));
    let told = server.fails(1, &["push", "payments", write_event(directory.path())]);
    assert!(told.contains("MEMORY_FULL") && told.contains("--max-memory"), "{told}");
    server.ok(&["delete", "spend", "--key", "card-0-0-0"]);
}

fn write_event(directory: &Path) -> &'static str {
    let path = directory.join("one.jsonl");
    let event = format!(
        "{{\"payment\":\"one\",\"card\":\"one\",\"shop\":\"one\",\"amount\":\"1\",\"at\":{}}}\n",
        now_ms()
    );
    write_file(&path, &event);
    Box::leak(path.to_str().expect("UTF-8").to_owned().into_boxed_str())
}

#[expect(clippy::disallowed_methods, reason = "a test of a real server takes real time")]
fn now() -> Instant {
    Instant::now()
}
