//! A slip of the hand is answered with what there is, by name, and with what to write instead.

use crate::harness::{Server, larder, write_file};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "ts"
[stream.payments.fields]
card = "string"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h"]
[group.spend.features]
n = "count(*)"
[service.fraud]
features = ["spend:n_1h"]
[service.fraud.request]
amount = "f64"
country = "string"
[service.fraud.derived]
double = "request.amount * 2"
"#;

#[test]
fn a_read_names_the_entity_it_takes_and_the_request_values_it_lacks() {
    let place = tempfile::tempdir().expect("a directory");
    let definitions = place.path().join("f.toml");
    write_file(&definitions, DEFINITIONS);
    let apply = ["--sync", "memory", "--apply", definitions.to_str().expect("UTF-8")];
    let server = Server::start(&place.path().join("data"), &apply);
    let get = ["get", "fraud", "--key"];
    let told = server.fails(2, &[&get[..], &["c1"]].concat());
    for part in ["--request amount=VALUE (f64)", "--request country=VALUE (string)"] {
        assert!(told.contains(part), "no {part}: {told}");
    }
    let told = server.fails(2, &[&get[..], &["c1", "--request", "amount=1"]].concat());
    assert!(!told.contains("amount=VALUE") && told.contains("country=VALUE"), "{told}");
    let whole = ["--request", "amount=1", "--request", "country=null"];
    let noted = server.run(&[&get[..], &["crad=c1"], &whole].concat());
    let note = String::from_utf8_lossy(&noted.stderr);
    assert!(noted.status.success() && note.contains("card=c1 would be the key c1"), "{note}");
    for key in ["c1", "card=c1", "card=crad=c1", "YWJj=="] {
        let quiet = server.run(&[&get[..], &[key], &whole].concat());
        let note = String::from_utf8_lossy(&quiet.stderr);
        assert!(quiet.status.success() && note.is_empty(), "{key}: {note}");
    }
}

#[test]
fn an_address_without_a_port_is_told_with_one() {
    for args in [
        &["bench", "--addr", "features"][..],
        &["stats", "--addr", "features"],
        &["ready", "--admin", "features"],
    ] {
        let output = larder("127.0.0.1:1", args);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("features:7440"), "{told}");
    }
}

#[test]
fn a_replay_in_order_of_arrival_says_what_a_file_without_arrivals_needs() {
    let place = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        write_file(&path, text);
        path.to_str().expect("UTF-8").to_owned()
    };
    let definitions = file("f.toml", DEFINITIONS);
    let events = file("events.csv", "card,ts,seen\nc1,2026-01-01T00:00:00Z,2026-01-01T00:00:05Z\n");
    let spine = file("spine.csv", "card,as_of\nc1,2026-01-01T00:30:00Z\n");
    let out = place.path().join("out.csv");
    let replay = [
        "replay",
        "--definitions",
        &definitions,
        "--events",
        &events,
        "--spine",
        &spine,
        "--feature",
        "spend:n_1h",
        "--order",
        "arrival",
        "--out",
        out.to_str().expect("UTF-8"),
    ];
    let refused = larder("127.0.0.1:1", &replay);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    for part in
        ["events.csv", "no column arrival", "card, ts, seen", "--arrival-column", "--order event"]
    {
        assert!(told.contains(part), "no {part}: {told}");
    }
    let named = larder("127.0.0.1:1", &[&replay[..], &["--arrival-column", "seen"]].concat());
    assert!(named.status.success(), "{}", String::from_utf8_lossy(&named.stderr));
}
