//! What a server keeps of what it accepted: over a kill and a stop each change once; in a backup too; told by `stats` and checked by
//! `larder check`.

use std::path::Path;

use crate::harness::{Server, larder, write_file};
use export::history::{HistoryReader, HistorySource};
use model::packed_row::Cell;

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "at"
event_id = "id"
dedup = "1h"
clock = "event"
history = { age = "400d", size = "1GiB" }
fields = { id = "string", card = "string", amount = "decimal(2)", at = "timestamp" }
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h"]
features = { n = "count(*)", sum = "sum(amount)" }
[group.profile]
entity = "card"
history = true
features = { country = "string" }
[service.fraud]
features = ["spend:*", "profile:country"]
"#;

/// Events `from` to `to` as lines; every fifth comes twice.
fn events(from: u32, to: u32) -> String {
    let line = |id: u32| {
        let at = 1_700_000_000_000_u64 + u64::from(id) * 1000;
        format!("{{\"id\":\"p{id}\",\"card\":\"c{}\",\"amount\":{id},\"at\":{at}}}\n", id % 3)
    };
    (from..to).map(|id| if id % 5 == 0 { line(id).repeat(2) } else { line(id) }).collect()
}

/// Ids of the events that the history in `data` has, in its order, and the rows of `profile`.
fn kept(data: &Path) -> (Vec<String>, usize) {
    let reader = HistoryReader::open(&data.join("history")).expect("it is whole");
    let (mut ids, mut rows) = (Vec::new(), 0);
    let payments = HistorySource::Stream("payments".to_owned());
    let read = reader.for_each(&payments, &mut |change| {
        let Some(Cell::Value(id)) = change.cells.first() else { panic!("an event has an id") };
        ids.push((*id).to_owned().to_string());
        Ok(())
    });
    read.expect("the files are whole");
    let profile = HistorySource::Group("profile".to_owned());
    let read = reader.for_each(&profile, &mut |_| {
        rows += 1;
        Ok(())
    });
    read.expect("the files are whole");
    assert_eq!(reader.gaps(), []);
    (ids, rows)
}

#[test]
fn history_has_each_change_once_over_a_kill_a_stop_and_in_a_backup() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    let (data, copy) = (path("data"), path("copy"));
    write_file(&path("features.toml"), DEFINITIONS);
    write_file(&path("first.jsonl"), &events(0, 1000));
    write_file(&path("second.jsonl"), &events(1000, 1500));
    write_file(
        &path("rows.jsonl"),
        "{\"card\":\"c1\",\"country\":\"CH\"}\n{\"card\":\"c2\",\"country\":null}\n",
    );
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let server = Server::start(&data, &["--apply", &text(&path("features.toml"))]);
    assert!(server.ok(&["describe", "payments"]).contains("kept for 400d, at most 1GiB"));
    server.ok(&["push", "payments", &text(&path("first.jsonl"))]);
    server.ok(&["put", "profile", &text(&path("rows.jsonl"))]);
    server.kill();
    let server = Server::start(&data, &[]);
    server.ok(&["push", "payments", &text(&path("second.jsonl"))]);
    server.ok(&["checkpoint", "--copy", &text(&copy)]);
    server.ok(&["delete", "profile", "--key", "c2"]);
    let stats = server.ok(&["stats"]);
    assert!(stats.contains("history_health") && stats.contains("history_lsn"), "{stats}");
    stop(server);
    let all: Vec<_> = (0..1500).map(|id| format!("p{id}")).collect();
    assert_eq!(kept(&data), (all.clone(), 3));
    // The backup goes on by itself, from its own log; nothing in it is there twice.
    let server = Server::start(&copy, &[]);
    server.ok(&["put", "profile", &text(&path("rows.jsonl"))]);
    stop(server);
    assert_eq!(kept(&copy), (all, 4));
    let checked = larder("127.0.0.1:1", &["check", &text(&data), "--format", "json"]);
    assert!(checked.status.success(), "{checked:?}");
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains("\"history\":{\"files\":"),
        "{checked:?}"
    );
    damage(&data);
    let checked = larder("127.0.0.1:1", &["check", &text(&data)]);
    assert_eq!(checked.status.code(), Some(1));
    let output = [checked.stdout, checked.stderr].concat();
    assert!(String::from_utf8_lossy(&output).contains("its checksum is not the manifest's"));
}

fn stop(server: Server) {
    let signal = std::process::Command::new("kill").arg(server.id().to_string()).status();
    assert!(signal.expect("kill runs").success());
    assert!(server.wait().success());
}

/// Flips a bit of a file of the history.
#[expect(clippy::disallowed_methods, reason = "somebody else changes the file")]
fn damage(data: &Path) {
    let mut files = std::fs::read_dir(data.join("history/streams/payments")).expect("it is there");
    let path = files.next().expect("there is a file").expect("listed").path();
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
}
