//! Exports as a user makes them: by the server, fetched from it, and of a directory that nobody serves.

use std::path::{Path, PathBuf};

use crate::harness::{Server, larder, write_file};
use serde_json::Value as Json;

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.profile]
entity = "user"
[group.profile.features]
note = "string"
[stream.clicks]
event_time = "at"
clock = "event"
[stream.clicks.fields]
user = "string"
at = "timestamp"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["30d"]
[group.clicking.features]
clicks = "count(*)"
"#;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = Self { directory };
        write_file(&place.path("features.toml"), DEFINITIONS);
        write_file(&place.path("rows.csv"), "user,note\na,one\nb,two\n");
        write_file(&place.path("events.csv"), "user,at\na,2026-01-01\na,2026-01-02\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    fn serve(&self, more: &[&str]) -> Server {
        let definitions = self.text("features.toml");
        let args = [&["--apply", &definitions], more].concat();
        let server = Server::start(&self.path("data"), &args);
        server.ok(&["put", "profile", &self.text("rows.csv")]);
        server.ok(&["push", "clicks", &self.text("events.csv")]);
        server
    }
}

/// File and rows of each line that `larder export` printed.
fn files(printed: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let line: Json = serde_json::from_str(line).expect("JSON lines");
        (line["file"].as_str().expect("a path").to_owned(), line["rows"].as_u64().expect("rows"))
    };
    printed.lines().map(line).collect()
}

fn is_export(directory: &Path) -> bool {
    directory.join("manifest.json").is_file()
}

#[test]
fn the_server_writes_below_its_directory_and_nowhere_else() {
    let place = Place::new();
    let server = place.serve(&["--export-dir", &place.text("exports")]);
    let printed = files(&server.ok(&["export", "--name", "v1.2"]));
    let exports = place.path("exports").canonicalize().expect("it was made");
    let file = |name: &str| exports.join("v1.2").join(name).to_str().expect("UTF-8").to_owned();
    assert_eq!(
        printed,
        [(file("profile/part-00000.arrow"), 2), (file("clicking/part-00000.arrow"), 1)]
    );
    assert!(is_export(&exports.join("v1.2")));
    let stats = server.ok(&["stats"]);
    assert!(stats.contains("exports_done_count"), "{stats}");
    for (name, part) in [
        ("v1.2", "something already"),
        ("../out", "1 to 64 of A-Z"),
        ("/tmp/out", "1 to 64 of A-Z"),
        (".hidden", "1 to 64 of A-Z"),
    ] {
        let message = server.fails(1, &["export", "--name", name]);
        assert!(message.contains(part), "{name}: {message}");
    }
    let message = server.fails(1, &["export", "--name", "x", "--group", "nothing"]);
    assert!(message.contains("no group is called nothing"), "{message}");
    let link = exports.join("link");
    std::os::unix::fs::symlink(place.path("elsewhere"), &link).expect("made");
    let message = server.fails(1, &["export", "--name", "link"]);
    assert!(message.contains("something already") && !place.path("elsewhere").exists());
}

#[test]
fn an_export_is_fetched_to_where_it_is_wanted() {
    let place = Place::new();
    let server = place.serve(&["--export-dir", &place.text("exports")]);
    let (out, group) = (place.text("deep/er/out"), ["--group", "profile", "--format", "parquet"]);
    let printed = files(&server.ok(&[&["export", "--out", &out][..], &group].concat()));
    assert_eq!(printed, [(format!("{out}/profile/part-00000.parquet"), 2)]);
    assert!(is_export(Path::new(&out)) && Path::new(&printed[0].0).is_file());
    assert_eq!(std::fs::read_dir(place.path("exports")).expect("it was made").count(), 0);
    let message = server.fails(1, &["export", "--out", &out]);
    assert!(message.contains("not empty"), "{message}");
}

#[test]
fn a_server_without_a_directory_says_how_to_give_it_one() {
    let place = Place::new();
    let server = place.serve(&[]);
    let message = server.fails(1, &["export", "--name", "x"]);
    assert!(message.contains("--export-dir"), "{message}");
    let (data, out) = (place.text("data"), place.text("out"));
    let message = server.fails(1, &["export", "--data", &data, "--out", &out]);
    assert!(message.contains("--name"), "{message}");
    assert!(!place.path("out").exists() && !place.path("out.partial").exists());
}

#[test]
fn a_directory_that_nobody_serves_is_exported_by_the_command() {
    let place = Place::new();
    place.serve(&[]).kill();
    let (data, out) = (place.text("data"), place.text("out"));
    let output = larder("127.0.0.1:1", &["export", "--data", &data, "--out", &out]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("as of LSN"), "{stderr}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(files(&printed).iter().map(|(_, rows)| rows).sum::<u64>(), 3);
    assert!(is_export(Path::new(&out)));
}

#[test]
fn a_directory_without_a_database_is_no_empty_export() {
    let place = Place::new();
    let (data, out) = (place.text("."), place.text("out"));
    let output = larder("127.0.0.1:1", &["export", "--data", &data, "--out", &out]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&data), "{said}");
    assert!(!place.path("out").exists());
}
