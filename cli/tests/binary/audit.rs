//! Who did what, told by a live server: put, read, deleted, defined; the log is then verified, edited and cut as somebody would who
//! wants to hide something.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::harness::{Server, larder, repository, write_file};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.limits]
entity = "card"
[group.limits.features]
amount = "i64"
[service.limit]
features = ["limits:amount"]
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// A server that tells of every read, with keys hashed.
    fn server(&self) -> Server {
        let (audit, key) = (self.text("audit"), self.text("key"));
        let more = ["--audit", &audit, "--audit-reads", "1", "--audit-key-file", &key];
        Server::start(&self.path("data"), &more)
    }

    fn log_file(&self) -> PathBuf {
        self.path("audit").join("audit-00000000000000000001.jsonl")
    }

    fn lines(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.log_file()).expect("it is there");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// `larder audit verify`: its exit code, its figures, what it says.
    fn verify(&self, more: &[&str]) -> (i32, Vec<Json>, String) {
        let directory = self.text("audit");
        let mut args = vec!["audit", "verify", &directory, "--format", "json"];
        args.extend(more);
        let output = larder("127.0.0.1:9", &args);
        let figures = String::from_utf8_lossy(&output.stdout);
        let figures = figures.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().expect("it ended"), figures.collect(), said)
    }
}

fn figure(figures: &[Json], name: &str) -> Json {
    figures.iter().find(|one| one["name"] == name).expect(name)["value"].clone()
}

fn stop(server: Server) {
    let sent =
        std::process::Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIGTERM can be sent");
    assert!(server.wait().success(), "it ends well");
}

/// One server's life: everything in it is told once.
fn live(place: &Place) {
    write_file(&place.path("key"), &"k".repeat(40));
    write_file(&place.path("d.toml"), DEFINITIONS);
    write_file(&place.path("rows.csv"), "card,amount\nc-1,5\nc-2,6\nc-3,7\n");
    let server = place.server();
    server.ok(&["apply", &place.text("d.toml")]);
    server.ok(&["put", "limits", &place.text("rows.csv")]);
    server.ok(&["get", "limit", "--key", "c-1", "--key", "c-2", "--purpose", "support"]);
    server.ok(&["delete", "limits", "--key", "c-3"]);
    server.ok(&["checkpoint"]);
    let stats = server.ok(&["stats", "--format", "csv"]);
    assert!(stats.contains("audit_dropped,0") && stats.contains("audit_last_hash,"), "{stats}");
    stop(server);
}

#[test]
fn what_was_done_is_told_and_nothing_of_the_keys() {
    let place = Place(tempfile::tempdir().expect("a directory"));
    live(&place);
    let lines = place.lines();
    let find = |event: &str| {
        let found: Vec<_> = lines.iter().filter(|line| line["event"] == event).collect();
        assert_eq!(found.len(), 1, "{event} is told once: {lines:?}");
        found[0].clone()
    };
    assert_eq!(lines[0]["event"], "start");
    assert_eq!(lines.last().expect("lines")["event"], "stop");
    let apply = find("apply");
    assert_eq!((&apply["version"], &apply["outcome"]), (&Json::from(1), &Json::from("ok")));
    assert!(apply["changes"].to_string().contains("add group limits"), "{apply}");
    let put = find("put");
    assert_eq!((&put["on"][0], &put["rows"]), (&Json::from("group:limits"), &Json::from(3)));
    let read = find("read");
    assert_eq!(read["on"].to_string(), r#"["service:limit","group:limits"]"#);
    assert_eq!(
        (&read["vectors"], read["keys"].as_array().map(Vec::len)),
        (&Json::from(2), Some(2))
    );
    assert_eq!(read["purpose"], "support", "it is told without a policy, too");
    assert!(read["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{read}");
    find("checkpoint");
    let deleted = find("delete");
    // Who has the key finds who was deleted; the log by itself says nothing of it.
    let hash = larder(
        "127.0.0.1:9",
        &["audit", "hash", "card", "c-3", "--audit-key-file", &place.text("key")],
    );
    assert_eq!(deleted["keys"][0], String::from_utf8_lossy(&hash.stdout).trim());
    let text = std::fs::read_to_string(place.log_file()).expect("it is there");
    assert!(!text.contains("c-1") && !text.contains("c-3"), "{text}");
}

#[test]
fn edits_are_found_and_a_cut_off_end_with_an_anchor() {
    let place = Place(tempfile::tempdir().expect("a directory"));
    live(&place);
    let (code, figures, said) = place.verify(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("--anchor"), "{said}");
    assert_eq!(figure(&figures, "lines"), Json::from(place.lines().len()));
    let anchor = figure(&figures, "last_hash").as_str().expect("a hash").to_owned();
    let text = std::fs::read_to_string(place.log_file()).expect("it is there");

    write_file(&place.log_file(), &text.replace("\"rows\":3", "\"rows\":2"));
    let (code, _, said) = place.verify(&[]);
    assert!(code == 1 && said.contains("was edited"), "{said}");

    let shorter: Vec<_> = text.lines().collect();
    let shorter = shorter[..shorter.len() - 2].join("\n") + "\n";
    write_file(&place.log_file(), &shorter);
    assert_eq!(place.verify(&[]).0, 0, "the log alone cannot show it");
    let (code, _, said) = place.verify(&["--anchor", &anchor]);
    assert!(code == 1 && said.contains("the anchor"), "{said}");

    write_file(&place.log_file(), &text);
    assert_eq!(place.verify(&["--anchor", &anchor]).0, 0);
    // The next server goes on with the chain, and what was an anchor stays one.
    stop(place.server());
    let (code, figures, said) = place.verify(&["--anchor", &anchor]);
    assert_eq!(code, 0, "{said}");
    assert_ne!(figure(&figures, "last_hash"), Json::from(anchor));
}

/// A log of the first version, with every event, across two files and a process that was killed: it is accepted for ever.
#[test]
fn the_golden_log_is_verified_and_one_of_a_newer_release_refused() {
    let golden = repository("server/tests/golden/audit");
    let verify = |directory: &Path| {
        let directory = directory.to_str().expect("UTF-8");
        let output = larder("127.0.0.1:9", &["audit", "verify", directory, "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said)
    };
    let (code, figures, said) = verify(&golden);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("was cut off when a server ended"), "{said}");
    assert!(figures.contains(r#"{"name":"problems","value":0}"#), "{figures}");
    let newer = tempfile::tempdir().expect("a directory");
    for file in std::fs::read_dir(&golden).expect("it is there") {
        let file = file.expect("it can be listed");
        let text = std::fs::read_to_string(file.path()).expect("UTF-8");
        let text = text.replacen("{\"v\":1,\"seq\":3,", "{\"v\":2,\"seq\":3,", 1);
        write_file(&newer.path().join(file.file_name()), &text);
    }
    let (code, _, said) = verify(newer.path());
    assert!(
        code == Some(1) && said.contains("format version 2") && said.contains(".jsonl:3"),
        "{said}"
    );
}

#[test]
fn a_server_that_is_killed_leaves_a_log_that_goes_on() {
    let place = Place(tempfile::tempdir().expect("a directory"));
    write_file(&place.path("key"), &"k".repeat(40));
    place.server().kill();
    // As if it had been in the middle of a line.
    let text = std::fs::read_to_string(place.log_file()).expect("it is there");
    write_file(&place.log_file(), &(text + "{\"seq\":2,\"prev\":\"00"));
    stop(place.server());
    let (code, _, said) = place.verify(&[]);
    assert!(code == 0 && said.contains("was cut off when a server ended"), "{said}");
}

#[test]
fn a_server_that_cannot_be_audited_does_not_start() {
    let place = Place(tempfile::tempdir().expect("a directory"));
    write_file(&place.path("key"), "short");
    write_file(&place.path("audit"), "no directory");
    let start = |more: &[&str]| {
        let data = place.text("data");
        let mut args =
            vec!["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", &data];
        args.extend(more);
        let output = larder("127.0.0.1:9", &args);
        assert!(!output.status.success(), "{more:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = start(&["--audit", &place.text("audit")]);
    assert!(said.contains("the audit log cannot be written"), "{said}");
    let said = start(&["--audit", &place.text("other"), "--audit-key-file", &place.text("key")]);
    assert!(said.contains("can be guessed"), "{said}");
    assert!(start(&["--audit-key-file", &place.text("key")]).contains("--audit DIR"));
    assert!(!Path::new(&place.text("other")).exists(), "nothing is left behind");
}
