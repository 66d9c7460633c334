//! Counts the instructions of the hot paths: `valgrind --tool=callgrind` on `benches/examples/hot.rs`, which goes every path a few times,
//! and one of them some times more; the difference is that path without what was made before. On a machine that others use it is the
//! figure that repeats.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::bounds::{Bounds, PATH, grouped};
use crate::cargo::Cargo;
use crate::error::Error;
use crate::report;

/// The program that is counted: with the engine alone, and as one unit of code, so that what is inlined does not hang on how the code
/// was divided.
const BUILD: Cargo = Cargo {
    set: &[("CARGO_PROFILE_RELEASE_LTO", "fat"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")],
    ..Cargo::plain(&[
        "build",
        "--release",
        "--package",
        "larder-benches",
        "--no-default-features",
        "--example",
        "hot",
    ])
};
const VALGRIND: &str = "valgrind";
/// Set where nothing may be left out.
const NO_SKIPS: &str = "LARDER_NO_SKIPS";

/// Counts, and compares with the bounds.
///
/// # Errors
/// [`Error::Check`] names every path above its bound; others when something could not be run.
pub(super) fn check(root: &Path) -> Result<(), Error> {
    let mut bounds = Bounds::read(root)?;
    if !is_there()? {
        return Ok(());
    }
    let (mut above, allowed) = (Vec::new(), bounds.allowed_above);
    count_each(root, &mut bounds, |path, counted, figure| {
        let verdict = judge(counted, *figure, allowed);
        report::data(&format!(
            "{path:14} {:>9} instructions, recorded {:>9}: {verdict}",
            grouped(counted),
            grouped(*figure)
        ));
        if verdict == TOO_MANY {
            above.push(path.to_owned());
        }
    })?;
    if above.is_empty() {
        return Ok(());
    }
    let above = above.join(", ");
    Err(Error::Check(format!(
        "{above}: more than {allowed} % above {PATH}; if that is on purpose, `cargo xtask bench --instructions --record`"
    )))
}

/// Counts, and writes what was counted as the new figures.
///
/// # Errors
/// As [`check`], except that nothing is too many.
pub(super) fn record(root: &Path) -> Result<(), Error> {
    let mut bounds = Bounds::read(root)?;
    if !is_there()? {
        return Err(Error::Check("nothing was counted, so nothing was recorded".to_owned()));
    }
    count_each(root, &mut bounds, |path, counted, figure| {
        report::data(&format!("{path:14} {:>9}, was {:>9}", grouped(counted), grouped(*figure)));
        *figure = counted;
    })?;
    bounds.write(root)
}

const TOO_MANY: &str = "TOO MANY";

fn judge(counted: u64, figure: u64, allowed_above: u64) -> &'static str {
    if counted > most(figure, allowed_above) {
        TOO_MANY
    } else if most(counted, allowed_above) < figure {
        "ok, and so much less that it is worth recording"
    } else {
        "ok"
    }
}

/// Most instructions that a path with `figure` may need.
fn most(figure: u64, allowed_above: u64) -> u64 {
    figure + figure * allowed_above / 100
}

/// True when valgrind can be used: root installs it with apt-get where it is missing. Says so aloud when not.
fn is_there() -> Result<bool, Error> {
    if answers(VALGRIND) {
        return Ok(true);
    }
    if is_root() {
        report::progress("valgrind is missing: apt-get install");
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--no-install-recommends", VALGRIND]);
        install.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        // Where there is no apt-get it is as if it could not install.
        if install.status().is_ok_and(|status| status.success()) && answers(VALGRIND) {
            return Ok(true);
        }
    }
    let told = "valgrind is not installed, so no instructions were counted";
    if env::var_os(NO_SKIPS).is_some() {
        return Err(Error::Check(told.to_owned()));
    }
    report::progress(&format!("SKIPPED: {told}"));
    Ok(false)
}

fn answers(program: &str) -> bool {
    let mut probe = Command::new(program);
    probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Counts every path of `bounds` once; tells `each` what it needs and what was recorded.
fn count_each(
    root: &Path,
    bounds: &mut Bounds,
    mut each: impl FnMut(&str, u64, &mut u64),
) -> Result<(), Error> {
    BUILD.run(root)?;
    let few = collected(root, &[])?;
    for (path, figure) in &mut bounds.figures {
        let more = more_of(path);
        let whole = collected(root, &[path, &more.to_string()])?;
        each(path, whole.saturating_sub(few) / more, figure);
    }
    Ok(())
}

/// How many times more. What the allocator does at other times for it is some 50,000 instructions: less than a hundredth of all.
fn more_of(path: &str) -> u64 {
    if path.ends_with("-batch") { 100 } else { 2000 }
}

/// Instructions of the program with `arguments`.
fn collected(root: &Path, arguments: &[&str]) -> Result<u64, Error> {
    let mut command = Command::new(VALGRIND);
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program(root)).args(arguments);
    let line = format!("{VALGRIND} --tool=callgrind hot {}", arguments.join(" "));
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| Error::Start { command: line.clone(), source })?;
    if !output.status.success() {
        report::progress(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Command { command: line, status: output.status });
    }
    figure(&String::from_utf8_lossy(&output.stderr))
        .ok_or_else(|| Error::Check(format!("{line} told no count of instructions")))
}

/// The figure in what callgrind says: `==123== Collected : 4567`.
fn figure(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    line.trim().parse().ok()
}

fn program(root: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    target.join("release/examples/hot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_found_in_what_callgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 658212470\n==7== \n";
        assert_eq!(figure(said), Some(658_212_470));
        assert_eq!(figure("==7== Events : Ir\n"), None);
    }

    #[test]
    fn only_what_is_above_the_allowance_is_too_many() {
        assert_eq!(judge(1_100, 1_000, 10), "ok");
        assert_eq!(judge(1_101, 1_000, 10), TOO_MANY);
        assert_eq!(judge(950, 1_000, 10), "ok");
        assert!(judge(500, 1_000, 10).contains("worth recording"));
    }
}
