//! The power fails under load, again and again, on one disk. What was acknowledged before, under `always`, is there;
//! under `interval`, all but the newest is. The control, `os`, must lose writes: a harness that loses nothing proves nothing.
//!
//! Acknowledgements read after the cut began do not count: it races with syncs in flight, as a real one does.

use system_tests::{
    journal::Promise,
    load::{Load, Verdict},
    power::PowerDisk,
    seed::{Seed, rounds, say, skip},
    server::Start,
};

use crate::setting::Setting;

/// What a round with sync policy `interval` may lose: the writes of the interval, in ms, …
const INTERVAL_MS: u64 = 50;
/// … and those during the sync that ends it: twice the longest one that was seen, and so many ms for a busy machine.
const BUSY_MS: u64 = 1_000;
/// Most rounds lose no more than if the machine had hardly been busy.
const HARDLY_BUSY_MS: u64 = 100;
/// Longest wait for the first writes of a round, in ms.
const WRITES_MS_MAX: u64 = 60_000;
/// Writes of a round, at least: disks differ by a hundredfold.
const ROUND_ACKS: u64 = 4;

struct Round {
    verdict: Verdict,
    acks: u64,
    /// From the first lost acknowledgement to the cut, in ms.
    lost_ms: u64,
    /// The longest sync before the cut, in ms.
    sync_ms: u64,
}

/// Cuts the power `count` times, each time after a little more than `after_ms` ms of writes. `promise` is of the time of the cut and the longest sync before it, both in ns.
fn cut_again_and_again(
    policy: &'static str,
    (count, after_ms): (u64, u64),
    promise: impl Fn(u64, u64) -> Promise,
) -> Option<Vec<Round>> {
    let seed = Seed::take();
    let mut disk = match PowerDisk::new() {
        Ok(disk) => disk,
        Err(reason) => {
            skip(&format!("power loss under {policy}"), &reason);
            return None;
        }
    };
    let mut prng = seed.stream("cuts");
    let data = Setting::new().make_in(&disk.path().join("data"));
    let start = Start::on(&data).sync(policy);
    let mut load = Load::new(seed.value(), 4, 8, 64);
    let mut rounds = Vec::new();
    let mut server = start.must_start();
    for _ in 0..count {
        let addr = server.addr().to_owned();
        let ms = after_ms + 20 + prng.below(101);
        let (cut_ns, sync_ns, acks) = load.run(&addr, |running| {
            running.wait_until(WRITES_MS_MAX, || running.acks() >= ROUND_ACKS);
            running.run_for(ms);
            let sync_ns = server.figure("wal_sync_time_us_max") * 1000;
            let cut_ns = running.cut();
            disk.cut();
            server.kill();
            (cut_ns, sync_ns, running.acks())
        });
        disk.restore();
        server = start.must_start();
        let verdict = load.judge(&server, promise(cut_ns, sync_ns));
        let verdict =
            verdict.unwrap_or_else(|error| panic!("{error}\nthe server said: {}", server.errors()));
        let lost_ms = verdict.first_lost_ns.map_or(0, |first| (cut_ns - first) / 1_000_000);
        rounds.push(Round { verdict, acks, lost_ms, sync_ms: sync_ns / 1_000_000 });
    }
    server.kill();
    let acks: u64 = rounds.iter().map(|round| round.acks).sum();
    let lost: u64 = rounds.iter().map(|round| round.verdict.acked_lost).sum();
    let lost_ms = rounds.iter().map(|round| round.lost_ms).max().unwrap_or(0);
    say(&format!(
        "{policy}: {count} cuts, {acks} acknowledged, {lost} of them lost, at most {lost_ms} ms of them"
    ));
    assert!(acks > 2 * count, "only {acks} writes were acknowledged: nothing was tested");
    Some(rounds)
}

#[test]
fn a_power_loss_takes_nothing_acknowledged_under_always() {
    cut_again_and_again("always", (rounds(20), 0), |_, _| Promise::Everything);
}

#[test]
fn a_power_loss_takes_only_the_newest_writes_under_interval() {
    // Long enough that there are writes which may not be lost.
    let count = rounds(20);
    let promise = |cut_ns: u64, sync_ns| {
        let may_be_lost_ns = (INTERVAL_MS + BUSY_MS) * 1_000_000 + 2 * sync_ns;
        Promise::Before(cut_ns.saturating_sub(may_be_lost_ns))
    };
    let cut = cut_again_and_again("interval", (count, INTERVAL_MS + BUSY_MS), promise);
    let Some(rounds) = cut else { return };
    let is_soon =
        |round: &&Round| round.lost_ms <= INTERVAL_MS + HARDLY_BUSY_MS + 2 * round.sync_ms;
    let soon = rounds.iter().filter(is_soon).count() as u64;
    assert!(soon * 2 > count, "only {soon} of {count} cuts lost no more than an interval's writes");
}

/// Not a property of the product, but of the harness.
#[test]
fn a_power_loss_does_take_writes_that_nobody_synced() {
    let count = rounds(20).min(20);
    let Some(rounds) = cut_again_and_again("os", (count, 0), |_, _| Promise::Nothing) else {
        return;
    };
    let lossy = rounds.iter().filter(|round| round.verdict.acked_lost > 0).count() as u64;
    assert!(lossy * 2 > count, "only {lossy} of {count} cuts lost writes");
}
