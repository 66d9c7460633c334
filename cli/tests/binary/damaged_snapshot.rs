//! A block of the snapshot is damaged: everything else is served, and who reads is told what is not.
#![expect(clippy::disallowed_methods, reason = "it breaks a file behind the back of storage")]

use crate::harness::{Server, write_file};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.wide]
entity = "user"
[group.wide.features]
a = "string"
b = "string"
c = "string"
d = "string"
e = "string"
"#;

/// Bytes of each feature of the wide row: it is longer than any block of the snapshot.
const NOTE_BYTES: usize = 60_000;
/// Rows beside it.
const SHORT: usize = 20;

#[test]
fn a_scan_goes_on_behind_damage_and_says_how_much_it_left_out() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        write_file(&place.path().join(name), text);
        place.path().join(name).to_str().expect("UTF-8").to_owned()
    };
    let data = place.path().join("data");
    let server = Server::start(&data, &["--apply", &file("features.toml", DEFINITIONS)]);
    let wide = ["a", "b", "c", "d", "e"];
    let wide = wide.map(|note| format!("\"{note}\":\"{}\"", note.repeat(NOTE_BYTES))).join(",");
    let short = (0..SHORT).map(|user| format!("{{\"user\":\"u{user}\",\"a\":\"short\"}}\n"));
    let rows = short.collect::<String>() + &format!("{{\"user\":\"wide\",{wide}}}\n");
    server.ok(&["put", "wide", &file("rows.jsonl", &rows)]);
    server.ok(&["checkpoint"]);
    server.kill();

    let mut names = std::fs::read_dir(&data).expect("there").map(|entry| entry.expect("listed"));
    let snapshot = names.find(|entry| entry.file_name().to_string_lossy().ends_with(".lsnap"));
    let snapshot = snapshot.expect("a snapshot").path();
    let mut bytes = std::fs::read(&snapshot).expect("there");
    let note = bytes.windows(NOTE_BYTES).position(|part| part.iter().all(|byte| *byte == b'c'));
    bytes[note.expect("as it was put") + NOTE_BYTES / 2] ^= 1;
    std::fs::write(&snapshot, bytes).expect("written");

    let server = Server::start(&data, &[]);
    let output = server.run(&["scan", "wide", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let rows = String::from_utf8_lossy(&output.stdout).lines().count();
    assert_eq!((output.status.code(), rows), (Some(1), SHORT), "{said}");
    let name = snapshot.to_str().expect("UTF-8");
    assert!(said.contains(name) && said.contains("1 entit"), "{said}");
}
