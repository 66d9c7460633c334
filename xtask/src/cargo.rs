//! Runs cargo: one invocation as data, its environment, its failure.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::Error;
use crate::patience::{self, Ended};
use crate::report;

/// One call of cargo, written as a row of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cargo {
    /// Everything after `cargo`.
    pub(crate) arguments: &'static [&'static str],
    /// Variables that the invocation needs, whatever the environment says.
    pub(crate) set: &'static [(&'static str, &'static str)],
    /// Variables that whoever calls may have set differently.
    pub(crate) default: &'static [(&'static str, &'static str)],
    /// A folder of its own below the target folder, where other flags would rebuild everything back and forth.
    pub(crate) own_target: Option<&'static str>,
    /// The profile's folder in which the `larder` binary is made before anything runs: tests that start the binary take that one, and
    /// do not compile another with other features.
    pub(crate) makes_binary_in: Option<&'static str>,
}

impl Cargo {
    /// A call that needs nothing but its arguments.
    pub(crate) const fn plain(arguments: &'static [&'static str]) -> Self {
        Self { arguments, set: &[], default: &[], own_target: None, makes_binary_in: None }
    }

    /// As one would type it, for messages.
    pub(crate) fn line(&self) -> String {
        let set: String =
            self.set.iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
        format!("{set}cargo {}", self.arguments.join(" "))
    }

    /// The variables to set, given those that are: a default gives way to what the caller has set.
    fn variables(
        &self,
        root: &Path,
        caller: impl Fn(&str) -> Option<OsString>,
    ) -> Vec<(&'static str, OsString)> {
        let set = self.set.iter().map(|(name, value)| (*name, OsString::from(value)));
        let default = self.default.iter().filter(|(name, _)| caller(name).is_none());
        let default = default.map(|(name, value)| (*name, OsString::from(value)));
        let target =
            || root.join(caller("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("target")));
        let own_target = self
            .own_target
            .map(|folder| ("CARGO_TARGET_DIR", target().join(folder).into_os_string()));
        let binary = self
            .makes_binary_in
            .map(|profile| ("LARDER_BINARY", target().join(profile).join("larder").into()));
        set.chain(default).chain(own_target).chain(binary).collect()
    }

    /// Runs it in `root` with this program's output streams and waits for it, however long it takes.
    ///
    /// # Errors
    /// [`Error::Start`] if there is no cargo, [`Error::Command`] if it fails.
    pub(crate) fn run(&self, root: &Path) -> Result<(), Error> {
        self.run_within(root, Duration::MAX)
    }

    /// As [`Cargo::run`], but waits no longer than `limit`.
    ///
    /// # Errors
    /// As [`Cargo::run`], and [`Error::Hung`] if it takes longer.
    pub(crate) fn run_within(&self, root: &Path, limit: Duration) -> Result<(), Error> {
        report::progress(&format!("$ {}", self.line()));
        let mut command = program();
        command.args(self.arguments).current_dir(root);
        command.envs(self.variables(root, |name| env::var_os(name)));
        let ended = command.spawn().and_then(|mut child| patience::wait(&mut child, limit));
        let command = self.line();
        match ended {
            Ok(Ended::Exited(status)) if status.success() => Ok(()),
            Ok(Ended::Exited(status)) => Err(Error::Command { command, status }),
            Ok(Ended::Hung(processes)) => Err(Error::Hung {
                command,
                minutes: limit.as_secs() / 60,
                processes: processes.join("\n  "),
            }),
            Err(source) => Err(Error::Start { command, source }),
        }
    }
}

/// Runs cargo with arguments that are known only now.
///
/// # Errors
/// As [`Cargo::run`].
pub(crate) fn call(root: &Path, arguments: &[&str]) -> Result<(), Error> {
    let line = format!("cargo {}", arguments.join(" "));
    report::progress(&format!("$ {line}"));
    let status = program().args(arguments).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Command { command: line, status }),
        Err(source) => Err(Error::Start { command: line, source }),
    }
}

/// Whether cargo knows `subcommand`.
pub(crate) fn knows(subcommand: &str) -> bool {
    let mut probe = program();
    probe.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Makes sure that cargo knows `subcommand`, which the toolchain component `component` brings.
///
/// # Errors
/// [`Error::ComponentMissing`], which says how to install it.
pub(crate) fn require(subcommand: &str, component: &'static str) -> Result<(), Error> {
    let mut probe = program();
    probe.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    match probe.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::ComponentMissing { component }),
    }
}

/// The cargo that started this program, so that one toolchain does everything. What it told this program about its package goes no
/// further: there are build scripts that run again when that differs from what a cargo called by hand tells them.
fn program() -> Command {
    let mut program = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_a_package(name)) {
        program.env_remove(name);
    }
    program
}

fn is_of_a_package(variable: &OsStr) -> bool {
    let variable = variable.to_string_lossy();
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Cargo = Cargo {
        arguments: &["test"],
        set: &[("RUSTFLAGS", "--cfg loom")],
        default: &[("LARDER_CRASHES", "10")],
        own_target: Some("loom"),
        makes_binary_in: Some("release"),
    };

    #[test]
    fn a_default_gives_way_to_the_caller_and_a_need_does_not() {
        let caller = |name: &str| match name {
            "LARDER_CRASHES" | "RUSTFLAGS" => Some(OsString::from("mine")),
            _ => None,
        };
        let variables = LONG.variables(Path::new("root"), caller);
        assert!(!variables.iter().any(|(name, _)| *name == "LARDER_CRASHES"), "{variables:?}");
        assert!(variables.contains(&("RUSTFLAGS", "--cfg loom".into())), "{variables:?}");
    }

    #[test]
    fn an_own_target_lies_below_the_one_in_use() {
        let target_of = |caller: Option<&str>| {
            let caller = caller.map(OsString::from);
            let variables = LONG.variables(Path::new("root"), |name| {
                caller.clone().filter(|_| name == "CARGO_TARGET_DIR")
            });
            variables.into_iter().find(|(name, _)| *name == "CARGO_TARGET_DIR").unwrap().1
        };
        assert_eq!(target_of(None), Path::new("root").join("target").join("loom"));
        assert_eq!(target_of(Some("elsewhere")), Path::new("root").join("elsewhere").join("loom"));
        assert_eq!(target_of(Some("/elsewhere")), Path::new("/elsewhere").join("loom"));
    }

    #[test]
    fn tests_start_the_binary_that_was_made_beside_them() {
        let variables = LONG.variables(Path::new("root"), |_| None);
        let binary = Path::new("root").join("target").join("release").join("larder");
        assert!(variables.contains(&("LARDER_BINARY", binary.into_os_string())), "{variables:?}");
    }

    #[test]
    fn the_line_can_be_typed() {
        assert_eq!(LONG.line(), "RUSTFLAGS='--cfg loom' cargo test");
    }

    #[test]
    fn cargo_hears_nothing_of_the_package_that_calls_it() {
        let removed = |name: &str| {
            program().get_envs().any(|(known, value)| known == name && value.is_none())
        };
        // Set by the cargo that runs this test.
        assert!(env::var_os("CARGO_PKG_NAME").is_some() && removed("CARGO_PKG_NAME"));
        assert!(removed("CARGO_MANIFEST_DIR") && !removed("CARGO_HOME"));
    }

    #[test]
    fn a_missing_component_is_named_with_its_remedy() {
        let error = require("no-such-subcommand", "rustfmt").unwrap_err();
        assert!(error.to_string().contains("rustup component add rustfmt"), "{error}");
    }
}
