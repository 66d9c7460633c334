//! Damage that no log can prevent: rot in synced bytes, a write that went to the wrong place, files that somebody cut, zeroed,
//! removed or exchanged, reads that fail. Whatever was hit, a directory that was closed opens with every record that was
//! acknowledged, or is refused with the name of a file. Only when damage takes the end of the log together with the seal behind
//! it, or there is no seal yet, may the last records be missing. Never is there another record.
//!
//! `LARDER_SEED` replays one seed, `LARDER_DAMAGES` sets how many damages are tried.

mod harness;

use std::sync::Arc;

use harness::{config, open_at};
use stdx::{clock::ManualClock, prng::Prng};
use storage::{
    Directory, Error, Lsn, SyncPolicy, Vfs, Wal, WalConfig,
    fs::SimFs,
    snapshot::{SectionTag, Snapshot, SnapshotWriter},
    wal::Work,
};

const SECTION: SectionTag = SectionTag { kind: 1, shard: 0, group: 0 };

/// The payload of a record.
fn payload(lsn: u64) -> Vec<u8> {
    lsn.to_le_bytes().repeat(usize::try_from(1 + lsn % 60).expect("small"))
}

/// A snapshot of the records up to the newest says how many there are.
fn checkpoint(wal: &Wal<SimFs>, prng: &mut Prng) {
    let directory = wal.directory();
    let (number, end) = (directory.next_snapshot_number(), wal.durable_lsn());
    let made =
        SnapshotWriter::create(directory.vfs(), number, directory.cluster(), prng.next_u64());
    let mut out = made.expect("made");
    out.begin(SECTION);
    out.write(&end.0.to_le_bytes()).expect("written");
    out.end();
    let reference = out.finish().expect("finished");
    directory.install(reference, Lsn(end.0 + 1)).expect("installed");
}

/// A directory with so many records, closed or killed.
fn directory(prng: &mut Prng, records: u64, closed: bool) -> SimFs {
    let fs = SimFs::new();
    let clock = Arc::new(ManualClock::at(0));
    let (wal, ..) = open_at(&fs, &config(SyncPolicy::Always), clock).expect("opens");
    for lsn in 1..=records {
        wal.append(7, &payload(lsn)).expect("appended");
        if prng.chance(0.7) || lsn == records {
            wal.step(Work::Write).expect("written");
        }
        if prng.chance(0.02) && wal.durable_lsn() == wal.appended_lsn() {
            checkpoint(&wal, prng);
        }
    }
    if closed {
        wal.close().expect("closed");
    }
    wal.abandon();
    drop(wal);
    fs.kill();
    fs
}

/// Opens as a database does; returns how many records there are, each of them looked at.
fn records(fs: &SimFs) -> Result<u64, Error> {
    let config = WalConfig { seed: 5, ..config(SyncPolicy::Always) };
    let directory = Directory::open(fs.clone(), config.seed)?;
    let mut last = 0;
    if let Some(reference) = directory.snapshot() {
        let snapshot = Snapshot::open(directory.vfs(), &reference, directory.cluster())?;
        let section = snapshot.section(SECTION).expect("every snapshot has it");
        let bytes = section.bytes(0..8)?;
        last = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    }
    let mut next = None;
    let mut replay = |Lsn(lsn), kind, bytes: &[u8]| {
        assert_eq!((kind, bytes), (7, &payload(lsn)[..]), "record {lsn}");
        assert!(next.is_none_or(|next| next == lsn), "record {lsn} out of order");
        next = Some(lsn + 1);
        Ok(())
    };
    Wal::open(&directory, config, Arc::new(ManualClock::at(0)), &mut replay)?;
    last = last.max(next.map_or(0, |next| next - 1));
    Ok(last)
}

/// What was done, and whether it may have taken the end of the log with its seal.
struct Damage {
    what: String,
    reaches_the_seal: bool,
}

/// Whether bytes of `name` up to `end` reach what is written last.
fn reaches_the_seal(fs: &SimFs, name: &str, end: usize) -> bool {
    let names = fs.list().expect("listed");
    let newest = names.iter().rfind(|name| name.ends_with(".log"));
    let bytes = fs.bytes(name);
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    newest.is_some_and(|newest| newest == name) && end > written.saturating_sub(48)
}

/// Does one kind of damage.
fn damage(fs: &SimFs, prng: &mut Prng) -> Damage {
    let before = fs.fork();
    let (what, place) = damage_somewhere(fs, prng);
    let reaches_the_seal = place.is_some_and(|(name, end)| reaches_the_seal(&before, &name, end));
    Damage { what, reaches_the_seal }
}

/// Does one kind of damage and says what it was; for bytes that were overwritten, where they end.
fn damage_somewhere(fs: &SimFs, prng: &mut Prng) -> (String, Option<(String, usize)>) {
    let names = fs.list().expect("listed");
    let mut pick = |bound: usize| usize::try_from(prng.below(bound as u64)).expect("small");
    let name = names[pick(names.len())].clone();
    let other = names[pick(names.len())].clone();
    let length = fs.bytes(&name).len().max(1);
    let (at, bytes) = (pick(length), 1 + pick(600));
    let end = (at + bytes).min(length);
    let mut place = None;
    let what = match pick(8) {
        0 => {
            let bit = at * 8 + pick(8);
            fs.flip_bit(&name, bit);
            format!("bit {bit} of {name} flipped")
        }
        1 => {
            let noise: Vec<u8> =
                (at..end).map(|_| u8::try_from(pick(256)).expect("a byte")).collect();
            fs.damage(&name, |content| content[at..end].copy_from_slice(&noise));
            place = Some((name.clone(), end));
            format!("bytes {at} to {end} of {name} are noise")
        }
        2 => {
            fs.damage(&name, |content| content[at..end].fill(0));
            place = Some((name.clone(), end));
            format!("bytes {at} to {end} of {name} zeroed")
        }
        3 => {
            // A sector that was meant for another place.
            let from = fs.bytes(&other);
            let sector = pick(from.len().div_ceil(512).max(1)) * 512;
            let sector: Vec<u8> = from.iter().skip(sector).take(512).copied().collect();
            let at = at / 512 * 512;
            fs.damage(&name, |content| {
                content.iter_mut().skip(at).zip(&sector).for_each(|(to, from)| *to = *from);
            });
            place = Some((name.clone(), at + sector.len()));
            format!("a sector of {other} written to byte {at} of {name}")
        }
        4 => {
            fs.damage(&name, |content| content.truncate(at));
            format!("{name} cut at byte {at}")
        }
        5 => {
            fs.remove(&name).expect("removed");
            format!("{name} removed")
        }
        6 => {
            let (a, b) = (fs.bytes(&name), fs.bytes(&other));
            fs.damage(&name, |content| content.clone_from(&b));
            fs.damage(&other, |content| content.clone_from(&a));
            format!("{name} and {other} exchanged")
        }
        _ => {
            fs.fail_reads_of(Some(&name));
            format!("{name} cannot be read")
        }
    };
    (what, place)
}

#[test]
fn damage_of_any_kind_is_refused_or_harmless() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, damages) = (number("LARDER_SEED"), number("LARDER_DAMAGES").unwrap_or(20_000));
    let each = 50;
    let seeds = first.map_or(1..1 + damages.div_ceil(each), |seed| seed..seed + 1);
    let (mut refused, mut harmless, mut shortened) = (0_u64, 0_u64, 0_u64);
    for seed in seeds {
        let mut prng = Prng::new(seed);
        let (count, closed) = (1 + prng.below(150), prng.chance(0.7));
        let fs = directory(&mut prng, count, closed);
        assert_eq!(records(&fs.fork()).expect("opens as it is"), count, "seed {seed}");
        for _ in 0..each {
            let copy = fs.fork();
            let Damage { what, reaches_the_seal } = damage(&copy, &mut prng);
            match records(&copy) {
                Ok(left) if left == count => harmless += 1,
                Ok(left) => {
                    let why = format!("seed {seed}: {what}: {left} of {count} records are left");
                    assert!(left < count && (!closed || reaches_the_seal), "{why}");
                    shortened += 1;
                }
                Err(error) => {
                    let named = ["wal-", "snapshot-", "MANIFEST"];
                    let error = error.to_string();
                    assert!(named.iter().any(|name| error.contains(name)), "{what}: {error}");
                    refused += 1;
                }
            }
        }
    }
    println!("{refused} refused, {harmless} harmless, {shortened} unsealed ends cut");
    assert!(first.is_some() || [refused, harmless, shortened].iter().all(|count| *count > 0));
}
