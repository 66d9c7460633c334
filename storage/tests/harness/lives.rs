//! Random lives of a log on a disk that loses power at any operation (recovery's and a checkpoint's too), fails single
//! operations, and fills up; and what must be true after each.
//!
//! A checkpoint here is a small snapshot that says how many records it holds and what their checksum is.

use std::sync::Arc;

use stdx::{checksum::crc64, clock::ManualClock, prng::Prng};
use storage::{
    Directory, Error, Lsn, RecoveryReport, SyncLevel, SyncPolicy, Wal, WalConfig,
    fs::SimFs,
    snapshot::{SectionTag, Snapshot, SnapshotWriter},
    wal::Work,
};

/// Lives that share one disk.
pub(crate) const LIVES: u64 = 10;

/// The only section of a snapshot.
const SECTION: SectionTag = SectionTag { kind: 1, shard: 0, group: 0 };

/// What the outside world knows of the log.
#[derive(Default)]
struct World {
    /// Payloads by record number - 1, as they were last appended.
    appended: Vec<Vec<u8>>,
    /// Records called safe from a power cut.
    durable: usize,
    /// Records called safe from a kill, unless the power went since.
    written: usize,
    /// Highest number of a snapshot that was said to count.
    installed: u64,
    /// Highest number that was given to a snapshot, whether it came to count or not.
    numbered: u64,
}

/// How often what the test is about has happened, so that it cannot quietly stop happening.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) torn_tails: u64,
    pub(crate) poisonings: u64,
    pub(crate) full_disks: u64,
    pub(crate) rotations: u64,
    pub(crate) crashes_in_recovery: u64,
    pub(crate) checkpoints: u64,
    pub(crate) failed_checkpoints: u64,
    pub(crate) segments_removed: u64,
    pub(crate) starts_from_a_snapshot: u64,
}

impl Coverage {
    /// Each count, in the order of the fields.
    pub(crate) fn all(&self) -> [u64; 9] {
        [
            self.torn_tails,
            self.poisonings,
            self.full_disks,
            self.rotations,
            self.crashes_in_recovery,
            self.checkpoints,
            self.failed_checkpoints,
            self.segments_removed,
            self.starts_from_a_snapshot,
        ]
    }
}

impl std::ops::AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.torn_tails += other.torn_tails;
        self.poisonings += other.poisonings;
        self.full_disks += other.full_disks;
        self.rotations += other.rotations;
        self.crashes_in_recovery += other.crashes_in_recovery;
        self.checkpoints += other.checkpoints;
        self.failed_checkpoints += other.failed_checkpoints;
        self.segments_removed += other.segments_removed;
        self.starts_from_a_snapshot += other.starts_from_a_snapshot;
    }
}

/// What a snapshot of `records` says: how many there are, and the checksum of them all.
fn summary(records: &[Vec<u8>]) -> Vec<u8> {
    let parts: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    [(records.len() as u64).to_le_bytes(), crc64(0, &parts).to_le_bytes()].concat()
}

impl World {
    /// What a start found: the records in the snapshot, and those that were replayed.
    fn check(&mut self, in_snapshot: usize, records: &[(u64, Vec<u8>)]) {
        let first = records.first().map_or(in_snapshot + 1, |(lsn, ..)| index(*lsn));
        assert!(first <= in_snapshot + 1, "records {} to {first} are missing", in_snapshot + 1);
        assert!(records.iter().map(|(lsn, ..)| index(*lsn)).eq(first..first + records.len()));
        let left = in_snapshot.max(first + records.len() - 1);
        let safe = self.durable.max(self.written);
        assert!(left >= safe, "{safe} records were called safe, {left} are left");
        assert!(left <= self.appended.len(), "a record that nobody appended");
        for ((lsn, payload), expected) in records.iter().zip(self.appended.iter().skip(first - 1)) {
            assert_eq!(payload, expected, "record {lsn}");
        }
        // What was not safe may be gone: from here on it never was there. What is there is safe.
        self.appended.truncate(left);
        (self.durable, self.written) = (left, left);
    }

    fn note(&mut self, wal: &Wal<SimFs>) {
        self.durable = self.durable.max(index(wal.durable_lsn().0));
        self.written = self.written.max(index(wal.written_lsn().0));
    }
}

fn newest_segment(wal: &Wal<SimFs>) -> Option<Lsn> {
    wal.segments().last().map(|segment| segment.first_lsn)
}

fn index(lsn: u64) -> usize {
    usize::try_from(lsn).expect("few records")
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
            self.fs.power_off_at(1 + self.prng.below(70));
        }
        if self.prng.chance(0.3) {
            self.fs.fail_at(1 + self.prng.below(60));
        }
        let opened = self.open(config);
        let (wal, report) = opened.inspect_err(|_| self.coverage.crashes_in_recovery += 1)?;
        self.coverage.torn_tails += u64::from(report.torn_tail.is_some());
        let newest = newest_segment(&wal);
        let done = self.write(&wal);
        self.world.note(&wal);
        let rotated = newest_segment(&wal) != newest;
        self.coverage.rotations += u64::from(rotated);
        if wal.poisoned().is_some() {
            self.coverage.poisonings += 1;
            self.check_poisoned(&wal);
        }
        wal.abandon();
        done
    }

    /// Starts as a database does: manifest, snapshot, log. Compares what is there with what must be.
    fn open(&mut self, config: &WalConfig) -> Result<(Wal<SimFs>, RecoveryReport), Error> {
        let directory = Directory::open(self.fs.clone(), config.seed)?;
        let mut in_snapshot = 0;
        let number = directory.snapshot().map_or(0, |snapshot| snapshot.number);
        assert!(number >= self.world.installed, "snapshot {number} is older than one that counts");
        assert!(number <= self.world.numbered, "nobody wrote snapshot {number}");
        if let Some(reference) = directory.snapshot() {
            self.coverage.starts_from_a_snapshot += 1;
            let snapshot = Snapshot::open(directory.vfs(), &reference, directory.cluster())?;
            let section = snapshot.section(SECTION).expect("every snapshot has it");
            let bytes = section.bytes(0..16)?;
            let count = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
            in_snapshot = index(count);
            let held = self.world.appended.get(..in_snapshot).expect("records that were appended");
            assert_eq!(bytes, summary(held), "snapshot {number} of {count} records");
        }
        let mut records = Vec::new();
        let mut replay = |Lsn(lsn), _, payload: &[u8]| {
            records.push((lsn, payload.to_vec()));
            Ok(())
        };
        let (wal, report) = Wal::open(&directory, config.clone(), self.clock.clone(), &mut replay)?;
        assert_eq!(report.records, records.len() as u64);
        // A manifest that was found may be in the system's memory only, until a start has gone well.
        self.world.installed = number;
        self.world.check(in_snapshot, &records);
        Ok((wal, report))
    }

    /// Writes a snapshot of all that was appended, and has it count once the log holds that too.
    fn checkpoint(&mut self, wal: &Wal<SimFs>) -> Result<(), Error> {
        let directory = wal.directory();
        let number = directory.next_snapshot_number();
        assert!(number > self.world.installed, "{number} was given before");
        self.world.numbered = self.world.numbered.max(number);
        let salt = self.prng.next_u64();
        let mut out = SnapshotWriter::create(directory.vfs(), number, directory.cluster(), salt)?;
        let end = wal.appended_lsn();
        out.begin(SECTION);
        out.write(&summary(&self.world.appended[..index(end.0)]))?;
        out.end();
        let mut ticket = wal.ticket(end, Some(SyncLevel::Durable)).try_done();
        while ticket.is_none() {
            wal.step(Work::Write)?;
            wal.step(Work::Sync)?;
            ticket = wal.ticket(end, Some(SyncLevel::Durable)).try_done();
        }
        ticket.expect("answered")?;
        let reference = out.finish()?;
        let older = self.prng.below(20).min(end.0);
        // Never below what an earlier checkpoint has let go.
        let replay_from = Lsn((end.0 + 1 - older).max(directory.replay_from().0));
        let removed = directory.install(reference, replay_from)?;
        self.world.installed = number;
        self.coverage.segments_removed += removed.segments;
        Ok(())
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
            let capacity = 8192 + self.prng.below(12_000);
            self.fs.set_capacity(self.prng.chance(0.1).then_some(capacity));
            if self.prng.chance(0.15) {
                let done = self.checkpoint(wal);
                self.world.note(wal);
                self.coverage.checkpoints += u64::from(done.is_ok());
                self.coverage.failed_checkpoints += u64::from(done.is_err());
            }
            self.clock.advance_ms(u32::try_from(self.prng.below(60)).expect("small"));
            let work = match self.prng.below(4) {
                0 => Work::Idle,
                1 => Work::Sync,
                _ => Work::Write,
            };
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
        assert!(index(wal.durable_lsn().0) <= self.world.durable);
        assert!(index(wal.written_lsn().0) <= self.world.written);
    }
}

/// Lives of one seed.
pub(crate) fn run(seed: u64, coverage: &mut Coverage) {
    let mut prng = Prng::new(seed);
    let fs = SimFs::new();
    let mut world = World::default();
    let policy = match prng.below(4) {
        0 => SyncPolicy::Os,
        1 => SyncPolicy::Interval,
        _ => SyncPolicy::Always,
    };
    for life in 0..LIVES {
        let config = WalConfig {
            sync: policy,
            segment_bytes: 8192,
            seed: seed * 100 + life,
            threaded: false,
            ..WalConfig::default()
        };
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
