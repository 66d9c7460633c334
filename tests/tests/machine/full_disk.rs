//! The disk fills up under load. Writes are refused, and say why; reads go on; nothing acknowledged is lost. When there is
//! space again, writes are taken within seconds, without a restart.

use client::Error;
use system_tests::{
    load::Load,
    seed::{Seed, skip},
    sender::Sender,
    server::Start,
    small_disk::SmallDisk,
};

use crate::setting::Setting;

/// Room for the open segment (64 MiB), not for the next while the rest is taken away.
const DISK_BYTES: u64 = 168 << 20;
const TAKEN_AWAY_BYTES: u64 = 80 << 20;
/// Long notes fill a disk fast.
const NOTE_BYTES: usize = 48 << 10;
/// Longest wait for the disk to be full, in ms.
const FULL_MS_MAX: u64 = 60_000;
/// Longest wait for writes to be taken again, in ms: the disk is tried every half second, and may be slow.
const RESUME_MS_MAX: u64 = 10_000;

#[test]
fn a_full_disk_refuses_writes_until_there_is_space_and_loses_nothing() {
    let seed = Seed::take();
    let disk = match SmallDisk::new(DISK_BYTES) {
        Ok(disk) => disk,
        Err(reason) => return skip("a full disk", &reason),
    };
    let start = Start::on(&Setting::new().make_in(&disk.path().join("data")));
    disk.take_away(TAKEN_AWAY_BYTES);
    let mut server = start.must_start();
    let addr = server.addr().to_owned();
    let mut load = Load::new(seed.value(), 2, 8, NOTE_BYTES);

    load.run(&addr, |running| {
        let refused = running.wait_until(FULL_MS_MAX, || running.refusals() > 3);
        assert!(refused, "not full after {} writes: {}", running.acks(), server.errors());
    });
    load.compare(&server).expect("reads go on and show everything acknowledged");
    let told = refusal(&addr);
    for part in ["disk is full", "needs", "are free", &*disk.path().to_string_lossy()] {
        assert!(told.contains(part), "{part:?} is missing in: {told}");
    }

    load.run(&addr, |running| {
        assert!(running.wait_until(FULL_MS_MAX, || running.refusals() > 0), "it is full no more");
        let acks = running.acks();
        disk.give_back();
        let resumed = running.wait_until(RESUME_MS_MAX, || running.acks() > acks);
        assert!(resumed, "no write was taken within {RESUME_MS_MAX} ms of space returning");
    });
    load.must_have_everything(&server);
    server.kill();
    load.must_have_everything(&start.must_start());
}

/// What a refused writer is told.
fn refusal(addr: &str) -> String {
    let mut journal = system_tests::journal::Journal::new("bystander", 1);
    let write = journal.send(&mut stdx::prng::Prng::new(0));
    let sender = Sender::connect(addr, "bystander", 0).expect("it can be asked");
    let error = sender.send(&write).expect_err("the disk is full");
    assert!(matches!(error, Error::Operator(_)) && !error.may_be_applied(), "{error:?}");
    error.to_string()
}
