//! The fuzz targets under libFuzzer, one after the other. CI needs none of it: `fuzz/tests/replay.rs` is an ordinary test.

use std::env;
use std::path::Path;

use crate::cargo;
use crate::error::Error;

/// Works with the stable toolchain, as long as no sanitizer is asked for.
const CARGO_FUZZ: &str = "0.13.2";
/// Seconds of each target, when LARDER_FUZZ_SECONDS does not say.
const SECONDS: u64 = 600;
/// Targets, each with a file in `fuzz/libfuzzer/fuzz_targets`, and the words that their inputs are made of.
const TARGETS: [(&str, &str); 11] = [
    ("wal_scan", "storage"),
    ("manifest", "storage"),
    ("snapshot_open", "storage"),
    ("sections", "storage"),
    ("catalog", "storage"),
    ("recovery", "storage"),
    ("ops_crash", "storage"),
    ("frame", "wire"),
    ("request", "wire"),
    ("definitions", "definitions"),
    ("expression", "definitions"),
];

/// See the module. What is found lies in `fuzz/libfuzzer/artifacts`, what was learnt in `target/fuzz-corpus`.
///
/// # Errors
/// [`Error::Command`] for the first target that finds something.
pub(crate) fn run(root: &Path) -> Result<(), Error> {
    if !cargo::knows("fuzz") {
        cargo::call(root, &["install", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ])?;
    }
    let seconds = env::var("LARDER_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = format!("-max_total_time={}", seconds.unwrap_or(SECONDS));
    for (target, words) in TARGETS {
        let dictionary = root.join(format!("fuzz/dictionary/{words}.dict"));
        let dictionary = format!("-dict={}", dictionary.display());
        let learnt = root.join("target/fuzz-corpus").join(target);
        std::fs::create_dir_all(&learnt)
            .map_err(|source| Error::Io { path: learnt.clone(), source })?;
        let seeds = root.join("fuzz/corpus").join(target);
        let (learnt, seeds) = (learnt.display().to_string(), seeds.display().to_string());
        cargo::call(
            root,
            &[
                "fuzz",
                "run",
                "--sanitizer",
                "none",
                "--fuzz-dir",
                "fuzz/libfuzzer",
                target,
                &learnt,
                &seeds,
                "--",
                &time,
                &dictionary,
                "-max_len=70000",
                "-timeout=20",
                "-rss_limit_mb=4096",
            ],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;

    #[test]
    fn every_target_that_is_fuzzed_has_its_file_and_its_corpus() {
        let root = repository::root().expect("run by cargo");
        for (target, words) in TARGETS {
            let file = format!("fuzz/libfuzzer/fuzz_targets/{target}.rs");
            assert!(root.join(file).exists(), "{target}");
            assert!(root.join("fuzz/corpus").join(target).is_dir(), "{target}");
            assert!(root.join(format!("fuzz/dictionary/{words}.dict")).exists(), "{words}");
        }
        let files = std::fs::read_dir(root.join("fuzz/libfuzzer/fuzz_targets")).expect("a folder");
        assert_eq!(files.count(), TARGETS.len());
    }
}
