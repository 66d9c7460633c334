//! The server is killed exactly as a system call begins: the n-th write or sync under load, and every call of a very first
//! start that changes files. Whatever stands there, the next start opens it.

use system_tests::{
    load::Load,
    seed::{Seed, rounds, skip},
    server::Start,
    syscall_fault::{Effect, SyscallFault, available},
};

use crate::setting::Setting;

/// Longest wait for the kill, in ms.
const KILL_MS_MAX: u64 = 20_000;
/// A first start makes fewer calls of one kind than this.
const FIRST_CALLS_MAX: u32 = 50;

#[test]
fn a_kill_at_a_write_or_sync_loses_nothing_acknowledged() {
    if let Err(reason) = available() {
        return skip("kills at system calls", &reason);
    }
    let seed = Seed::take();
    let mut prng = seed.stream("kills");
    let setting = Setting::new();
    let start = Start::on(&setting.make());
    let mut load = Load::new(seed.value(), 4, 8, 64);
    let mut server = start.must_start();
    for _ in 0..rounds(12) {
        load.must_have_everything(&server);
        server.kill();
        let call = if prng.chance(0.5) { "pwrite64" } else { "fdatasync" };
        let nth = 2 + u32::try_from(prng.below(30)).expect("small");
        server = start.clone().fault(SyscallFault { call, effect: Effect::Kill, nth }).must_start();
        let addr = server.addr().to_owned();
        load.run(&addr, |running| {
            running.run_for(KILL_MS_MAX);
            assert!(running.is_over(), "the {nth}-th {call} never came");
        });
        server.kill();
        server = start.must_start();
    }
    load.must_have_everything(&server);
}

#[test]
fn a_first_start_that_is_killed_anywhere_is_finished_by_the_next() {
    if let Err(reason) = available() {
        return skip("kills during the first start", &reason);
    }
    let seed = Seed::take();
    let mut kills = 0;
    for call in ["openat", "fallocate", "pwrite64", "fdatasync", "fsync", "rename", "write"] {
        for nth in 1..FIRST_CALLS_MAX {
            let setting = Setting::new();
            let start = Start::on(&setting.data()).apply(&setting.definitions());
            match start.clone().fault(SyscallFault { call, effect: Effect::Kill, nth }).start() {
                Ok(_) => break,
                Err(refused) if refused.status.code().is_none() => kills += 1,
                Err(refused) => panic!("{call} {nth}: {}", refused.message),
            }
            let mut load = Load::new(seed.value(), 1, 4, 64);
            let server = start.must_start();
            load.run(server.addr(), |running| {
                running.wait_until(KILL_MS_MAX, || running.acks() > 5)
            });
            load.must_have_everything(&server);
        }
    }
    assert!(kills > 5, "only {kills} kills: nothing was tested");
}

#[test]
fn a_first_start_on_a_disk_that_fails_names_a_file_and_is_finished_by_the_next() {
    if let Err(reason) = available() {
        return skip("failing calls during the first start", &reason);
    }
    for (call, errno) in [
        ("fallocate", "ENOSPC"),
        ("pwrite64", "EIO"),
        ("fdatasync", "EIO"),
        ("fsync", "EIO"),
        ("rename", "EIO"),
    ] {
        let setting = Setting::new();
        let start = Start::on(&setting.data()).apply(&setting.definitions());
        let fault = SyscallFault { call, effect: Effect::Error(errno), nth: 1 };
        let Err(refused) = start.clone().fault(fault).start() else {
            panic!("the first {call} of a start may fail unnoticed");
        };
        assert_eq!(refused.status.code(), Some(1), "{fault:?}: {}", refused.message);
        let data = setting.data().to_string_lossy().into_owned();
        let place = data.trim_end_matches("/data");
        assert!(refused.message.contains(place), "{fault:?}: {}", refused.message);
        start.must_start().kill();
    }
}
