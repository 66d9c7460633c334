//! `cargo xtask test`: everything that CI runs, as a table of steps.

use std::time::Duration;

use crate::cargo::Cargo;
use crate::error::Error;
use crate::select::select;
use crate::step::{self, Action, Step};

/// A release build without assertions that is compiled soon: compiling for speed takes many times longer than all models do.
const QUICK: [(&str, &str); 2] =
    [("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")];

/// The longest call took 24 minutes, cold and on two cores; a machine may have half their speed.
const CALL_LIMIT: Duration = Duration::from_secs(60 * 60);

/// In the order in which a mistake is cheapest to find.
const STEPS: &[Step] = &[
    Step {
        name: "check",
        about: "formatting, clippy and the rules of the repository",
        action: Action::Check,
    },
    Step {
        name: "unit",
        about: "every test of the workspace but the last step's, examples in the docs included",
        // Not the examples: whether they compile is clippy's to say, and each is a program to link.
        action: Action::Each(&[
            Cargo {
                makes_binary_in: Some("debug"),
                ..Cargo::plain(&[
                    "test",
                    "--workspace",
                    "--exclude",
                    "larder-system-tests",
                    "--tests",
                ])
            },
            Cargo::plain(&["test", "--workspace", "--doc"]),
        ]),
    },
    Step {
        name: "mutants",
        about: "bugs planted in the log and its snapshots, which the random lives must find",
        action: Action::Cargo(Cargo::plain(&[
            "test",
            "--package",
            "larder-storage",
            "--features",
            "mutants",
            "--test",
            "mutants",
            "--test",
            "snapshot_mutants",
        ])),
    },
    Step {
        name: "sim-mutants",
        about: "bugs planted anywhere below the server, which the simulated databases must find",
        action: Action::Cargo(Cargo::plain(&[
            "test",
            "--package",
            "larder-sim",
            "--features",
            "mutants",
            "--test",
            "mutants",
        ])),
    },
    Step {
        name: "loom",
        about: "every interleaving where threads meet, with at most two preemptions",
        action: Action::Cargo(Cargo {
            arguments: &["test", "--package", "larder-loom-tests", "--release"],
            set: &[("RUSTFLAGS", "--cfg loom"), QUICK[0], QUICK[1]],
            // Two preemptions find almost every bug that more would find, in seconds instead of hours.
            default: &[("LOOM_MAX_PREEMPTIONS", "2")],
            own_target: Some("loom"),
            makes_binary_in: None,
        }),
    },
    Step {
        name: "shuttle",
        about: "the whole database in interleavings drawn at random, with power cuts",
        action: Action::Cargo(Cargo {
            arguments: &["test", "--package", "larder-loom-tests", "--release"],
            set: &[("RUSTFLAGS", "--cfg shuttle"), QUICK[0], QUICK[1]],
            default: &[("LARDER_SCHEDULES", "1000")],
            own_target: Some("shuttle"),
            makes_binary_in: None,
        }),
    },
    Step {
        name: "bench",
        about: "every benchmark runs once; the hot paths need no more instructions than recorded",
        action: Action::BenchSmoke,
    },
    Step {
        name: "system",
        about: "the binary on the real kernel: kills, power cuts, full and failing disks, damaged files",
        // The binary is that of the tests of the command line: nothing is compiled twice.
        action: Action::Each(&[
            Cargo::plain(&["test", "--workspace", "--test", "binary", "--no-run"]),
            Cargo {
                makes_binary_in: Some("debug"),
                ..Cargo::plain(&["test", "--workspace", "--test", "machine", "--test", "tools"])
            },
            // What they judge by. The whole workspace is named so that its packages are those compiled before.
            Cargo::plain(&["test", "--workspace", "--lib", "journal::"]),
        ]),
    },
];

/// Runs the steps that `arguments` names, or all of them; `--list` prints them instead.
///
/// # Errors
/// [`Error::Usage`] for a step that does not exist, else that of the first step that fails.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    if arguments == ["--list"] {
        step::list(STEPS);
        return Ok(());
    }
    step::run(&select(STEPS, |step| step.name, arguments)?, CALL_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn step_names_are_unique() {
        let names: BTreeSet<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn flags_that_rebuild_everything_have_a_target_folder_of_their_own() {
        for step in STEPS {
            let calls = match &step.action {
                Action::Cargo(cargo) => std::slice::from_ref(cargo),
                Action::Each(calls) => calls,
                _ => continue,
            };
            for cargo in calls {
                let changes_flags = cargo.set.iter().any(|(name, _)| *name == "RUSTFLAGS");
                assert_eq!(changes_flags, cargo.own_target.is_some(), "{}", step.name);
            }
        }
    }
}
