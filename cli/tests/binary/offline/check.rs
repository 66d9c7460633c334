//! `larder check` finds every kind of damage, names the file, and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stdx::prng::Prng;

use super::sample::Sample;
use crate::harness::Server;

/// Bytes by name.
type Files = BTreeMap<String, Vec<u8>>;

/// The problems of a report that name `file`.
fn problems_of<'a>(report: &'a Json, file: &str) -> Vec<&'a Json> {
    let problems = report["problems"].as_array().expect("a list");
    let names =
        |problem: &&Json| problem["file"].as_str().is_some_and(|found| found.ends_with(file));
    problems.iter().filter(names).collect()
}

#[test]
fn a_whole_directory_is_told_with_all_that_was_covered() {
    let sample = Sample::new(60, Some(25));
    let before = sample.files();
    let report = sample.must_be_whole();
    assert_eq!(report["entities"]["profile"], 60, "{report}");
    let covered = &report["covered"];
    assert_eq!(
        (&covered["last_lsn"], &covered["snapshot_lsn"]),
        (&Json::from(61), &Json::from(26))
    );
    assert_eq!(covered["snapshot_entities"], 25);
    let bytes: usize = before.values().map(Vec::len).sum();
    assert_eq!(
        (covered["files"].as_u64(), covered["bytes"].as_u64()),
        (Some(before.len() as u64), Some(bytes as u64))
    );
    assert_eq!(sample.files(), before, "a check changes nothing");
    let (code, table, said) = sample.run("check", &["--format", "table"]);
    assert!(
        code == 0 && table.contains("entities of profile") && said.contains("is whole"),
        "{table}{said}"
    );
}

/// What is done to a directory, and the file that must be named for it.
struct Damage {
    what: &'static str,
    act: Box<dyn Fn(&Sample)>,
    file: String,
}

impl Damage {
    fn new(what: &'static str, file: &str, act: impl Fn(&Sample) + 'static) -> Self {
        Self { what, act: Box::new(act), file: file.to_owned() }
    }

    /// One that is done to the file that must be named.
    fn of(what: &'static str, file: &str, act: impl Fn(&Sample, &str) + 'static) -> Self {
        let name = file.to_owned();
        Self::new(what, file, move |sample| act(sample, &name))
    }
}

/// Damages of manifest and snapshot; `other` is another directory with files of the same names.
fn of_manifest_and_snapshot(snapshot: &str, first: &str, other: &Files) -> Vec<Damage> {
    let (manifest, foreign) = (other["MANIFEST"].clone(), other[snapshot].clone());
    vec![
        Damage::of("a bit", "MANIFEST", |sample, file| sample.flip(file, 60)),
        Damage::of("an end", "MANIFEST", |sample, file| {
            sample.change(file, |all| all.truncate(50))
        }),
        Damage::of("removed", "MANIFEST", Sample::remove),
        Damage::new("foreign manifest", first, move |sample| {
            sample.put_file("MANIFEST", &manifest)
        }),
        Damage::of("a bit", snapshot, |sample, file| sample.flip(file, 5000)),
        Damage::of("an end", snapshot, |sample, file| {
            sample.change(file, |all| all.truncate(9000))
        }),
        Damage::of("longer", snapshot, |sample, file| sample.change(file, |all| all.push(0))),
        Damage::of("removed", snapshot, Sample::remove),
        Damage::of("renamed", snapshot, |sample, file| sample.rename(file, "snapshot.old")),
        Damage::of("foreign", snapshot, move |sample, file| sample.put_file(file, &foreign)),
    ]
}

/// Damages of the log.
fn of_log(segments: &[String], other: &Files) -> Vec<Damage> {
    let [first, second, .., last] = segments else { panic!("few segments: {segments:?}") };
    let (foreign, behind) = (other[second].clone(), "wal-00000000000000000500.log");
    let (foreign_behind, bak) = (other[first].clone(), format!("{second}.bak"));
    let (as_bak, source) = (second.clone(), first.clone());
    vec![
        Damage::of("a header", first, |sample, file| sample.flip(file, 20)),
        Damage::of("a batch", first, |sample, file| sample.flip(file, 6000)),
        Damage::of("a batch in the middle", second, |sample, file| sample.flip(file, 6000)),
        Damage::of("the last segment", last, |sample, file| sample.flip(file, 4200)),
        Damage::of("an end", second, |sample, file| sample.change(file, |all| all.truncate(9000))),
        Damage::of("the last end", last, |sample, file| {
            sample.change(file, |all| all.truncate(4100));
        }),
        Damage::of("removed", first, Sample::remove),
        Damage::of("removed in the middle", second, Sample::remove),
        Damage::of("removed at the end", last, Sample::remove),
        Damage::of("renamed", second, |sample, file| sample.rename(file, "renamed")),
        Damage::new("renamed alike", &bak, move |sample| {
            sample.rename(&as_bak, &format!("{as_bak}.bak"));
        }),
        Damage::of("foreign", second, move |sample, file| sample.put_file(file, &foreign)),
        Damage::of("foreign at the end", behind, move |sample, file| {
            sample.put_file(file, &foreign_behind);
        }),
        Damage::of("with the bytes of another", second, move |sample, file| {
            sample.put_file(file, &sample.files()[&source]);
        }),
    ]
}

#[test]
fn every_kind_of_damage_is_found_and_its_file_named() {
    let whole = Sample::new(90, Some(40));
    let other = Sample::new(90, Some(40)).files();
    let segments = whole.segments();
    let mut damages = of_manifest_and_snapshot(&whole.snapshot(), &segments[0], &other);
    damages.extend(of_log(&segments, &other));
    for Damage { what, act, file } in &damages {
        let broken = whole.copy();
        act(&broken);
        let before = broken.files();
        let (code, report) = broken.check();
        let said = (code, report["ok"].as_bool(), report["starts"].as_bool());
        assert_eq!(said, (1, Some(false), Some(false)), "{what}, {file}: {report}");
        assert!(!problems_of(&report, file).is_empty(), "{what} must name {file}: {report}");
        for problem in report["problems"].as_array().expect("a list") {
            let remedy = problem["remedy"].as_str();
            assert!(remedy.is_some_and(|remedy| !remedy.is_empty()), "{what}, {file}: {problem}");
        }
        assert_eq!(broken.files(), before, "{what}, {file}: a check changes nothing");
    }
}

#[test]
fn all_problems_are_told_at_once_with_the_records_they_cost() {
    let sample = Sample::new(90, Some(40));
    let (segments, snapshot) = (sample.segments(), sample.snapshot());
    sample.flip(&snapshot, 5000);
    sample.flip(&segments[1], 6000);
    sample.flip(&segments[1], 12_000);
    sample.flip(&segments[2], 4200);
    let (_, report) = sample.check();
    assert_eq!(problems_of(&report, &snapshot).len(), 1, "{report}");
    let gaps = problems_of(&report, &segments[1]);
    let first_lsn: u64 = segments[1][4..24].parse().expect("a number");
    let lost: Vec<_> =
        gaps.iter().map(|gap| (gap["first_lsn"].as_u64(), gap["last_lsn"].as_u64())).collect();
    assert_eq!(lost.len(), 2, "{report}");
    assert!(
        lost.iter().all(|(first, last)| first.is_some() && first == last),
        "one record each: {report}"
    );
    assert!(lost[0].0 > Some(first_lsn) && lost[0].0 < lost[1].0, "{report}");
    assert_eq!(problems_of(&report, &segments[2]).len(), 1, "{report}");
}

#[test]
fn any_flipped_bit_of_any_file_is_found() {
    let whole = Sample::new(60, Some(25));
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(11);
    let mut prng = Prng::new(seed);
    for (name, bytes) in whole.files() {
        let used = bytes.iter().rposition(|byte| *byte != 0).expect("bytes") + 1;
        for _ in 0..12 {
            let at = usize::try_from(prng.below(used as u64)).expect("small");
            let broken = whole.copy();
            broken.change(&name, |bytes| bytes[at] ^= 1 << prng.below(8));
            let (code, report) = broken.check();
            // The last seal is what an unfinished write looks like.
            let is_last = used - at <= 48 && !report["torn_tail"].is_null();
            let is_found = code == 1 && !problems_of(&report, &name).is_empty();
            assert!(is_found || is_last, "seed {seed}, {name} byte {at}: {report}");
        }
    }
}

/// The zeros between a segment's header and its batches were looked at by nobody.
#[test]
fn bytes_in_the_space_behind_a_header_are_found_although_nothing_reads_them() {
    let whole = Sample::new(60, Some(25));
    for segment in whole.segments() {
        for at in [64, 2000, 4095] {
            let broken = whole.copy();
            broken.flip(&segment, at);
            let (code, report) = broken.check();
            let problems = problems_of(&report, &segment);
            assert!(code == 1 && problems.len() == 1, "{segment} {at}: {report}");
            assert_eq!(problems[0]["offset"].as_u64(), Some(at as u64), "{report}");
            assert_eq!(report["starts"], true, "nothing is lost: {report}");
        }
    }
}

#[test]
fn a_torn_tail_and_leftovers_are_told_and_are_no_problem() {
    let sample = Sample::new(30, None);
    let last = sample.segments().pop().expect("a segment");
    let mut end = 0;
    sample.change(&last, |bytes| {
        end = bytes.iter().rposition(|byte| *byte != 0).expect("bytes") + 1;
        bytes[end + 47..end + 100].fill(7);
    });
    for name in ["MANIFEST.next", "wal-next", "snapshot-next", "notes.txt"] {
        sample.put_file(name, b"half");
    }
    let before = sample.files();
    let report = sample.must_be_whole();
    assert!(report["torn_tail"]["offset"].as_u64() >= Some(end as u64), "{report}");
    let roles: Vec<_> = report["files"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|file| file["what"].as_str().expect("a word"))
        .collect();
    assert_eq!(roles.iter().filter(|role| **role == "unfinished").count(), 3, "{roles:?}");
    assert!(roles.contains(&"stray"), "{roles:?}");
    assert_eq!(sample.files(), before, "a check cuts no torn tail");
}

#[test]
fn what_is_no_database_or_in_use_is_refused() {
    let nowhere = Sample::new(1, None);
    for name in nowhere.files().keys() {
        nowhere.remove(name);
    }
    let (code, report) = nowhere.check();
    assert!(code == 1 && report.to_string().contains("no database"), "{report}");
    assert!(nowhere.files().is_empty(), "a check makes nothing");

    let sample = Sample::new(3, None);
    let server = Server::start(&sample.path(), &[]);
    for command in ["check", "inspect", "repair"] {
        let more: &[&str] = if command == "repair" { &["--cut-damage"] } else { &[] };
        let (code, _, said) = sample.run(command, more);
        assert!(code == 1 && said.contains("in use by a server"), "{command}: {said}");
    }
    drop(server);
}
