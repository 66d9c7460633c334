//! Random lives of a log on a disk that loses power at any operation (recovery's too), fails single operations, and fills up.
//!
//! Promises: what the log called durable is there after a power cut, and what it called written after a kill; what is there is
//! a prefix of what was appended, unchanged; after a failed operation nothing is acknowledged any more; none of this is ever
//! taken for corruption. `LARDER_SEED` replays one seed, `LARDER_CRASHES` sets how many crashes there are.

mod harness;

use std::sync::Arc;

use harness::{config, open_at};
use stdx::{clock::ManualClock, prng::Prng};
use storage::{Error, Lsn, SyncPolicy, Wal, WalConfig, fs::SimFs, wal::Work};

/// Lives that share one disk.
const LIVES: u64 = 10;

/// What the outside world knows of the log.
#[derive(Default)]
struct World {
    /// Payloads by record number - 1, as they were last appended.
    appended: Vec<Vec<u8>>,
    /// Records called safe from a power cut.
    durable: usize,
    /// Records called safe from a kill, unless the power went since.
    written: usize,
}

/// How often what the test is about has happened, so that it cannot quietly stop happening.
#[derive(Debug, Default)]
struct Coverage {
    torn_tails: u64,
    poisonings: u64,
    full_disks: u64,
    rotations: u64,
    crashes_in_recovery: u64,
}

impl World {
    fn check(&mut self, records: &harness::Records) {
        let left = records.len();
        let safe = self.durable.max(self.written);
        assert!(left >= safe, "{safe} records were called safe, {left} are left");
        assert!(left <= self.appended.len(), "a record that nobody appended");
        for ((lsn, _, payload), expected) in records.iter().zip(&self.appended) {
            assert_eq!(payload, expected, "record {lsn}");
        }
        // What was not safe may be gone: from here on it never was there. What is there is safe.
        self.appended.truncate(left);
        (self.durable, self.written) = (left, left);
    }

    fn note(&mut self, wal: &Wal<SimFs>) {
        let count = |Lsn(lsn): Lsn| usize::try_from(lsn).expect("few records");
        self.durable = self.durable.max(count(wal.durable_lsn()));
        self.written = self.written.max(count(wal.written_lsn()));
    }
}

struct Life<'a> {
    fs: &'a SimFs,
    world: &'a mut World,
    prng: &'a mut Prng,
    coverage: &'a mut Coverage,
    clock: Arc<ManualClock>,
}

impl Life<'_> {
    /// Opens, appends and flushes until something fails, or closes.
    fn live(&mut self, config: &WalConfig) -> Result<(), Error> {
        if self.prng.chance(0.8) {
            self.fs.power_off_at(1 + self.prng.below(50));
        }
        if self.prng.chance(0.3) {
            self.fs.fail_at(1 + self.prng.below(40));
        }
        let opened = open_at(self.fs, config, self.clock.clone());
        let (wal, report, records) =
            opened.inspect_err(|_| self.coverage.crashes_in_recovery += 1)?;
        self.coverage.torn_tails += u64::from(report.torn_tail.is_some());
        self.world.check(&records);
        let done = self.write(&wal);
        self.world.note(&wal);
        self.coverage.rotations += wal.stats().segments - report.segments;
        if wal.poisoned().is_some() {
            self.coverage.poisonings += 1;
            self.check_poisoned(&wal);
        }
        wal.abandon();
        done
    }

    fn write(&mut self, wal: &Wal<SimFs>) -> Result<(), Error> {
        for _ in 0..self.prng.below(12) {
            for _ in 0..self.prng.below(4) {
                let length = if self.prng.chance(0.1) { 3000 } else { self.prng.below(40) };
                let byte = |_| u8::try_from(self.prng.below(256)).expect("a byte");
                let payload: Vec<u8> = (0..length).map(byte).collect();
                wal.append(1, &payload)?;
                self.world.appended.push(payload);
            }
            self.clock.advance_ms(u32::try_from(self.prng.below(60)).expect("small"));
            let work = match self.prng.below(4) {
                0 => Work::Idle,
                1 => Work::Sync,
                _ => Work::Write,
            };
            self.fs.set_capacity(self.prng.chance(0.1).then_some(20_000));
            let stepped = wal.step(work);
            self.world.note(wal);
            if let Err(Error::Full(_)) = stepped {
                self.coverage.full_disks += 1;
                assert!(matches!(wal.reserve(1), Err(Error::Full(_))), "writers are refused");
                self.fs.set_capacity(None);
                wal.step(Work::Write)?;
                wal.reserve(1)?;
            } else {
                stepped?;
            }
        }
        if self.prng.chance(0.3) {
            self.fs.set_capacity(None);
            wal.close()?;
            self.world.note(wal);
            assert_eq!(self.world.durable, self.world.appended.len(), "a closed log is whole");
        }
        Ok(())
    }

    /// Whatever is tried after a failure, nothing more is called safe.
    fn check_poisoned(&self, wal: &Wal<SimFs>) {
        for work in [Work::Write, Work::Sync, Work::Idle, Work::Close] {
            assert!(matches!(wal.step(work), Err(Error::Poisoned(_))), "{work:?}");
        }
        assert!(matches!(wal.append(1, b"late"), Err(Error::Poisoned(_) | Error::Closed)));
        let position = |Lsn(lsn): Lsn| usize::try_from(lsn).expect("few records");
        assert!(position(wal.durable_lsn()) <= self.world.durable);
        assert!(position(wal.written_lsn()) <= self.world.written);
    }
}

fn run(seed: u64, coverage: &mut Coverage) {
    let mut prng = Prng::new(seed);
    let fs = SimFs::new();
    let mut world = World::default();
    let policy = match prng.below(4) {
        0 => SyncPolicy::Os,
        1 => SyncPolicy::Interval,
        _ => SyncPolicy::Always,
    };
    for life in 0..LIVES {
        let config = WalConfig { seed: seed * 100 + life, ..config(policy) };
        let (world, prng) = (&mut world, &mut prng);
        let clock = Arc::new(ManualClock::at(0));
        let lived = Life { fs: &fs, world, prng, coverage, clock }.live(&config);
        match lived {
            Ok(()) | Err(Error::Poisoned(_) | Error::Io { .. } | Error::Full(_)) => {}
            Err(other) => panic!("life {life}: {other}"),
        }
        fs.set_capacity(None);
        if prng.chance(0.4) {
            fs.kill();
        } else {
            fs.crash(prng);
            world.written = world.durable;
        }
    }
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let crashes = number("LARDER_CRASHES").unwrap_or(20_000);
    let seeds = match number("LARDER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + crashes.div_ceil(LIVES),
    };
    let few = seeds.end - seeds.start < 100;
    let mut coverage = Coverage::default();
    for seed in seeds {
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(seed, &mut coverage);
        }));
        assert!(lived.is_ok(), "seed {seed}: replay with LARDER_SEED={seed}");
    }
    println!("{coverage:?}");
    let Coverage { torn_tails, poisonings, full_disks, rotations, crashes_in_recovery } = coverage;
    let each = [torn_tails, poisonings, full_disks, rotations, crashes_in_recovery];
    assert!(few || each.iter().all(|count| *count > 0), "{each:?}");
}
