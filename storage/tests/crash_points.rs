//! Random lives of a log on a disk that loses power at any operation, recovery included.
//!
//! Promises: what was acknowledged under `always` is there after the crash; what is there is a prefix of what was appended,
//! unchanged; a crash alone is never taken for corruption. `LARDER_SEED` replays one seed, `LARDER_CRASHES` sets how many.

mod harness;

use harness::{config, open};
use stdx::prng::Prng;
use storage::{SyncLevel, SyncPolicy, WalConfig, fs::SimFs, wal::Work};

/// What the outside world knows of the log.
#[derive(Default)]
struct World {
    /// Payloads by record number - 1, as they were last appended.
    appended: Vec<Vec<u8>>,
    acknowledged: usize,
}

/// One life: opens, appends and flushes until the power goes at a random operation, or closes.
fn live(
    fs: &SimFs,
    config: &WalConfig,
    world: &mut World,
    prng: &mut Prng,
) -> Result<(), storage::Error> {
    if prng.chance(0.9) {
        fs.power_off_at(1 + prng.below(40));
    }
    let (wal, _, records) = open(fs, config)?;
    assert!(
        records.len() >= world.acknowledged,
        "{} acknowledged, {} left",
        world.acknowledged,
        records.len()
    );
    assert!(records.len() <= world.appended.len(), "a record that nobody appended");
    for ((lsn, _, payload), expected) in records.iter().zip(&world.appended) {
        assert_eq!(payload, expected, "record {lsn}");
    }
    // What was not acknowledged may be gone; from here on it never was.
    world.appended.truncate(records.len());
    world.acknowledged = records.len();
    for _ in 0..prng.below(12) {
        for _ in 0..prng.below(4) {
            let length = if prng.chance(0.1) { 3000 } else { prng.below(40) };
            let payload: Vec<u8> =
                (0..length).map(|_| u8::try_from(prng.below(256)).expect("a byte")).collect();
            wal.append(1, &payload)?;
            world.appended.push(payload);
        }
        let work = match prng.below(4) {
            0 => Work::Idle,
            1 => Work::Sync,
            _ => Work::Write,
        };
        let done = wal.step(work);
        if config.sync == SyncPolicy::Always || work == Work::Sync {
            world.acknowledged =
                world.acknowledged.max(usize::try_from(wal.durable_lsn().0).expect("small"));
        }
        done?;
    }
    if prng.chance(0.3) {
        let lsn = wal.appended_lsn();
        wal.close()?;
        wal.ticket(lsn, Some(SyncLevel::Durable)).wait()?;
        world.acknowledged = world.appended.len();
    } else {
        wal.abandon();
    }
    Ok(())
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok());
    let crashes: u64 =
        std::env::var("LARDER_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let lives_per_seed = 10;
    let seeds = seed.map_or(1..1 + crashes / lives_per_seed, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let report = std::panic::catch_unwind(|| {
            let mut prng = Prng::new(seed);
            let fs = SimFs::new();
            let mut world = World::default();
            let policy = if prng.chance(0.7) { SyncPolicy::Always } else { SyncPolicy::Os };
            for life in 0..lives_per_seed {
                let config = WalConfig { seed: seed * 100 + life, ..config(policy) };
                if let Err(error) = live(&fs, &config, &mut world, &mut prng) {
                    let text = error.to_string();
                    let expected =
                        ["power", "poisoned", "closed"].iter().any(|part| text.contains(part));
                    assert!(expected, "{text}");
                }
                if prng.chance(0.3) {
                    fs.kill();
                } else {
                    fs.crash(&mut prng);
                }
            }
        });
        assert!(report.is_ok(), "seed {seed}: replay with LARDER_SEED={seed}");
    }
}
