//! One write or sync of the log fails, and the next would succeed, as after a failed writeback. The database must not go on:
//! whatever is acknowledged after that may be lost. It says so, reads go on, and a restart has everything acknowledged.

use system_tests::{
    load::Load,
    seed::{Seed, skip},
    server::{Server, Start},
    syscall_fault::{Effect, SyscallFault, available},
};

use crate::setting::Setting;

/// Longest wait for the fault, in ms.
const FAULT_MS_MAX: u64 = 600_000;
/// How long writers go on trying afterwards, in ms.
const AFTERWARDS_MS: u64 = 50;

fn poisons(call: &'static str, errno: &'static str, policy: &'static str) {
    if let Err(reason) = available() {
        return skip(&format!("{call} that fails with {errno}"), &reason);
    }
    let seed = Seed::take();
    let nth = 2 + u32::try_from(seed.stream("fault").below(40)).expect("small");
    let data = Setting::new();
    let start = Start::on(&data.make()).sync(policy);
    let fault = SyscallFault { call, effect: Effect::Error(errno), nth };
    let mut server = start.clone().fault(fault).must_start();
    let addr = server.addr().to_owned();
    let mut load = Load::new(seed.value(), 4, 8, 64);

    // Every writer stops, with its write in doubt, or is refused from then on.
    load.run(&addr, |running| {
        running.wait_until(FAULT_MS_MAX, || running.refusals() > 3);
    });
    assert!(is_poisoned(&server), "{fault:?}: {}", server.errors());
    let acks = load.run(&addr, |running| {
        running.run_for(AFTERWARDS_MS);
        running.acks()
    });
    assert_eq!(acks, 0, "{fault:?}: a poisoned database acknowledges nothing");
    load.compare(&server).expect("reads go on and show everything acknowledged");

    server.kill();
    load.must_have_everything(&start.must_start());
}

fn is_poisoned(server: &Server) -> bool {
    let output = server.run(&["stats", "--format", "json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().any(|line| line.contains("wal_health") && line.contains("poisoned"))
}

#[test]
fn a_failed_sync_poisons_under_always() {
    poisons("fdatasync", "EIO", "always");
}

#[test]
fn a_failed_sync_poisons_under_interval() {
    poisons("fdatasync", "EIO", "interval");
}

#[test]
fn a_sync_without_space_poisons() {
    poisons("fdatasync", "ENOSPC", "always");
}

#[test]
fn a_failed_write_poisons() {
    poisons("pwrite64", "EIO", "always");
}

#[test]
fn a_write_without_space_poisons_where_space_was_reserved() {
    poisons("pwrite64", "ENOSPC", "os");
}
