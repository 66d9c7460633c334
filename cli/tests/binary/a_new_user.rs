//! A new user's first hour: own definitions, own files, and every mistake one makes on the way. Each error must name the
//! thing and the remedy.

use std::path::{Path, PathBuf};

use crate::harness::{Server, larder, write_file};
use serde_json::Value as Json;

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"

[entity.shop]
key = ["string", "i64"]

[group.profile]
entity = "user"
max_age = "30d"
[group.profile.features]
country = "string"
limit = "f64"
score = "decimal(2)"
taste = "f32[3]"

[stream.orders]
event_time = "at"
event_id = "order"
dedup = "1h"
clock = "event"
[stream.orders.fields]
order = "string"
user = "string"
city = "string"
number = "i64"
price = "decimal(2)"
at = "timestamp"

[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["1h", "7d"]
[group.buying.features]
orders = "count(*)"
spent = "sum(price)"
dear = "count(*) filter (where price > 100)"

[group.selling]
entity = "shop"
stream = "orders"
key = ["city", "number"]
windows = ["1d"]
[group.selling.features]
buyers = "approx_distinct(user)"

[service.offer_v1]
features = ["profile:country", "profile:limit", "buying:*", "selling:buyers_1d"]
[service.offer_v1.request]
basket = "f64"
[service.offer_v1.derived]
share = "request.basket / nullif(limit, 0)"
"#;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        write_file(&path, text);
        path.to_str().expect("a UTF-8 path").to_owned()
    }

    fn server(&self) -> Server {
        let definitions = self.file("features.toml", DEFINITIONS);
        Server::start(&self.data(), &["--apply", &definitions])
    }
}

fn json(text: &str) -> Json {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn rows_and_events_come_back_as_one_vector() {
    let place = Place::new();
    let server = place.server();
    let rows = place.file(
        "rows.jsonl",
        "{\"user\": \"ann\", \"country\": \"CH\", \"limit\": 500, \"taste\": [1, 0.5, 0]}\n{\"user\": \"bob\", \"limit\": null}\n",
    );
    let counts = json(&server.ok(&["put", "profile", &rows, "--format", "json"]));
    assert_eq!(
        (counts["applied"].as_u64(), counts["rejected"].as_u64()),
        (Some(2), Some(0)),
        "{counts}"
    );
    let events = place.file(
        "orders.csv",
        "order,user,city,number,price,at\no1,ann,Bern,1,120.50,2026-01-02T10:00:00Z\no2,ann,Bern,1,9.5,2026-01-02T10:30:00Z\no2,ann,Bern,1,9.5,2026-01-02T10:30:00Z\no3,bob,Bern,1,3,2026-01-01T00:00:00Z\n",
    );
    let counts = json(&server.ok(&["push", "orders", &events, "--format", "json"]));
    assert_eq!(
        (counts["accepted"].as_u64(), counts["duplicate"].as_u64()),
        (Some(3), Some(1)),
        "{counts}"
    );
    let get = [
        "get",
        "offer_v1",
        "--key",
        "user=ann,shop=Bern|1",
        "--request",
        "basket=50",
        "--format",
        "json",
    ];
    let vector = json(&server.ok(&get));
    assert_eq!(vector["key"], serde_json::json!({"user": "ann", "shop": "Bern|1"}));
    for (name, value) in [
        ("country", serde_json::json!("CH")),
        ("limit", serde_json::json!(500.0)),
        ("orders_1h", serde_json::json!(2)),
        ("dear_1h", serde_json::json!(1)),
        ("buyers_1d", serde_json::json!(1)),
        ("share", serde_json::json!(0.1)),
    ] {
        let same = vector["values"][name] == value
            || vector["values"][name].as_f64().zip(value.as_f64()).is_some_and(|(a, b)| a == b);
        assert!(same, "{name}: {vector}");
    }
    has(&vector["values"]["spent_7d"].to_string(), &["130.00"]);
    assert_eq!(vector["status"]["country"], "PRESENT");
    // Request values are for all keys.
    let two = server.ok(&[&get[..], &["--key", "user=bob,shop=Bern|1"]].concat());
    has(&two, &["ann", "bob"]);
    let twice = server.fails(2, &[&get[..], &["--request", "basket=60"]].concat());
    has(&twice, &["basket is given twice"]);
}

#[test]
fn missing_null_and_deleted_values_are_told_apart() {
    let place = Place::new();
    let server = place.server();
    let rows = place.file(
        "rows.jsonl",
        "{\"user\": \"ann\", \"country\": \"CH\"}\n{\"user\": \"bob\", \"limit\": null}\n",
    );
    server.ok(&["put", "profile", &rows]);
    let nobody = json(&server.ok(&[
        "get",
        "profile:country,buying:orders_1h",
        "--key",
        "zoe",
        "--format",
        "json",
    ]));
    assert_eq!(nobody["status"]["country"], "NOT_FOUND", "{nobody}");
    assert_eq!(nobody["values"]["orders_1h"], 0, "{nobody}");
    let bob = json(&server.ok(&["get", "profile:*", "--key", "bob", "--format", "json"]));
    assert_eq!(
        (&bob["status"]["limit"], &bob["status"]["country"]),
        (&"NULL".into(), &"NOT_FOUND".into())
    );
    let scanned = server.ok(&["scan", "profile", "--format", "json"]);
    assert_eq!(scanned.lines().count(), 2, "{scanned}");
    server.ok(&["delete", "profile", "--key", "bob"]);
    let gone = json(&server.ok(&["get", "profile:limit", "--key", "bob", "--format", "json"]));
    assert_eq!(gone["status"]["limit"], "NOT_FOUND");
    has(&server.ok(&["describe", "offer_v1"]), &["offer_v1", "spent_7d", "share"]);
    has(
        &server.ok(&["stats", "--format", "json"]),
        &["events_accepted_count", "group_entities_count.profile"],
    );
}

#[test]
fn wrong_definitions_name_file_line_and_what_is_allowed() {
    let place = Place::new();
    let server = place.server();
    let wrong = place.file("wrong.toml", "[entity.user]\nkey = \"text\"\n");
    let message = server.fails(1, &["apply", &wrong]);
    has(&message, &["wrong.toml:2", "text", "string, i64"]);
    let changed =
        place.file("changed.toml", &DEFINITIONS.replace("limit = \"f64\"", "limit = \"i64\""));
    let message = server.fails(1, &["apply", &changed]);
    has(&message, &["profile", "limit"]);
    let message = server.fails(1, &["apply", "no-such-file.toml"]);
    has(&message, &["no-such-file.toml"]);
    let more = place.file(
        "more.toml",
        &format!("{DEFINITIONS}\n[service.other]\nfeatures = [\"profile:*\"]\n"),
    );
    has(&server.ok(&["apply", &more, "--dry-run"]), &["other"]);
    has(&server.fails(1, &["get", "other", "--key", "ann"]), &["other", "offer_v1"]);
    server.ok(&["apply", &more]);
    server.ok(&["get", "other", "--key", "ann"]);
}

#[test]
fn wrong_files_are_counted_line_by_line_and_kept() {
    let place = Place::new();
    let server = place.server();
    let events = place.file(
        "orders.jsonl",
        concat!(
            "{\"order\":\"a\",\"user\":\"ann\",\"price\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n",
            "{\"order\":\"b\",\"user\":\"ann\",\"price\":\"cheap\",\"at\":\"2026-01-01T00:00:00Z\"}\n",
            "not json\n",
            "{\"order\":\"c\",\"user\":\"ann\",\"price\":1}\n",
            "{\"order\":\"d\",\"user\":\"ann\",\"price\":2,\"at\":\"2026-01-01T00:00:01Z\"}\n",
        ),
    );
    let kept = place.directory.path().join("kept.jsonl");
    let kept_name = kept.to_str().expect("UTF-8");
    let output =
        server.run(&["push", "orders", &events, "--rejected", kept_name, "--format", "json"]);
    let counts = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(
        (counts["accepted"].as_u64(), counts["rejected"].as_u64()),
        (Some(2), Some(3)),
        "{counts}"
    );
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    has(&told, &["line 2", "price", "cheap", "line 3", "line 4", "at"]);
    assert_eq!(output.status.code(), Some(1), "rejected records make the command fail");
    let kept = std::fs::read_to_string(kept).expect("kept");
    assert_eq!(kept.lines().count(), 3, "{kept}");
    has(&kept, &["not json", "cheap"]);
    let no_user = place.file("bad.csv", "order,price\na,1\n");
    has(&server.fails(1, &["push", "orders", &no_user]), &["no column at"]);
    has(&server.fails(1, &["push", "nothing", &events]), &["nothing", "orders"]);
    has(&server.fails(1, &["push", "orders", "/nowhere.jsonl"]), &["/nowhere.jsonl"]);
    has(&server.fails(2, &["push", "orders", "x.xlsx"]), &["x.xlsx", "--input-format"]);
}

#[test]
fn wrong_reads_say_what_is_missing() {
    let place = Place::new();
    let server = place.server();
    has(
        &server.fails(1, &["get", "offer_v2", "--key", "user=ann,shop=Bern|1"]),
        &["offer_v2", "offer_v1"],
    );
    has(&server.fails(2, &["get", "offer_v1", "--key", "user=ann"]), &["shop"]);
    has(&server.fails(2, &["get", "offer_v1", "--key", "user=ann,shop=Bern"]), &["shop", "|"]);
    has(&server.fails(2, &["get", "offer_v1", "--key", "user=ann,shop=Bern|1"]), &["basket"]);
    let wrong = ["get", "offer_v1", "--key", "user=ann,shop=Bern|1", "--request", "basket=much"];
    has(&server.fails(2, &wrong), &["basket", "much"]);
    has(&server.fails(1, &["get", "profile:colour", "--key", "ann"]), &["colour", "country"]);
    has(&server.fails(2, &["get", "profile:*"]), &["--key"]);
    let old = ["get", "buying:*", "--key", "ann", "--as-of", "1999-01-01T00:00:00Z"];
    let event = place.file(
        "one.jsonl",
        "{\"order\":\"a\",\"user\":\"ann\",\"price\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n",
    );
    server.ok(&["push", "orders", &event]);
    has(&server.fails(1, &old), &["as-of", "horizon"]);
    server.ok(&[&old[..], &["--snap"]].concat());
}

#[test]
fn a_second_server_and_a_taken_port_are_refused() {
    let place = Place::new();
    let server = place.server();
    let data = place.data();
    let data = data.to_str().expect("UTF-8");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data];
    has(&server.fails(1, &serve), &[data, "another"]);
    let other = place.directory.path().join("other");
    let other = other.to_str().expect("UTF-8");
    let taken = ["serve", "--listen", &server.addr, "--admin", "127.0.0.1:0", "--data", other];
    has(&server.fails(1, &taken), &[&server.addr, "port"]);
    let nobody = larder("127.0.0.1:1", &["stats"]);
    assert_eq!(nobody.status.code(), Some(1));
    has(&String::from_utf8_lossy(&nobody.stderr), &["127.0.0.1:1", "larder serve"]);
}

#[test]
fn health_is_answered_on_the_admin_port() {
    use std::io::{Read, Write};
    let place = Place::new();
    let server = place.server();
    let mut stream = std::net::TcpStream::connect(&server.admin).expect("the admin port answers");
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    has(&answer, &["200 OK", "\"status\":\"ok\"", "durable_lsn"]);
}

#[test]
fn a_restart_serves_the_same_values() {
    let place = Place::new();
    let server = place.server();
    let rows =
        place.file("rows.csv", "user,event_time,country,score\nann,2026-01-01T00:00:00Z,CH,1.25\n");
    server.ok(&["put", "profile", &rows]);
    let event = place.file(
        "one.jsonl",
        "{\"order\":\"a\",\"user\":\"ann\",\"price\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n",
    );
    server.ok(&["push", "orders", &event]);
    let get = [
        "get",
        "profile:score,buying:*",
        "--key",
        "ann",
        "--format",
        "json",
        "--as-of",
        "2026-01-01T00:00:00Z",
    ];
    let before = server.ok(&get);
    server.kill();
    let server = Server::start(&place.data(), &[]);
    assert_eq!(server.ok(&get), before);
    let again = json(&server.ok(&["push", "orders", &event, "--format", "json"]));
    assert_eq!(again["duplicate"].as_u64(), Some(1), "ids survive the kill: {again}");
    stop_gently(&server);
    assert!(server.wait().success(), "SIGTERM ends with exit code 0");
    assert!(Path::new(&place.data()).is_dir());
}

fn stop_gently(server: &Server) {
    let id = server.id().to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIGTERM can be sent");
}
