//! A server is killed under load again and again, on one directory. A killed process loses nothing that it acknowledged,
//! under any sync policy that keeps a log: the system still has what was written.

use system_tests::{
    load::Load,
    seed::{Seed, rounds},
    server::Start,
};

use crate::setting::Setting;

/// Longest wait for the first writes of a round, in ms.
const WRITES_MS_MAX: u64 = 60_000;
/// Writes of a round, at least: disks differ by a hundredfold.
const ROUND_ACKS: u64 = 8;

fn nothing_is_lost(policy: &'static str) {
    let seed = Seed::take();
    let mut prng = seed.stream("kills");
    let setting = Setting::new();
    let start = Start::on(&setting.make()).sync(policy);
    let mut load = Load::new(seed.value(), 4, 8, 64);
    let mut acks = 0;
    for _ in 0..rounds(15) {
        let mut server = start.must_start();
        load.must_have_everything(&server);
        let addr = server.addr().to_owned();
        acks += load.run(&addr, |running| {
            running.wait_until(WRITES_MS_MAX, || running.acks() >= ROUND_ACKS);
            running.run_for(20 + prng.below(101));
            server.kill();
            running.acks()
        });
    }
    load.must_have_everything(&start.must_start());
    assert!(acks > 100, "only {acks} writes were acknowledged: nothing was tested");
}

#[test]
fn a_kill_loses_nothing_acknowledged_under_always() {
    nothing_is_lost("always");
}

#[test]
fn a_kill_loses_nothing_acknowledged_under_interval() {
    nothing_is_lost("interval");
}

#[test]
fn a_kill_loses_nothing_acknowledged_under_os() {
    nothing_is_lost("os");
}
