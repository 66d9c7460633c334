//! What the audit log says of those who are asked who they are, and what for.

use std::path::Path;

use client::Client;
use protocol::{ExportFormat, ExportRequest, Target};
use serde_json::Value as Json;
use server::{Config, audit::AuditOptions};
use tempfile::TempDir;

use crate::{
    handles::Peer,
    setting::{Setting, refused},
};

/// A server that tells of every read, and where.
fn start() -> (Setting, TempDir) {
    let place = tempfile::tempdir().expect("a directory");
    let audit = AuditOptions { reads: 1.0, ..AuditOptions::new(place.path().join("audit")) };
    let setting = Setting::start_with(|config| Config { audit: Some(audit), ..config });
    (setting, place)
}

/// What was told, once the server has ended.
fn told(setting: Setting, place: &Path) -> Vec<Json> {
    setting.server.shutdown().expect("it ends well");
    let file = place.join("audit").join("audit-00000000000000000001.jsonl");
    let text = std::fs::read_to_string(file).expect("it is there");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn of_event(mut lines: Vec<Json>, event: &str) -> Vec<Json> {
    lines.retain(|line| line["event"] == event);
    lines
}

#[tokio::test]
async fn a_denial_lists_some_names_and_counts_the_others() {
    let (setting, place) = start();
    let mut peer = Peer::as_subject(&setting, "scorer", "").await;
    let named = (0..100).map(|number| format!("secret:{number}{}", "x".repeat(5_000))).collect();
    peer.prepare(Target::Features(named)).await.expect_err("it may not");
    let denied = of_event(told(setting, place.path()), "denied");
    assert_eq!(denied.len(), 1, "{denied:?}");
    let on = denied[0]["on"].as_array().expect("names");
    assert_eq!((on.len(), &denied[0]["on_more"]), (32, &Json::from(68)), "{denied:?}");
    assert!(denied[0].to_string().len() < 64 << 10, "a line stays short");
}

#[tokio::test]
async fn scans_exports_and_reads_say_what_they_are_for() {
    let (setting, place) = start();
    let client: Client =
        setting.builder().token(setting.token("everything")).purpose("support").build();
    let group = client.group("profile").await.expect("it may");
    let mut scan = group.scan(10);
    while scan.next().await.expect("a page").is_some() {}
    // A service of derived features, and one that is read for something else than the connection is.
    let risk = client.service("risk").await.expect("it may");
    risk.read().key("card", "c1").send().await.expect("it may");
    let mailing = client.service_for("mailing", "audit").await.expect("it may");
    mailing.read().key("card", "c1").send().await.expect("it may");
    let request = ExportRequest {
        name: "one",
        format: ExportFormat::Arrow,
        groups: vec!["profile"],
        as_of: None,
        partials: false,
    };
    let mut peer = Peer::as_subject(&setting, "everything", "statistics").await;
    peer.ask(protocol::Opcode::Export, |out| request.encode(out)).await.expect("it may");
    let lines = told(setting, place.path());
    for (event, on, purpose) in [
        ("scan", "group:profile", "support"),
        ("read", "service:risk", "support"),
        ("read", "service:mailing", "audit"),
        ("export", "group:profile", "statistics"),
    ] {
        let is_it = |line: &&Json| line["event"] == event && line["on"][0] == on;
        let line = lines.iter().find(is_it).unwrap_or_else(|| panic!("{event} {on}: {lines:?}"));
        assert_eq!(line["purpose"], purpose, "{line}");
        assert_eq!(line["v"], 1, "each line says its version: {line}");
    }
}

#[tokio::test]
async fn a_policy_that_could_not_be_read_again_is_told() {
    let (setting, place) = start();
    setting.reload(&setting.policy_text()).expect("it is good");
    setting.reload("[role").expect_err("it is broken");
    let (status, _) = refused(setting.client_with("nobody").ping().await);
    assert_eq!(status, protocol::CallStatus::Unauthenticated);
    let reloads = of_event(told(setting, place.path()), "reload");
    let outcomes: Vec<_> = reloads.iter().map(|line| (&line["what"], &line["outcome"])).collect();
    let policy = Json::from("access policy");
    assert_eq!(outcomes, [(&policy, &Json::from("ok")), (&policy, &Json::from("failed"))]);
    assert!(reloads[1]["error"].to_string().contains("access.toml:1"), "{reloads:?}");
}
