//! Events taken back over live sockets, by command and by client: a mistake is retracted and pushed again corrected, a server is
//! killed in between, a retried request is answered as the first time, and what cannot be retracted says why.

use std::path::Path;

use client::{Client, RejectKind, blocking};
use serde_json::Value as Json;

use crate::harness::{Server, write_file};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "at"
event_id = "payment"
dedup = "1h"
clock = "event"
retract = true
[stream.payments.fields]
payment = "string"
card = "string"
amount = "decimal(2)"
at = "timestamp"
[stream.clicks]
event_time = "at"
event_id = "click"
clock = "event"
[stream.clicks.fields]
click = "string"
card = "string"
at = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h"]
[group.spend.features]
payments = "count(*)"
spent = "sum(amount)"
largest = "max(amount)"
"#;

const PAYMENTS: &str = "payment,card,amount,at
p1,c1,10.00,2026-01-02T10:00:00Z
p2,c1,900.00,2026-01-02T10:00:30Z
p3,c1,5.00,2026-01-02T10:01:10Z
";

fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    write_file(&path, text);
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// payments, spent and largest of c1.
fn c1(server: &Server) -> (u64, String, String) {
    let shown = server.ok(&["get", "spend:*", "--key", "c1", "--format", "json"]);
    let vector: Json = serde_json::from_str(shown.trim()).expect("JSON");
    let values = &vector["values"];
    let text = |name: &str| values[name].to_string().trim_matches('"').to_owned();
    (values["payments_1h"].as_u64().expect("a count"), text("spent_1h"), text("largest_1h"))
}

fn counts(output: &str) -> (Option<u64>, Option<u64>) {
    let counts: Json = serde_json::from_str(output.trim()).expect("JSON");
    (counts["retracted"].as_u64(), counts["rejected"].as_u64())
}

#[test]
fn a_mistake_is_retracted_and_pushed_again_corrected() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (place, data) = (directory.path(), directory.path().join("data"));
    let definitions = file(place, "features.toml", DEFINITIONS);
    let server = Server::start(&data, &["--apply", &definitions]);
    server.ok(&["push", "payments", &file(place, "payments.csv", PAYMENTS)]);
    assert_eq!(c1(&server), (3, "915.00".to_owned(), "900.00".to_owned()));

    let mistake = r#"{"payment": "p2", "card": "c1", "at": "2026-01-02T10:00:30Z"}"#;
    let done = server.ok(&["retract", "payments", "--event", mistake, "--format", "json"]);
    assert_eq!(counts(&done), (Some(1), Some(0)));
    assert_eq!(c1(&server), (2, "15.00".to_owned(), "10.00".to_owned()));
    let described = server.ok(&["describe", "payments"]);
    assert!(described.contains("within 1m of now"), "{described}");

    // What is left is left after a kill too, and the id is free.
    let addr = server.addr.clone();
    server.kill();
    let server = Server::start_at(&data, &addr);
    assert_eq!(c1(&server), (2, "15.00".to_owned(), "10.00".to_owned()));
    let corrected = "payment,card,amount,at\np2,c1,90.00,2026-01-02T10:00:30Z\n";
    let pushed = server.ok(&[
        "push",
        "payments",
        &file(place, "corrected.csv", corrected),
        "--format",
        "json",
    ]);
    assert!(pushed.contains("\"accepted\":1"), "{pushed}");
    assert_eq!(c1(&server), (3, "105.00".to_owned(), "90.00".to_owned()));
}

#[test]
fn what_cannot_be_retracted_says_why() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path();
    let definitions = file(place, "features.toml", DEFINITIONS);
    let server = Server::start(&place.join("data"), &["--apply", &definitions]);
    let payments = file(place, "payments.csv", PAYMENTS);
    server.ok(&["push", "payments", &payments]);

    // The file that pushed events retracts them; p1 is 70 seconds old by now.
    let kept = place.join("kept.csv");
    let kept_name = kept.to_str().expect("UTF-8");
    let output = server.run(&[
        "retract",
        "payments",
        &payments,
        "--rejected",
        kept_name,
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(counts(&String::from_utf8_lossy(&output.stdout)), (Some(2), Some(1)));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["line 2", "before the floor 2026-01-02T10:00:10", "`horizon` (1m)"] {
        assert!(told.contains(part), "{part:?} is missing in: {told}");
    }
    let kept = std::fs::read_to_string(kept).expect("it was written");
    assert_eq!(kept.lines().nth(1), Some("p1,c1,10.00,2026-01-02T10:00:00Z"));
    assert_eq!(c1(&server), (1, "10.00".to_owned(), "10.00".to_owned()));

    let gone = r#"{"payment": "p3", "card": "c1", "at": "2026-01-02T10:01:10Z"}"#;
    let told = server.fails(1, &["retract", "payments", "--event", gone]);
    assert!(told.contains("no event of this id and time"), "{told}");
    let click = r#"{"click": "k", "card": "c1", "at": "2026-01-02T10:01:10Z"}"#;
    let told = server.fails(1, &["retract", "clicks", "--event", click]);
    assert!(told.contains("clicks") && told.contains("retract = true"), "{told}");
    let told = server.fails(2, &["retract", "payments"]);
    assert!(told.contains("--event"), "{told}");
}

#[test]
fn a_retried_retraction_is_answered_as_the_first_time() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (place, data) = (directory.path(), directory.path().join("data"));
    let definitions = file(place, "features.toml", DEFINITIONS);
    let server = Server::start(&data, &["--apply", &definitions]);
    let addr = server.addr.clone();
    let client = || {
        let builder = Client::builder(&addr).producer("corrections", 1_000);
        blocking::Client::with(builder).expect("a client")
    };
    let push = |client: &blocking::Client, amount: &str| {
        let payments = client.stream("payments").expect("defined");
        let event = payments.event().set("payment", "p1").set("card", "c1").set("amount", amount);
        let reply = client.wait(payments.push([event.set("at", "2026-01-02T10:00:00Z")]));
        assert_eq!(reply.expect("taken").accepted, 1);
    };
    let retract = |client: &blocking::Client, sequence: u64| {
        let payments = client.stream("payments").expect("defined");
        let row = |id: &str| {
            let event = payments.event().set("payment", id).set("card", "c1");
            event.set("at", "2026-01-02T10:00:00Z").pack().expect("valid")
        };
        let (known, unknown) = (row("p1"), row("p9"));
        let rows = [known.as_slice(), unknown.as_slice()];
        client.wait(payments.retract_packed(4, &rows, Some(sequence))).expect("taken")
    };

    let first_client = client();
    push(&first_client, "1.00");
    let first = retract(&first_client, 1);
    assert_eq!((first.retracted, first.late, first.rejected), (1, 0, 1));
    assert_eq!((first.rejects[0].index, first.rejects[0].kind), (1, RejectKind::Rejected));
    // The corrected event has the same id and time: a retry must leave it alone.
    push(&first_client, "2.00");
    let again = retract(&first_client, 1);
    assert_eq!((again.retracted, again.rejected, again.receipt.repeated), (1, 1, true));
    drop(first_client);

    server.kill();
    let server = Server::start_at(&data, &addr);
    let second_client = client();
    let again = retract(&second_client, 1);
    assert_eq!((again.retracted, again.rejected, again.receipt.repeated), (1, 1, true));
    assert_eq!(c1(&server), (1, "2.00".to_owned(), "2.00".to_owned()));

    // Built event by event, numbered by the client itself.
    let second_client = blocking::Client::new(&addr).expect("a client");
    let payments = second_client.stream("payments").expect("defined");
    let event = payments.event().set("payment", "p1").set("card", "c1");
    let reply = second_client.wait(payments.retract([event.set("at", "2026-01-02T10:00:00Z")]));
    assert_eq!(reply.expect("taken").retracted, 1);
    let nothing = server.ok(&["scan", "spend", "--format", "json"]);
    assert_eq!(nothing.trim(), "", "an entity without events is forgotten");
}
