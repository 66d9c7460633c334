//! `larder inspect` prints what the documents in `docs/formats/` say stands there: compared with the bytes, read by hand.

use serde_json::Value as Json;

use super::sample::Sample;

fn inspected(sample: &Sample, args: &[&str]) -> Vec<Json> {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    let (code, lines, said) = sample.run("inspect", &args);
    assert_eq!(code, 0, "{said}");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn are<'a>(lines: &'a [Json], what: &str) -> Vec<&'a Json> {
    lines.iter().filter(|line| line["what"] == what).collect()
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")).into()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn hex_at(bytes: &[u8], at: usize, length: usize) -> String {
    bytes[at..at + length].iter().rev().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_manifest_is_shown_as_manifest_md_draws_it() {
    let sample = Sample::new(60, Some(25));
    let bytes = &sample.files()["MANIFEST"];
    let lines = inspected(&sample, &[]);
    let manifest = are(&lines, "manifest")[0];
    assert_eq!(manifest["cluster"], hex_at(bytes, 16, 16));
    assert_eq!(manifest["number"], u64_at(bytes, 32));
    assert_eq!(manifest["key_seed"], hex_at(bytes, 40, 8));
    assert_eq!(manifest["snapshot"], u64_at(bytes, 48));
    assert_eq!(are(&lines, "snapshot")[0]["bytes"], u64_at(bytes, 56));
    assert_eq!(are(&lines, "snapshot")[0]["checksum"], hex_at(bytes, 64, 8));
    assert_eq!(manifest["replay_from"], u64_at(bytes, 72));
    assert_eq!(manifest["durable"], u64_at(bytes, 80));
    let count = usize::try_from(u32_at(bytes, 88)).expect("few");
    let segments: Vec<u64> = (0..count).map(|index| u64_at(bytes, 96 + 16 * index)).collect();
    assert_eq!(manifest["segments"], Json::from(segments));
}

#[test]
fn the_log_is_shown_as_wal_md_draws_it() {
    let sample = Sample::new(60, None);
    let lines = inspected(&sample, &["--records"]);
    let mut batches = lines.iter().filter(|line| line["what"] == "batch" || line["what"] == "seal");
    let mut records = are(&lines, "record").into_iter();
    for (name, segment) in sample.segments().iter().zip(are(&lines, "segment")) {
        let bytes = &sample.files()[name];
        assert_eq!(
            (&segment["file"], &segment["cluster"]),
            (&Json::from(name.as_str()), &Json::from(hex_at(bytes, 16, 16)))
        );
        assert_eq!(
            (&segment["salt"], &segment["first_lsn"]),
            (&Json::from(hex_at(bytes, 32, 8)), &Json::from(u64_at(bytes, 40)))
        );
        let mut at = 4096;
        while &bytes[at..at + 4] == b"LBAT" {
            let batch = batches.next().expect("a line");
            let length = usize::try_from(u32_at(bytes, at + 4)).expect("small");
            let shown = [
                &batch["offset"],
                &batch["bytes"],
                &batch["first_lsn"],
                &batch["records"],
                &batch["durable_before"],
            ];
            let drawn = [
                at as u64,
                length as u64,
                u64_at(bytes, at + 16),
                u32_at(bytes, at + 24),
                u64_at(bytes, at + 32),
            ];
            assert_eq!(shown.map(Json::as_u64), drawn.map(Some), "{name} at {at}");
            let mut record_at = at + 48;
            for index in 0..u32_at(bytes, at + 24) {
                let record = records.next().expect("a line");
                let payload = u32_at(bytes, record_at);
                assert_eq!(
                    (record["lsn"].as_u64(), record["bytes"].as_u64()),
                    (Some(u64_at(bytes, at + 16) + index), Some(payload))
                );
                let kind = ["", "definitions", "put"][usize::from(bytes[record_at + 4])];
                assert_eq!(record["kind"], kind);
                record_at += 5 + usize::try_from(payload).expect("small");
            }
            at += length;
        }
    }
    assert!(batches.next().is_none() && records.next().is_none());
    assert!(are(&lines, "judgement").iter().all(|line| line["verdict"] == "clean"));
    let put = are(&lines, "record")[1];
    assert_eq!(
        (&put["of"], &put["count"], &put["applied"]),
        (&Json::from("profile"), &Json::from(1), &Json::from(1))
    );
}

#[test]
fn sections_are_shown_as_snapshot_md_draws_their_directory() {
    let sample = Sample::new(30, Some(30));
    let bytes = &sample.files()[&sample.snapshot()];
    let footer = bytes.len() - 48;
    let count = usize::try_from(u64_at(bytes, footer + 32)).expect("few");
    let lines = inspected(&sample, &["--sections"]);
    let sections = are(&lines, "section");
    assert_eq!(sections.len(), count);
    let kinds = ["", "catalog", "clocks", "ids", "producers", "rows", "windows"];
    for (index, section) in sections.iter().enumerate() {
        let at = footer - 32 * (count - index);
        assert_eq!(section["kind"], kinds[usize::try_from(u32_at(bytes, at)).expect("small")]);
        assert_eq!(section["shard"], u32_at(bytes, at + 4));
        assert_eq!(section["bytes"], u64_at(bytes, at + 24));
    }
    let entities = sections.iter().filter(|section| section["of"] == "profile");
    assert_eq!(
        entities.map(|section| section["count"].as_u64().expect("a number")).sum::<u64>(),
        30
    );
}

#[test]
fn records_are_shown_from_one_on_and_not_more_than_asked_for() {
    let sample = Sample::new(60, None);
    let lines = inspected(&sample, &["--records", "--from", "20", "--limit", "3"]);
    let lsns: Vec<_> = are(&lines, "record").iter().map(|record| record["lsn"].as_u64()).collect();
    assert_eq!(lsns, [Some(20), Some(21), Some(22)]);
    assert!(are(&lines, "section").is_empty());
    let (code, text, _) =
        sample.run("inspect", &["--records", "--limit", "1", "--format", "table"]);
    assert!(code == 0 && text.contains("kind definitions"), "{text}");
    assert_eq!(sample.run("inspect", &["--format", "csv"]).0, 2);
}

#[test]
fn what_is_damaged_is_shown_as_far_as_it_can_be_read() {
    let sample = Sample::new(60, Some(25));
    sample.flip(&sample.segments()[1], 6000);
    sample.flip("MANIFEST", 60);
    let lines = inspected(&sample, &["--records"]);
    assert_eq!((are(&lines, "gap").len(), are(&lines, "problem").len()), (1, 1));
    assert!(lines.iter().any(|line| line["verdict"] == "corrupt"));
    assert_eq!(are(&lines, "record").last().expect("records")["lsn"], 61);
}
