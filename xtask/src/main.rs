//! `cargo xtask`: the checks and tests of the repository itself, as one command with one exit code.
//!
//! ```text
//! main ─► check ─► one file a rule, each a function of the repository's files to problems
//!      ─► test  ─► a table of steps ─┐
//!      ─► long  ─► a table of runs  ─┴► step ─► cargo
//!      ─► bench ─► criterion, and instructions against their bounds
//!      └─ sbom  ─► what the binary is made of
//! ```
//!
//! What it is not: a build script. Nothing of the product depends on it, and it depends on no crate of the product, so
//! that it still compiles when they do not.

mod bench;
mod cargo;
mod check;
mod error;
mod fuzz;
mod help;
mod long;
mod patience;
mod problem;
mod report;
mod repository;
mod sbom;
mod select;
mod source;
mod step;
mod test;

use std::process::ExitCode;

use error::Error;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::progress(&format!("error: {error}"));
            error.exit_code()
        }
    }
}

/// Does what the words after `cargo xtask` ask for.
fn run(arguments: &[String]) -> Result<(), Error> {
    let (command, rest) = match arguments {
        [] => return Err(Error::Usage("a command is missing".to_owned())),
        [command, rest @ ..] => (command.as_str(), rest),
    };
    match command {
        "check" => check::run(rest),
        "test" => test::run(rest),
        "long" => long::run(rest),
        "bench" => bench::run(rest),
        "sbom" => sbom::run(rest),
        "help" | "--help" | "-h" => {
            report::data(help::TEXT);
            Ok(())
        }
        other => Err(Error::Usage(format!("there is no command {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_unknown_command_is_a_usage_error_that_names_it() {
        let error = run(&words("chekc")).expect_err("there is no such command");
        assert!(error.to_string().contains("chekc"), "{error}");
        assert_eq!(error.exit_code(), ExitCode::from(2));
    }

    #[test]
    fn an_unknown_step_rule_or_run_is_refused_before_anything_runs() {
        for command in ["test nonsense", "check nonsense", "long nonsense", "bench nonsense"] {
            let error = run(&words(command)).expect_err(command);
            assert!(error.to_string().contains("nonsense"), "{command}: {error}");
            assert_eq!(error.exit_code(), ExitCode::from(2), "{command}");
        }
    }

    #[test]
    fn help_names_every_command() {
        for command in ["check", "test", "long", "bench", "sbom", "help"] {
            assert!(help::TEXT.contains(&format!("cargo xtask {command}")), "{command}");
        }
    }
}
