//! A server is pushed to by several processes while models read, is given other definitions, is killed and started again; then every
//! vector that it served is computed again from its history, and no value differs.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};
use stdx::clock::{Clock, SystemClock};
use stdx::prng::{Prng, seed_from_os};

use crate::harness::{Server, larder, write_file};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.profile]
entity = "user"
max_age = "1d"
history = true
features = { country = "string", limit = "f64" }
[stream.orders]
event_time = "at"
event_id = "order"
dedup = "1h"
retract = true
horizon = "2m"
history = true
[stream.orders.fields]
order = "string"
user = "string"
price = "decimal(2)"
at = "timestamp"
[stream.clicks]
event_time = "at"
clock = "event"
history = true
fields = { user = "string", page = "string", at = "timestamp" }
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["10s", "10m", "all"]
[group.buying.features]
orders = "count(*)"
spent = "sum(price)"
mean = "avg(price)"
spread = "stddev(price)"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["1m", "1h"]
[group.clicking.features]
clicks = "count(*)"
pages = "approx_distinct(page)"
last_page = "last(page)"
[service.offer]
features = ["profile:*", "buying:*", "clicking:*"]
log_reads = 1
request = { amount = "f64" }
[service.offer.derived]
ratio = "request.amount / nullif(mean_10m, 0)"
"#;

const LATER: &str = r#"
[group.lately]
entity = "user"
stream = "orders"
key = "user"
windows = ["1m"]
features = { cheapest = "min(price)" }
[service.offer]
features = ["lately:*", "clicking:*", "buying:*", "profile:*"]
log_reads = 1
request = { amount = "f64" }
[service.offer.derived]
ratio = "request.amount - cheapest_1m"
"#;

const USERS: u64 = 200;

/// Pushes `input` to `stream`, as a process of its own that goes on when the server is gone for a while.
fn push(server: &str, stream: &str, input: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_larder"))
        .args([
            "push",
            stream,
            input,
            "--input-format",
            "jsonl",
            "--batch",
            "20",
            "--format",
            "json",
        ])
        .env("LARDER_ADDR", server)
        .stdin(if input == "-" { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .spawn()
        .expect("the push starts")
}

/// Orders of up to 40 s ago, some repeated, some too old for any window but the one over everything.
fn orders(prng: &mut Prng, now: i64) -> String {
    let mut lines = String::new();
    for _ in 0..1500 {
        let at = now - if prng.chance(0.1) { 700_000 } else { prng.between(0, 40_000) };
        let (order, user) = (prng.below(2500), prng.below(USERS));
        let price = format!("{}.{:02}", prng.below(90), prng.below(100));
        let line = json!({ "order": order.to_string(), "user": format!("u{user}"), "price": price, "at": at });
        lines.push_str(&format!("{line}\n"));
    }
    lines
}

/// Reads the vectors of all users, now, as of a while ago, or just before.
fn read(server: &Server, clock: &SystemClock, number: usize) {
    let keys: Vec<_> = (0..USERS).map(|user| format!("u{user}")).collect();
    let mut arguments = vec!["get", "offer", "--request", "amount=12.5", "--format", "json"];
    keys.iter().for_each(|key| arguments.extend(["--key", key.as_str()]));
    let past = (clock.wall_ms() - 15_000).to_string();
    match number % 3 {
        0 => {}
        1 => arguments.push("--exclusive"),
        _ => arguments.extend(["--as-of", &past]),
    }
    // A past before the first click's clock is refused: that is an answer too.
    let _refused = larder(&server.addr, &arguments);
}

/// Whether a file of logged reads is complete.
fn is_logged(data: &Path) -> bool {
    let entries = std::fs::read_dir(data.join("history/reads/offer")).into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.into_iter().any(|name| !name.starts_with('.'))
}

/// Verifies everything in the data directory.
fn verify(data: &Path) {
    let data = data.to_str().expect("UTF-8");
    let verified = larder("127.0.0.1:1", &["verify", "--data", data, "--format", "json"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&verified.stdout), text(&verified.stderr));
    let report: Json = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert!(verified.status.success(), "{err}{report:#}");
    assert_eq!(
        (&report["different"], &report["unverifiable_reads"]),
        (&json!(0), &json!(0)),
        "{report:#}"
    );
    assert!(report["values"].as_u64() >= Some(100_000), "{report:#}");
}

#[test]
fn everything_served_across_a_kill_is_what_history_says() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(seed_from_os);
    eprintln!("LARDER_SEED={seed}");
    let (mut prng, clock) = (Prng::new(seed), SystemClock::new());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        write_file(&path, text);
        path.to_str().expect("UTF-8").to_owned()
    };
    let (definitions, later) = (file("features.toml", DEFINITIONS), file("later.toml", LATER));
    let first = file("first.jsonl", &orders(&mut prng, clock.wall_ms()));
    let second = file("second.jsonl", &orders(&mut prng, clock.wall_ms()));
    let profiles: String = (0..USERS)
        .map(|user| format!("u{user},{},{}\n", if user % 3 == 0 { "CH" } else { "" }, user * 7))
        .collect();
    let profiles = file("profiles.csv", &format!("user,country,limit\n{profiles}"));

    let mut server = Server::start(&data, &["--apply", &definitions]);
    let addr = server.addr.clone();
    let mut pushes = vec![push(&addr, "orders", &first), push(&addr, "orders", &second)];
    let mut clicks = push(&addr, "clicks", "-");
    let mut input = clicks.stdin.take().expect("stdin is piped");
    let mut click = |number: i64| {
        let line = json!({ "user": format!("u{}", number % 150), "page": format!("p{}", number % 7),
                           "at": clock.wall_ms() - number % 900 });
        writeln!(input, "{line}").expect("the push reads on");
    };
    (0..400).for_each(&mut click);
    for number in 0..12 {
        read(&server, &clock, number);
        (0..20).for_each(&mut click);
    }
    server.ok(&["put", "profile", &profiles]);
    server.ok(&["apply", &later]);
    // The first read under other definitions ends the file of those before.
    let mut reads = 12;
    while !is_logged(&data) {
        read(&server, &clock, reads);
        reads += 1;
        assert!(reads < 2000, "no reads are logged");
    }
    server.kill();
    server = Server::start_at(&data, &addr);
    (0..400).for_each(&mut click);
    for number in 0..14 {
        read(&server, &clock, number);
    }
    pushes.push(push(&addr, "orders", &first));
    let _some_are_gone_already = server.run(&["retract", "orders", &second]);
    server.ok(&["delete", "profile", "--key", "u3", "--key", "u4"]);
    server.ok(&["delete", "buying", "--key", "u5"]);
    server.ok(&["delete", "clicking", "--key", "u6"]);
    for number in 0..14 {
        read(&server, &clock, number);
    }
    drop(input);
    pushes.push(clicks);
    pushes.iter_mut().for_each(|push| _ = push.wait().expect("it ends"));
    read(&server, &clock, 0);
    let stopped = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(stopped.is_ok_and(|status| status.success()), "SIGTERM can be sent");
    assert!(server.wait().success(), "SIGTERM ends it well");

    verify(&data);
    let checked =
        larder("127.0.0.1:1", &["check", data.to_str().expect("UTF-8"), "--format", "json"]);
    let checked: Json = serde_json::from_slice(&checked.stdout).expect("a report");
    let reads = &checked["reads"];
    assert!(checked["ok"] == json!(true) && reads["problems"] == json!([]), "{checked:#}");
    assert!(reads["vectors"].as_u64() > Some(1000), "{reads:#}");
}
