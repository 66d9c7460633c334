//! Somebody reads the log while it goes on: each record that is on the disk comes once, in order, across segments and restarts of
//! the reader; what was not read yet is not removed, unless it is given up; damage is never taken for the end.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{
    Error, LogReader, Lsn, ReadOn, SyncPolicy, Vfs, Wal,
    fs::{SimFs, VFile},
    snapshot::{SectionTag, SnapshotWriter},
    wal::Work,
};

/// Reads on; the numbers of the records that came, whose payloads must be their numbers.
fn read(wal: &Wal<SimFs>, reader: &mut LogReader, bytes_max: u64) -> (ReadOn, Vec<u64>) {
    let mut lsns = Vec::new();
    let read = wal.read_on(reader, bytes_max, &mut |lsn, kind, payload| {
        assert_eq!((kind, payload[0]), (7, u8::try_from(lsn.0 % 256).expect("a byte")), "{lsn}");
        lsns.push(lsn.0);
        Ok(())
    });
    (read.expect("the log is whole"), lsns)
}

fn append(wal: &Wal<SimFs>, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        append_each(wal, &[&[u8::try_from(number % 256).expect("a byte"); 100]]);
    }
}

fn checkpoint(wal: &Wal<SimFs>, replay_from: Lsn) -> u64 {
    let directory = wal.directory();
    let number = directory.next_snapshot_number();
    let vfs = directory.vfs();
    let mut out = SnapshotWriter::create(vfs, number, directory.cluster(), 5).expect("begun");
    out.begin(SectionTag { kind: 1, shard: 0, group: 0 });
    out.write(b"all there is").expect("written");
    out.end();
    let reference = out.finish().expect("finished");
    directory.install(reference, replay_from).expect("installed").segments
}

#[test]
fn each_record_on_the_disk_comes_once_while_the_log_goes_on() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let (mut reader, mut all) = (LogReader::from(Lsn(1)), Vec::new());
    assert_eq!(read(&wal, &mut reader, 1000), (ReadOn::End(0), vec![]));
    for turn in 0..20 {
        let last = turn * 11 + 10;
        append(&wal, turn * 11 + 1..=last);
        // Appended, and not on the disk: it does not come.
        let waiting = u8::try_from(last + 1).expect("a byte");
        wal.append(7, &[waiting; 100]).expect("appended");
        loop {
            let (read, lsns) = read(&wal, &mut reader, 400);
            all.extend(lsns);
            if matches!(read, ReadOn::End(_)) {
                break;
            }
        }
        assert_eq!((all.last(), reader.next()), (Some(&last), Lsn(last + 1)));
        let (_, anew) = read(&wal, &mut LogReader::from(Lsn(turn * 5 + 3)), u64::MAX);
        assert_eq!(anew, (turn * 5 + 3..=last).collect::<Vec<_>>());
        wal.step(Work::Write).expect("the disk works");
    }
    all.extend(read(&wal, &mut reader, u64::MAX).1);
    assert_eq!(all, (1..=220).collect::<Vec<_>>());
    assert!(wal.segments().len() > 2);
}

#[test]
fn what_was_not_read_yet_stays_and_what_is_given_up_is_told() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append(&wal, 1..=200);
    let segments = wal.segments();
    let (second, last) = (segments[1].first_lsn, segments.last().expect("there is one").first_lsn);
    let mut reader = LogReader::from(Lsn(1));
    wal.directory().keep_from(reader.next());
    assert_eq!(checkpoint(&wal, last), 0, "nobody has read any of it");
    wal.directory().keep_from(second);
    assert_eq!(checkpoint(&wal, last), 1);
    assert_eq!(read(&wal, &mut reader, u64::MAX), (ReadOn::Gone(second), vec![]));
    let (_, lsns) = read(&wal, &mut reader, u64::MAX);
    assert_eq!(lsns, (second.0..=200).collect::<Vec<_>>());
    // A start reads what is kept, and a view has only what a start needs.
    let view = wal.view().expect("viewed");
    assert!(view.list().expect("listed").iter().filter(|name| name.ends_with(".log")).count() == 1);
    wal.close().expect("closed");
    drop(wal);
    let (wal, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(records.first().map(|(lsn, ..)| *lsn), Some(second.0));
    wal.directory().keep_from(Lsn::MAX);
    assert!(checkpoint(&wal, last) > 0);
    assert_eq!(wal.segments()[0].first_lsn, last);
}

#[test]
fn what_nobody_keeps_any_more_can_go_without_a_checkpoint() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append(&wal, 1..=200);
    let segments = wal.segments();
    let last = segments.last().expect("there is one").first_lsn;
    let removed = || wal.directory().remove_unkept().expect("the disk works").segments;
    assert_eq!(removed(), 0, "no snapshot has any of it");
    wal.directory().keep_from(Lsn(1));
    assert_eq!(checkpoint(&wal, last), 0);
    assert_eq!(removed(), 0, "all of it is kept");
    wal.directory().keep_from(segments[2].first_lsn);
    assert_eq!(removed(), 2);
    assert_eq!(wal.segments()[0].first_lsn, segments[2].first_lsn);
    wal.close().expect("closed");
    drop(wal);
    let (wal, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(records.first().map(|(lsn, ..)| *lsn), Some(segments[2].first_lsn.0));
    wal.directory().keep_from(Lsn::MAX);
    assert!(wal.directory().remove_unkept().expect("the disk works").segments > 0);
    assert_eq!(wal.segments()[0].first_lsn, last);
}

/// The seal came between the last read and the removal: what followed seemed to continue nothing.
#[test]
fn a_seal_that_nobody_read_before_its_segment_went_is_missed_by_nobody() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append(&wal, 1..=5);
    let mut reader = LogReader::from(Lsn(1));
    assert_eq!(read(&wal, &mut reader, u64::MAX).1, [1, 2, 3, 4, 5]);
    wal.step(Work::Idle).expect("the disk works");
    wal.append(7, &[6; 7000]).expect("appended");
    wal.step(Work::Write).expect("the disk works");
    let second = wal.segments()[1].first_lsn;
    assert_eq!(second, Lsn(6));
    let mut elsewhere = LogReader::from(Lsn(1));
    assert_eq!(read(&wal, &mut elsewhere, 1).1, [1]);
    wal.directory().keep_from(reader.next());
    assert_eq!(checkpoint(&wal, second), 1);
    assert_eq!(read(&wal, &mut reader, u64::MAX).1, [6]);
    assert_eq!(read(&wal, &mut elsewhere, 1).0, ReadOn::Gone(second));
}

#[test]
fn damage_is_told_with_its_place_and_is_not_the_end() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append(&wal, 1..=3);
    let name = wal.segments()[0].name.clone();
    let whole = fs.bytes(&name);
    let damaged = 4096 + 48 + 5 + 50;
    fs.open(&name).expect("opens").write_at(damaged, &[whole[4096 + 103] ^ 1]).expect("written");
    let mut reader = LogReader::from(Lsn(1));
    let error = wal.read_on(&mut reader, u64::MAX, &mut |_, _, _| Ok(())).expect_err("damaged");
    assert!(
        matches!(&error, Error::Corrupt { file, offset: 4096, first_lsn: 1, .. } if file.contains(&name)),
        "{error}"
    );
    fs.open(&name).expect("opens").write_at(0, &whole).expect("written");
    assert_eq!(read(&wal, &mut reader, u64::MAX).1, [1, 2, 3]);
    let stop =
        wal.read_on(&mut LogReader::from(Lsn(2)), u64::MAX, &mut |_, _, _| Err("full".into()));
    assert!(matches!(stop, Err(Error::Replay { lsn: 2, .. })));
}
