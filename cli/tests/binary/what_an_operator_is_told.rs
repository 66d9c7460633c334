//! Something is wrong, and the operator reads one line: it must say what, where, and what to do, and nothing may have been left
//! behind or changed.

use std::net::TcpListener;
use std::path::Path;

use crate::{
    harness::{Server, larder, write_file},
    offline::sample::Sample,
};

/// `larder serve` on `data`, which must refuse to start: what it says.
fn refused(data: &Path, more: &[&str]) -> String {
    let data = data.to_str().expect("UTF-8");
    let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    args.extend(["--data", data]);
    args.extend(more);
    fails("127.0.0.1:9", &args)
}

/// A command that must end with exit code 1: what it says.
fn fails(addr: &str, args: &[&str]) -> String {
    let output = larder(addr, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    said
}

fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in: {said}");
    }
}

/// `No such file or directory (os error 2)` was all there was; of an empty directory `inspect` said nothing, with exit code 0.
#[test]
fn a_directory_that_is_none_of_a_database_is_named_with_what_to_look_at() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (missing, empty) = (place.path().join("missing"), place.path().join("empty"));
    let file = place.path().join("file");
    std::fs::create_dir(&empty).expect("made");
    write_file(&file, "no directory");
    for command in ["check", "inspect", "repair"] {
        for (directory, what) in [
            (&missing, "there is no such directory"),
            (&empty, "there is no database in"),
            (&file, "is no directory"),
        ] {
            let directory = directory.to_str().expect("UTF-8");
            let said = fails("127.0.0.1:9", &[command, directory]);
            says(&said, &[what, directory, "is it the right path?", "--data"]);
        }
    }
    assert!(!missing.exists() && std::fs::read_dir(&empty).expect("there").count() == 0);
}

/// It made a data directory first, with a log of 64 MiB, and then found that it could not listen.
#[test]
fn a_server_without_its_port_leaves_no_directory_behind() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let data = place.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("bound").to_string();
    for ports in [["--listen", &addr], ["--admin", &addr]] {
        let path = data.to_str().expect("UTF-8");
        let other = if ports[0] == "--listen" { "--admin" } else { "--listen" };
        let args = ["serve", "--data", path, ports[0], ports[1], other, "127.0.0.1:0"];
        says(&fails("127.0.0.1:9", &args), &[&addr, "another program has the port", "port 0"]);
        assert!(!data.exists(), "{ports:?}");
    }
}

/// It made a data directory first, and then found that there was no such file.
#[test]
fn definitions_that_are_not_there_are_missed_before_a_directory_is_made() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let data = place.path().join("data");
    says(&refused(&data, &["--apply", "no/such.toml"]), &["no/such.toml", "No such file"]);
    assert!(!data.exists());
}

#[test]
fn a_log_that_a_policy_would_not_serve_is_told_with_the_policies_that_do() {
    let sample = Sample::new(5, None);
    let before = sample.files();
    let said = refused(&sample.path(), &["--sync", "memory"]);
    says(&said, &["wal-0000", "policy memory", "would be served", "always", "another directory"]);
    assert_eq!(sample.files(), before);
}

#[test]
fn a_damaged_snapshot_is_told_with_what_the_log_allows() {
    let young = Sample::new(20, Some(10));
    young.flip(&young.snapshot(), 20);
    let said = refused(&young.path(), &[]);
    says(&said, &[&young.snapshot(), "damaged at byte", "larder repair --drop-snapshot"]);

    let old = Sample::new(90, Some(60));
    assert_ne!(old.segments()[0], "wal-00000000000000000001.log", "the log begins later");
    old.flip(&old.snapshot(), 20);
    let said = refused(&old.path(), &[]);
    says(&said, &[&old.snapshot(), "damaged at byte", "restore the directory from a backup"]);
    assert!(!said.contains("--drop-snapshot"), "the log cannot stand in for it: {said}");
}

#[test]
fn a_damaged_manifest_is_told_with_what_the_log_allows() {
    let young = Sample::new(20, None);
    young.flip("MANIFEST", 60);
    let said = refused(&young.path(), &[]);
    says(&said, &["MANIFEST is damaged", "a backup", "move MANIFEST", "larder check"]);
    // What is told works.
    young.remove("MANIFEST");
    drop(Server::start(&young.path(), &[]));

    let old = Sample::new(90, Some(60));
    old.flip("MANIFEST", 60);
    let said = refused(&old.path(), &[]);
    says(&said, &["MANIFEST is damaged", "restore the directory from a backup", "larder repair"]);
    assert!(!said.contains("move MANIFEST"), "the log cannot stand in for it: {said}");
}
