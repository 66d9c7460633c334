//! `larder repair` mends what it says it mends, keeps a copy of what was before, and leaves a directory that a server starts on.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::sample::{Sample, files};
use crate::harness::Server;

/// `larder repair` with `args`; it must succeed. The plan.
fn repaired(sample: &Sample, args: &[&str]) -> Json {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    let (code, plan, said) = sample.run("repair", &args);
    assert_eq!(code, 0, "{args:?}: {plan}{said}");
    serde_json::from_str(&plan).expect("a plan")
}

/// The rows that a server shows on the directory, by their number.
fn served(sample: &Sample) -> Vec<u64> {
    let server = Server::start(&sample.path(), &[]);
    let rows = server.ok(&["scan", "profile", "--format", "json"]);
    let visits = |line: &str| {
        let row: Json = serde_json::from_str(line).expect("JSON");
        row["values"]["visits"].as_u64().expect("a number")
    };
    let mut visits: Vec<u64> = rows.lines().map(visits).collect();
    visits.sort_unstable();
    visits
}

fn copy_of(sample: &Sample, number: u32) -> PathBuf {
    sample.parent().join(format!("data.before-repair-{number}"))
}

#[test]
fn a_log_cut_at_its_damage_keeps_every_row_before_it() {
    let sample = Sample::new(90, Some(40));
    let segments = sample.segments();
    sample.flip(&segments[1], 6000);
    sample.flip(&segments[2], 5000);
    let before = sample.files();

    let plan = repaired(&sample, &["--cut-damage"]);
    assert_eq!(sample.files(), before, "without --yes nothing changes");
    assert!(!copy_of(&sample, 1).exists());
    let kept = plan["last_lsn_kept"].as_u64().expect("a number");
    assert_eq!(
        (plan["first_lsn_lost"].as_u64(), plan["last_lsn_lost"].as_u64()),
        (Some(kept + 1), Some(91))
    );
    assert_eq!(plan["records_lost_that_can_be_read"].as_u64(), Some(91 - kept - 2), "{plan}");
    assert_eq!(plan["segment_cut"], segments[1].as_str());

    let done = repaired(&sample, &["--cut-damage", "--yes"]);
    assert_eq!(done, plan);
    assert_eq!(files(&copy_of(&sample, 1)), before, "the copy is what was before");
    let report = sample.must_be_whole();
    assert_eq!(report["covered"]["last_lsn"].as_u64(), Some(kept));
    assert!(served(&sample).into_iter().eq(1..kept), "row n is record n + 1");
    sample.must_be_whole();
}

#[test]
fn a_log_is_cut_before_a_record_and_another_copy_kept() {
    let sample = Sample::new(60, None);
    for (number, cut) in [(1, "50"), (2, "21")] {
        let before = sample.files();
        let plan = repaired(&sample, &["--cut-at", cut, "--yes"]);
        assert_eq!(plan["first_lsn_lost"].as_u64(), cut.parse().ok());
        assert_eq!(files(&copy_of(&sample, number)), before);
        sample.must_be_whole();
    }
    assert!(served(&sample).into_iter().eq(1..=19));
}

#[test]
fn a_damaged_snapshot_is_dropped_while_the_log_has_everything() {
    // The checkpoint is young: nothing of the log went for it.
    let sample = Sample::new(20, Some(10));
    let snapshot = sample.snapshot();
    sample.flip(&snapshot, 3000);
    let (code, _, said) = sample.run("repair", &["--cut-damage", "--yes"]);
    assert!(code == 1 && said.contains(&snapshot) && said.contains("--drop-snapshot"), "{said}");
    let (_, report) = sample.check();
    assert!(
        report["problems"][0]["remedy"].as_str().expect("words").contains("--drop-snapshot"),
        "{report}"
    );
    let before = sample.files();
    let plan = repaired(&sample, &["--drop-snapshot", "--yes"]);
    assert_eq!(
        (&plan["snapshot_dropped"], &plan["records_lost"]),
        (&Json::from(true), &Json::Null)
    );
    assert_eq!(files(&copy_of(&sample, 1)), before);
    assert!(!sample.files().contains_key(&snapshot));
    sample.must_be_whole();
    assert!(served(&sample).into_iter().eq(1..=20));
}

#[test]
fn a_cut_that_would_leave_what_cannot_be_opened_is_refused() {
    let sample = Sample::new(90, Some(40));
    sample.flip(&sample.segments()[1], 6000);
    let refused: [(&[&str], &str); 5] = [
        (&["--cut-at", "30", "--yes"], "snapshot needs it up to record 41"),
        (&["--drop-snapshot", "--cut-damage", "--yes"], "the log begins with record"),
        (&["--drop-snapshot"], "record"),
        (&["--cut-damage", "--yes", "--copy-to", "/proc"], "empty directory"),
        (&["--yes"], "say what to give up"),
    ];
    let before = sample.files();
    for (args, why) in refused {
        let (code, _, said) = sample.run("repair", args);
        assert!(code != 0 && said.contains(why), "{args:?}: {said}");
        assert_eq!(sample.files(), before, "{args:?}: nothing changes");
    }
    assert!(!copy_of(&sample, 1).exists());
}

#[test]
fn a_copy_goes_where_it_is_wanted() {
    let sample = Sample::new(10, None);
    let place = sample.parent().join("kept");
    repaired(&sample, &["--cut-at", "5", "--yes", "--copy-to", place.to_str().expect("UTF-8")]);
    assert!(files(&place).contains_key("MANIFEST") && !copy_of(&sample, 1).exists());
    sample.must_be_whole();
}

#[test]
fn an_interrupted_repair_is_refused_by_name_and_then_finished() {
    let sample = Sample::new(60, None);
    sample.put_file("REPAIR", b"cut behind record 30\n");
    let (code, report) = sample.check();
    assert_eq!(code, 1);
    let problem = &report["problems"][0];
    assert!(problem["file"].as_str().is_some_and(|file| file.ends_with("REPAIR")), "{report}");
    let (code, _, said) = sample.run("serve", &[]);
    assert_ne!(code, 0, "serve takes no directory as a word: {said}");
    let directory = sample.path().display().to_string();
    let refused = crate::harness::larder(
        "127.0.0.1:9",
        &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", &directory],
    );
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("REPAIR") && said.contains("larder repair"),
        "{said}"
    );
    let plan = repaired(&sample, &["--yes"]);
    assert_eq!(
        (&plan["finishes_a_repair"], &plan["last_lsn_kept"]),
        (&Json::from(true), &Json::from(30))
    );
    assert!(!copy_of(&sample, 1).exists(), "the copy was made before it was begun");
    sample.must_be_whole();
    assert!(served(&sample).into_iter().eq(1..=29));
}

#[test]
fn a_damaged_manifest_is_inferred_from_a_log_that_has_everything() {
    let sample = Sample::new(30, None);
    sample.flip("MANIFEST", 30);
    let (code, report) = sample.check();
    let remedy = report["problems"][0]["remedy"].as_str().expect("words");
    assert!(code == 1 && remedy.contains("move MANIFEST"), "{report}");
    sample.remove("MANIFEST");
    sample.must_be_whole();
    assert!(served(&sample).into_iter().eq(1..=30));
}

/// The manifest said that the log reaches back to record 1; the segment was gone, and the snapshot the only place with its rows.
#[test]
fn a_snapshot_is_not_dropped_when_the_segments_it_stands_for_are_missing() {
    let sample = Sample::new(20, Some(10));
    sample.remove(&sample.segments()[0]);
    let before = sample.files();
    let (code, _, said) = sample.run("repair", &["--drop-snapshot", "--cut-damage", "--yes"]);
    assert!(code == 1 && said.contains("cannot be dropped"), "{said}");
    assert_eq!(sample.files(), before);
}

/// A whole directory was copied, cut at its end and checked, with no word that there had been nothing to do.
#[test]
fn a_whole_directory_is_told_to_be_whole_and_not_copied() {
    for checkpoint in [None, Some(25)] {
        let sample = Sample::new(60, checkpoint);
        let before = sample.files();
        let cuts: [&[&str]; 4] =
            [&[], &["--cut-damage", "--yes"], &["--cut-at", "62", "--yes"], &["--yes"]];
        for args in cuts {
            let (code, plan, said) = sample.run("repair", args);
            assert!(code == 0 && said.contains("nothing to repair"), "{args:?}: {said}");
            assert!(said.contains("its last record, 61") && said.contains("is whole"), "{said}");
            let plan: Json = serde_json::from_str(&plan).expect("a plan");
            assert_eq!(plan["nothing_to_repair"], true, "{plan}");
            assert_eq!(sample.files(), before);
        }
        assert!(!copy_of(&sample, 1).exists());
        let plan = repaired(&sample, &["--cut-at", "61"]);
        assert_eq!(plan["nothing_to_repair"], false, "there is something to cut: {plan}");
    }
}

/// The log is whole, and still the directory is not: a repair has nothing to offer, and must not say that all is well.
#[test]
fn nothing_to_repair_does_not_hide_what_else_is_wrong() {
    let sample = Sample::new(20, None);
    sample.flip(&sample.segments()[0], 100);
    let (code, _, said) = sample.run("repair", &["--cut-damage", "--yes"]);
    assert!(
        code == 1 && said.contains("nothing to repair") && said.contains("1 problem"),
        "{said}"
    );
    assert!(!copy_of(&sample, 1).exists());
}

/// It said that the log begins with record 0.
#[test]
fn a_snapshot_is_not_dropped_for_a_log_of_which_nothing_can_be_used() {
    let sample = Sample::new(10, Some(5));
    sample.flip(&sample.segments()[0], 20);
    let (code, _, said) = sample.run("repair", &["--drop-snapshot", "--cut-damage", "--yes"]);
    assert!(code == 1 && said.contains("no segment of the log can be used"), "{said}");
    assert!(said.contains("cannot be dropped") && said.contains("backup"), "{said}");
}
