//! The server is killed exactly as a system call begins: the n-th write or sync under load, and every call of a very first
//! start, or of a recovery, that touches files. Whatever stands there, the next start opens it.

use system_tests::{
    damage::{files, put_files},
    load::Load,
    seed::{Seed, rounds, skip},
    server::Start,
    syscall_fault::{Effect, SyscallFault, available},
};

use crate::setting::Setting;

/// Longest wait for the kill, in ms.
const KILL_MS_MAX: u64 = 600_000;
/// Long notes fill a segment fast.
const NOTE_BYTES: usize = 48 << 10;
/// A start makes fewer calls of one kind than this.
const START_CALLS_MAX: u32 = 50;

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

/// A segment is reserved when the one before is half full, and begun when that is full.
#[test]
fn a_kill_while_a_segment_follows_another_loses_nothing_acknowledged() {
    if let Err(reason) = available() {
        return skip("kills between segments", &reason);
    }
    let seed = Seed::take();
    let mut kills_under_load = 0;
    for (call, nth) in [("fallocate", 2), ("rename", 1), ("rename", 2), ("fsync", 2)] {
        let setting = Setting::new();
        let start = Start::on(&setting.make());
        let fault = SyscallFault { call, effect: Effect::Kill, nth };
        let mut load = Load::new(seed.value(), 2, 8, NOTE_BYTES);
        // Calls are counted for each thread: some are reached by the start already.
        match start.clone().sync("os").fault(fault).start() {
            Ok(mut server) => {
                let addr = server.addr().to_owned();
                load.run(&addr, |running| {
                    running.run_for(KILL_MS_MAX);
                    assert!(running.is_over(), "{fault:?} never came");
                });
                server.kill();
                kills_under_load += 1;
            }
            Err(refused) => assert!(refused.status.code().is_none(), "{}", refused.message),
        }
        load.must_have_everything(&start.must_start());
    }
    assert!(kills_under_load > 1, "only {kills_under_load} kills between segments");
}

/// Kills a start at each call of each kind that changes files; `prepare` makes the directory before each start. Returns the
/// number of kills.
fn kill_starts_everywhere(load: &Load, prepare: impl Fn() -> Setting) -> u64 {
    let mut kills = 0;
    for call in
        ["openat", "fallocate", "pwrite64", "ftruncate", "fdatasync", "fsync", "rename", "unlink"]
    {
        for nth in 1..START_CALLS_MAX {
            let setting = prepare();
            let start = Start::on(&setting.data()).apply(&setting.definitions());
            match start.clone().fault(SyscallFault { call, effect: Effect::Kill, nth }).start() {
                Ok(_) => break,
                Err(refused) if refused.status.code().is_none() => kills += 1,
                Err(refused) => panic!("{call} {nth}: {}", refused.message),
            }
            let server = start.must_start();
            let mut load = load.clone();
            load.must_have_everything(&server);
            load.run(server.addr(), |running| {
                running.wait_until(KILL_MS_MAX, || running.acks() > 5)
            });
            load.must_have_everything(&server);
        }
    }
    kills
}

#[test]
fn a_first_start_that_is_killed_anywhere_is_finished_by_the_next() {
    if let Err(reason) = available() {
        return skip("kills during the first start", &reason);
    }
    let seed = Seed::take();
    let kills = kill_starts_everywhere(&Load::new(seed.value(), 1, 4, 64), Setting::new);
    assert!(kills > 5, "only {kills} kills: nothing was tested");
}

#[test]
fn a_recovery_that_is_killed_anywhere_is_finished_by_the_next() {
    if let Err(reason) = available() {
        return skip("kills during recovery", &reason);
    }
    let seed = Seed::take();
    let crashed = Setting::new();
    let mut server = Start::on(&crashed.make()).must_start();
    let addr = server.addr().to_owned();
    let mut load = Load::new(seed.value(), 2, 4, 64);
    load.run(&addr, |running| {
        assert!(running.wait_until(KILL_MS_MAX, || running.acks() > 50), "{}", running.acks());
        server.kill();
    });
    let files = files(&crashed.data());
    let kills = kill_starts_everywhere(&load, || {
        let setting = Setting::new();
        put_files(&setting.data(), &files);
        setting
    });
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
