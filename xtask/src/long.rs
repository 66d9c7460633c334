//! `cargo xtask long`: runs that take hours, by name. CI runs the same tests, smaller.

use std::time::Duration;

use crate::cargo::Cargo;
use crate::error::Error;
use crate::report;
use crate::select::select;
use crate::step::{self, Action, Step};

const RUNS: &[Step] = &[
    Step {
        name: "crashes",
        about: "crash and recover the log on a simulated disk, LARDER_CRASHES times (10,000,000)",
        action: Action::Cargo(Cargo {
            arguments: &[
                "test",
                "--release",
                "--package",
                "larder-storage",
                "--test",
                "crash_points",
            ],
            set: &[],
            default: &[("LARDER_CRASHES", "10000000")],
            own_target: None,
            makes_binary_in: None,
        }),
    },
    Step {
        name: "sim",
        about: "crash and recover the whole database on a simulated disk, LARDER_CRASHES times (10,000,000)",
        action: Action::Cargo(Cargo {
            arguments: &["run", "--release", "--package", "larder-sim"],
            set: &[],
            default: &[("LARDER_CRASHES", "10000000")],
            own_target: None,
            makes_binary_in: None,
        }),
    },
    Step {
        name: "loom",
        about: "every interleaving where threads meet, with at most LOOM_MAX_PREEMPTIONS (3); prints how many there were",
        action: Action::Cargo(Cargo {
            arguments: &[
                "test",
                "--package",
                "larder-loom-tests",
                "--release",
                "--",
                "--nocapture",
            ],
            set: &[("RUSTFLAGS", "--cfg loom"), ("CARGO_PROFILE_RELEASE_LTO", "off")],
            default: &[("LOOM_MAX_PREEMPTIONS", "3")],
            own_target: Some("loom"),
            makes_binary_in: None,
        }),
    },
    Step {
        name: "shuttle",
        about: "the whole database in LARDER_SCHEDULES (100,000) interleavings drawn at random, with power cuts",
        action: Action::Cargo(Cargo {
            arguments: &[
                "test",
                "--package",
                "larder-loom-tests",
                "--release",
                "--",
                "--nocapture",
            ],
            set: &[("RUSTFLAGS", "--cfg shuttle"), ("CARGO_PROFILE_RELEASE_LTO", "off")],
            default: &[("LARDER_SCHEDULES", "100000")],
            own_target: Some("shuttle"),
            makes_binary_in: None,
        }),
    },
    Step {
        name: "memory",
        about: "push new entities at a memory limit for LARDER_MEMORY_SECONDS (60), while memory is watched",
        action: Action::Cargo(Cargo {
            arguments: &[
                "test",
                "--release",
                "--package",
                "larder-cli",
                "--test",
                "binary",
                "memory_limit",
            ],
            set: &[],
            default: &[("LARDER_MEMORY_SECONDS", "60")],
            own_target: None,
            makes_binary_in: None,
        }),
    },
    Step {
        name: "power-loss",
        about: "cut the power of a real file system under load, LARDER_ROUNDS times (1,000) a policy; needs root",
        action: Action::Cargo(on_the_machine(&[
            "test",
            "--release",
            "--package",
            "larder-system-tests",
            "--test",
            "machine",
            "power_loss",
        ])),
    },
    Step {
        name: "kills",
        about: "kill the server under load, LARDER_ROUNDS times (1,000) a policy and at system calls",
        action: Action::Cargo(on_the_machine(&[
            "test",
            "--release",
            "--package",
            "larder-system-tests",
            "--test",
            "machine",
            "kill",
        ])),
    },
    Step {
        name: "damage",
        about: "damage the files of a database, LARDER_ROUNDS times (1,000)",
        action: Action::Cargo(on_the_machine(&[
            "test",
            "--release",
            "--package",
            "larder-system-tests",
            "--test",
            "machine",
            "damage",
        ])),
    },
    Step {
        name: "abuse",
        about: "random and changed frames at full speed on a live server for LARDER_ABUSE_SECONDS (300), while a model reads",
        action: Action::Cargo(Cargo {
            arguments: &[
                "test",
                "--release",
                "--package",
                "larder-server",
                "--test",
                "hostile",
                "--",
                "--nocapture",
                "at_full_speed",
            ],
            set: &[],
            default: &[("LARDER_ABUSE_SECONDS", "300")],
            own_target: None,
            makes_binary_in: None,
        }),
    },
    Step {
        name: "otel",
        about: "spans of a server that was built with OpenTelemetry, at a collector on this machine",
        action: Action::Cargo(Cargo::plain(&[
            "test",
            "--workspace",
            "--features",
            "larder-cli/otel",
            "--test",
            "binary",
            "otel",
        ])),
    },
    Step {
        name: "fuzz",
        about: "every fuzz target under libFuzzer, LARDER_FUZZ_SECONDS (600) each; installs cargo-fuzz when it is not there",
        action: Action::Fuzz,
    },
];

/// A call of tests on the real kernel that does many rounds of each.
const fn on_the_machine(arguments: &'static [&'static str]) -> Cargo {
    Cargo {
        arguments,
        set: &[],
        default: &[("LARDER_ROUNDS", "1000")],
        own_target: None,
        makes_binary_in: None,
    }
}

/// Makes the runs that `arguments` names; `--list` prints what there is.
///
/// # Errors
/// [`Error::Usage`] without a name, since nobody starts hours of work by accident, and for a name that does not exist;
/// else that of the first run that fails.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    if arguments == ["--list"] {
        step::list(RUNS);
        return Ok(());
    }
    if arguments.is_empty() {
        return Err(Error::Usage("long needs the name of a run".to_owned()));
    }
    let runs = select(RUNS, |run| run.name, arguments)?;
    report::progress("this may take hours; a failure prints the seed that replays it");
    step::run(&runs, Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_long_starts_without_a_name() {
        assert!(matches!(run(&[]), Err(Error::Usage(_))));
    }
}
