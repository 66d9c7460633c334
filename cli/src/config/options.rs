//! The options of `larder serve`, as the command line has them: names, variables, and whether a value is one of theirs.

use clap::{Arg, ArgAction, CommandFactory, error::ErrorKind};

use crate::args::Cli;

/// The command that is configured.
pub(super) const SERVE: &str = "serve";
/// The option that names the file; none of the file's keys.
pub(super) const FILE: &str = "config";
/// What the names of variables begin with. Longer than `LARDER_`: that is of clients, and a Kubernetes service called `larder` sets
/// variables of that name.
pub(super) const PREFIX: &str = "LARDER_SERVE_";

/// The command line, with a variable for each option of `larder serve`.
pub(crate) fn command() -> clap::Command {
    with_values().mut_subcommand(SERVE, |serve| {
        serve.mut_args(|arg| match arg.get_long() {
            // As long as the process lives: clap keeps names, and there are a few dozen.
            Some(long) => {
                let variable: &'static str = variable(long).leak();
                arg.env(variable)
            }
            None => arg,
        })
    })
}

/// The command line; what is on or off may be given as `--name=false`, too, so that it can overrule a file.
fn with_values() -> clap::Command {
    Cli::command().mut_subcommand(SERVE, |serve| {
        serve.mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => arg
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .default_value("false")
                .hide_default_value(true)
                .hide_possible_values(true)
                .value_name("BOOL")
                .value_parser(clap::value_parser!(bool)),
            _ => arg,
        })
    })
}

/// The options that a file may set, by the names of their keys.
pub(super) fn keys() -> Vec<String> {
    let command = Cli::command();
    let options = command.find_subcommand(SERVE).map(clap::Command::get_arguments);
    let names = options.into_iter().flatten().filter_map(Arg::get_long);
    names.filter(|name| *name != FILE && *name != "help").map(key).collect()
}

/// `checkpoint-every` as a file's key.
pub(super) fn key(long: &str) -> String {
    long.replace('-', "_")
}

/// `checkpoint_every` as on the command line, without the dashes.
pub(super) fn long(key: &str) -> String {
    key.replace('_', "-")
}

/// The variable of an option, given its key or its name on the command line.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", key(name).to_uppercase())
}

/// What is wrong with these values of one option, whatever the others are.
pub(super) fn refuse(key: &str, values: &[String]) -> Option<String> {
    let words = ["larder".to_owned(), SERVE.to_owned()].into_iter().chain(words(key, values));
    let error = with_values().try_get_matches_from(words).err()?;
    let is_value = matches!(
        error.kind(),
        ErrorKind::ValueValidation
            | ErrorKind::InvalidValue
            | ErrorKind::ArgumentConflict
            | ErrorKind::TooManyValues
    );
    is_value.then(|| first_paragraph(&error.to_string()))
}

/// An option and its values as words of a command line.
pub(super) fn words(key: &str, values: &[String]) -> Vec<String> {
    values.iter().map(|value| format!("--{}={value}", long(key))).collect()
}

/// What clap says, without advice about its usage.
pub(super) fn first_paragraph(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    let paragraph = paragraph.strip_prefix("error: ").unwrap_or(paragraph);
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
