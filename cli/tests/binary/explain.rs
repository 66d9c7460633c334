//! Before anything is deployed: what the definitions of the example will cost, without a server.

use crate::harness::{larder, repository, write_file};
use serde_json::Value as Json;

fn explain(args: &[&str]) -> std::process::Output {
    let file = repository("examples/payments/features.toml");
    let file = file.to_str().expect("a UTF-8 path");
    // Nobody listens there, and nobody is asked.
    larder("127.0.0.1:1", &[&["explain", file], args].concat())
}

#[track_caller]
fn printed(args: &[&str]) -> String {
    let output = explain(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// `larder explain examples/payments/features.toml --format table > cli/tests/binary/explain_payments.txt` renews it.
#[test]
fn the_example_is_explained_as_ever() {
    let golden = include_str!("explain_payments.txt");
    let printed = printed(&["--format", "table"]);
    assert!(printed == golden, "the explanation changed:\n{printed}");
}

#[test]
fn everything_is_there_as_data() {
    let lines = printed(&["--format", "json", "--events", "5000"]);
    let groups: Vec<Json> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(groups.len(), 2, "{lines}");
    let card = &groups[0];
    assert_eq!(card["group"], "card_spend");
    assert_eq!(card["entities"][0]["events"], 5000);
    assert_eq!(card["entities"].as_array().map(Vec::len), Some(1));
    let windows = card["windows"].as_array().expect("windows");
    assert_eq!(windows.len(), 4);
    assert_eq!(windows[0]["over_ms_max"], 14_999, "5m has tiles of 15s");
    assert_eq!(windows[3]["window"], "7d");
    let merchants = &card["features"][6];
    assert_eq!(merchants["feature"], "merchants");
    assert_eq!(merchants["accuracy"]["standard_error"], 0.01625);
    let csv = printed(&["card_spend", "--format", "csv", "--events-per-day", "10"]);
    assert!(
        csv.starts_with("group,events,kept_as,expected_bytes,worst_bytes\ncard_spend,70,"),
        "{csv}"
    );
}

#[test]
fn what_is_no_window_group_is_named_with_what_is() {
    for (name, parts) in [
        ("card_spnd", ["card_spnd", "did you mean card_spend?"]),
        ("card_profile", ["row group", "card_spend, merchant_risk"]),
    ] {
        let output = explain(&[name]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let wrong = directory.path().join("wrong.toml");
    write_file(&wrong, "[entity.user]\nkey = \"text\"\n");
    let output = larder("127.0.0.1:1", &["explain", wrong.to_str().expect("UTF-8")]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("wrong.toml:2"), "{message}");
}
