//! There is no room for a snapshot. The checkpoint fails and says why and what to do; reads and writes go on as if nothing had
//! been; when there is room again, a checkpoint succeeds, and a server that is killed has everything.

use client::{GroupWriter, blocking::Client};
use system_tests::{seed::skip, server::Start, small_disk::SmallDisk};

use crate::setting::Setting;

/// Room for the open segment of the log and the next (64 MiB each), for the two that a checkpoint leaves free, and 40 MiB more.
const DISK_BYTES: u64 = 296 << 20;
/// What is left of it: less than the snapshot needs, and the log needs nothing, its space is reserved.
const LEFT_BYTES: u64 = 2 << 20;
/// Users, each with a note: 10 MB in all.
const USERS: i64 = 200;
const NOTE_BYTES: usize = 50_000;

#[test]
fn a_checkpoint_without_space_fails_alone() {
    let disk = match SmallDisk::new(DISK_BYTES) {
        Ok(disk) => disk,
        Err(reason) => return skip("a checkpoint on a full disk", &reason),
    };
    let start = Start::on(&Setting::new().make_in(&disk.path().join("data")));
    let mut server = start.must_start();
    let client = Client::new(server.addr()).expect("a client's thread");
    let profiles = client.group("profile").expect("defined");
    for first in (0..USERS).step_by(50) {
        put(&client, &profiles, first..first + 50);
    }
    let free = rustix::fs::statvfs(disk.path()).expect("it is mounted");
    disk.take_away(free.f_bavail * free.f_frsize - LEFT_BYTES);

    let output = server.run(&["checkpoint"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("disk is full") && error.contains("snapshot-next"), "{error}");
    let log = server.errors();
    assert!(log.contains("a checkpoint failed") && log.contains("free some space"), "{log}");
    assert_eq!(server.figure("checkpoints_failed_count"), 1);
    put(&client, &profiles, USERS..USERS + 10);
    assert_eq!(scanned(&server), USERS + 10, "reads and writes go on");

    disk.give_back();
    let output = server.run(&["checkpoint"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    server.kill();
    assert_eq!(scanned(&start.must_start()), USERS + 10);
}

fn put(client: &Client, profiles: &GroupWriter, users: std::ops::Range<i64>) {
    let note = "x".repeat(NOTE_BYTES);
    let row = |user| {
        profiles.row().key(format!("u{user}")).set("version", user).set("note", note.as_str())
    };
    let count = users.end - users.start;
    let reply = client.wait(profiles.put(users.map(row))).expect("writes are taken");
    assert_eq!(i64::from(reply.applied), count);
}

fn scanned(server: &system_tests::server::Server) -> i64 {
    let output = server.run(&["scan", "profile", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|_| 1).sum()
}
