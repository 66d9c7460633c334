//! A directory is looked at as it is: damage is told and stepped over, every record that is left is shown, and a cut at the damage
//! makes a log that opens again.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{
    Directory, Error, Lsn, SyncPolicy, Vfs,
    fs::SimFs,
    inspect::{self, Found},
    repair::{self, Cut, Plan, Repair},
    snapshot::{SectionTag, SnapshotWriter},
    wal::{Piece, Verdict},
};

/// Twenty records in three segments; ends with a seal.
fn log() -> SimFs {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let payloads: Vec<_> = (1..=20_u8).map(|number| vec![number; 500]).collect();
    append_each(&wal, &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>());
    wal.close().expect("closed");
    fs
}

/// What an inspection shows: the records, and the gaps as offset and bytes.
fn look(fs: &SimFs) -> (Found, Vec<u64>, Vec<(String, u64, u64)>) {
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    let mut visit = |name: &str, piece: Piece<'_>| match piece {
        Piece::Record { lsn, kind, payload } => {
            assert_eq!((kind, u64::from(payload[0]), payload.len()), (7, lsn.0, 500));
            records.push(lsn.0);
        }
        Piece::Gap { offset, bytes } => gaps.push((name.to_owned(), offset, bytes)),
        Piece::Header(_) | Piece::Batch(_) => {}
    };
    let found = inspect::walk(fs, &mut visit).expect("read");
    (found, records, gaps)
}

/// Cuts the log of `fs`.
fn truncate(fs: &SimFs, cut: Cut, floor: Lsn) -> Result<Plan, Error> {
    let repair = Repair::begin(fs)?;
    let plan = repair.plan(cut, false, floor)?;
    repair.run(&plan)?;
    Ok(plan)
}

/// Where the batch of record `lsn` of the first segment stands.
fn batch(lsn: u64) -> u64 {
    4096 + (lsn - 1) * (48 + 5 + 500)
}

const FIRST: &str = "wal-00000000000000000001.log";

#[test]
fn a_whole_log_is_shown_record_by_record_and_found_clean() {
    let fs = log();
    let (found, records, gaps) = look(&fs);
    assert!(found.problems.is_empty() && gaps.is_empty());
    assert!(records.into_iter().eq(1..=20));
    assert!(found.segments.len() == 3 && found.segments.iter().all(|segment| segment.listed));
    assert!(found.segments.iter().all(|segment| segment.walked.verdict == Verdict::Clean));
    let batches: u64 = found.segments.iter().map(|segment| segment.walked.batches).sum();
    let seals: u64 = found.segments.iter().map(|segment| segment.walked.seals).sum();
    assert_eq!((batches, seals), (20, 1));
    let manifest = found.manifest.expect("read");
    assert_eq!((manifest.number, manifest.segments.len(), manifest.durable), (4, 3, Lsn(20)));
}

#[test]
fn what_stands_behind_damage_is_shown_too() {
    let fs = log();
    let at = usize::try_from(batch(3)).expect("small");
    fs.damage(FIRST, |content| content[at + 100] ^= 1);
    fs.damage("MANIFEST", |content| content[20] ^= 1);
    let (found, records, gaps) = look(&fs);
    assert!(records.into_iter().eq((1..=20).filter(|lsn| *lsn != 3)));
    assert_eq!(gaps, [(FIRST.to_owned(), batch(3), 553)]);
    let walked = &found.segments[0].walked;
    let Verdict::Corrupt { offset, why } = &walked.verdict else { panic!("{walked:?}") };
    assert_eq!((*offset, walked.end, walked.last_lsn), (batch(3), batch(3), Lsn(2)));
    assert!(why.contains("synced"), "{why}");
    assert!(matches!(&found.problems[..], [Error::Damaged { file, .. }] if file == "MANIFEST"));
    assert_eq!(found.segments[1].walked.verdict, Verdict::Clean);
}

#[test]
fn a_log_is_cut_at_its_damage_and_opens_again() {
    let fs = log();
    let at = usize::try_from(batch(3)).expect("small");
    fs.damage(FIRST, |content| content[at + 100] ^= 1);
    open(&fs, &config(SyncPolicy::Always)).err().expect("refused");
    let copy = SimFs::new();
    let copied = repair::copy_files(&fs, &copy).expect("copied");
    assert_eq!(copied.files, fs.list().expect("listed").len() as u64);
    for name in fs.list().expect("listed") {
        assert_eq!(fs.bytes(&name), copy.bytes(&name), "{name}");
    }
    let error = repair::copy_files(&fs, &copy).expect_err("not twice").to_string();
    assert!(error.contains("empty directory"), "{error}");

    let cut = truncate(&fs, Cut::AtDamage, Lsn(0)).expect("cut");
    assert_eq!((cut.segment.as_deref(), cut.offset, cut.last_lsn), (Some(FIRST), batch(3), Lsn(2)));
    assert_eq!(cut.removed.len(), 2);
    let (wal, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(records.len(), 2);
    append_each(&wal, &[&[3; 500]]);
    wal.close().expect("closed");
    drop(wal);
    assert!(look(&fs).1.into_iter().eq(1..=3));
}

#[test]
fn a_log_is_cut_before_a_record() {
    for before in 1..=21 {
        let fs = log();
        let cut = truncate(&fs, Cut::Before(Lsn(before)), Lsn(0)).expect("cut");
        assert_eq!(cut.last_lsn, Lsn(before - 1));
        let (_, report, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
        assert_eq!((records.len() as u64, report.torn_tail), (before - 1, None));
    }
}

#[test]
fn a_segment_that_is_gone_or_has_lost_its_header_ends_the_log_before_it() {
    let second = |fs: &SimFs| {
        let mut names = fs.list().expect("listed").into_iter();
        names.rfind(|name| name.ends_with(".log") && name != FIRST).expect("some")
    };
    let (gone, headless) = (log(), log());
    gone.remove(&second(&gone)).expect("removed");
    headless.damage(&second(&headless), |content| content[0] ^= 1);
    for fs in [gone, headless] {
        open(&fs, &config(SyncPolicy::Always)).err().expect("refused");
        let cut = truncate(&fs, Cut::AtDamage, Lsn(0)).expect("cut");
        let (_, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
        assert_eq!(records.len() as u64, cut.last_lsn.0);
        assert!(cut.last_lsn.0 >= 7);
    }
}

#[test]
fn a_cut_below_what_the_snapshot_holds_is_refused() {
    let fs = log();
    let error = truncate(&fs, Cut::Before(Lsn(10)), Lsn(10)).expect_err("refused");
    assert!(matches!(error, Error::CannotCut { last_lsn: 9, needed: 10 }), "{error}");
    assert_eq!(open(&fs, &config(SyncPolicy::Always)).expect("opens").2.len(), 20);
}

/// The power goes at each operation of a cut, and at each of the repair that finishes it: afterwards all is as before, or cut, or
/// refused until the cut is finished; never anything else.
#[test]
fn an_interrupted_cut_leaves_the_old_log_or_is_finished() {
    let (mut untouched, mut unfinished, mut done) = (0, 0, 0);
    for (first, second, seed) in interruptions() {
        let fs = log();
        let mut prng = stdx::prng::Prng::new(seed);
        for operation in [first, second] {
            fs.kill();
            // What is asked for does not matter once a cut was begun.
            let begun = fs.list().expect("listed").iter().any(|name| name == "REPAIR");
            let cut = if begun { Cut::AtDamage } else { Cut::Before(Lsn(4)) };
            fs.power_off_at(operation);
            let cut = truncate(&fs, cut, Lsn(0));
            fs.crash(&mut prng);
            let shown = format!("operations {first} and {second}, seed {seed}: {cut:?}");
            match open(&fs.fork(), &config(SyncPolicy::Always)) {
                Ok((.., records)) if records.len() == 20 => {
                    assert!(cut.is_err() || operation == second, "{shown}");
                    untouched += 1;
                }
                Ok((.., records)) => {
                    assert_eq!(records.len(), 3, "{shown}");
                    done += 1;
                }
                Err(Error::Unfinished { file }) => {
                    assert!(cut.is_err() && file == "REPAIR", "{shown}");
                    unfinished += 1;
                }
                Err(other) => panic!("{shown}: {other}"),
            }
        }
        fs.kill();
        truncate(&fs, Cut::Before(Lsn(4)), Lsn(0)).expect("cut");
        let opened = open(&fs, &config(SyncPolicy::Always));
        assert_eq!(opened.expect("opens").2.len(), 3, "operations {first} and {second}");
    }
    assert!(untouched > 100 && unfinished > 100 && done > 100, "{untouched} {unfinished} {done}");
}

/// Operations at which the power goes, in the cut and in the next, and a seed.
fn interruptions() -> impl Iterator<Item = (u64, u64, u64)> {
    let both = (1..20).flat_map(|first| (1..20).map(move |second| (first, second)));
    both.flat_map(|(first, second)| (0..3).map(move |seed| (first, second, seed)))
}

#[test]
fn a_log_of_which_nothing_is_left_goes_on_behind_the_snapshot() {
    let fs = log();
    let directory = Directory::open(fs.clone(), 1).expect("opens");
    let mut out = SnapshotWriter::create(&fs, 1, directory.cluster(), 9).expect("made");
    out.begin(SectionTag { kind: 1, shard: 0, group: 0 });
    out.end();
    let reference = out.finish().expect("finished");
    let last = fs.list().expect("listed").into_iter().rfind(|name| name.ends_with(".log"));
    let last = last.expect("a segment");
    let first_lsn: u64 = last[4..24].parse().expect("a number");
    directory.install(reference, Lsn(first_lsn)).expect("installed");
    drop(directory);
    fs.damage(&last, |content| content[8] ^= 1);
    let plan = truncate(&fs, Cut::AtDamage, Lsn(first_lsn - 1)).expect("cut");
    assert_eq!((plan.segment.as_deref(), plan.last_lsn.0), (Some(&*last), first_lsn - 1));
    let (wal, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(records, []);
    append_each(&wal, &[&[0; 500]]);
    assert_eq!(wal.appended_lsn(), Lsn(first_lsn));
    let error =
        Repair::begin(&fs.fork()).and_then(|repair| repair.plan(Cut::AtDamage, true, Lsn(0)));
    assert!(matches!(error, Err(Error::CannotDrop { .. })), "{error:?}");
}

#[test]
fn a_damaged_snapshot_is_dropped_when_the_log_has_everything() {
    let fs = log();
    let directory = Directory::open(fs.clone(), 1).expect("opens");
    let out = SnapshotWriter::create(&fs, 1, directory.cluster(), 9).expect("made");
    directory.install(out.finish().expect("finished"), Lsn(3)).expect("installed");
    drop(directory);
    let repair = Repair::begin(&fs).expect("free");
    let plan = repair.plan(Cut::AtDamage, true, Lsn(0)).expect("possible");
    assert_eq!((plan.last_lsn, plan.removed.len()), (Lsn(20), 1));
    repair.run(&plan).expect("done");
    drop(repair);
    let directory = Directory::open(fs.clone(), 1).expect("opens");
    assert_eq!((directory.snapshot(), directory.replay_from()), (None, Lsn(1)));
    drop(directory);
    assert_eq!(open(&fs, &config(SyncPolicy::Always)).expect("opens").2.len(), 20);
}
