//! Puts together what the command line, the environment and a file say, and tells where each value comes from.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, parser::ValueSource};
use model::nearest::hint;

use super::{
    file::{self, Setting},
    options::{self, FILE, PREFIX, SERVE},
};
use crate::{cmd, error::CliError};

/// Variables of the environment, by name.
type Variables = Vec<(OsString, OsString)>;

/// What was given, and what is wrong with it.
pub(crate) struct Merged {
    /// The command line as it was typed.
    typed: Vec<OsString>,
    variables: Variables,
    file: Option<PathBuf>,
    settings: Vec<Setting>,
    problems: Vec<String>,
}

/// An option as it holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Effective {
    /// The key in a file.
    pub(crate) key: String,
    /// `None`: not set, which the option's help explains.
    pub(crate) value: Option<String>,
    /// `command line`, a variable, a file with its line, or `default`.
    pub(crate) from: String,
}

impl Merged {
    /// What `larder serve` is told: `typed` begins with the program's name and `serve`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn new(typed: Vec<OsString>) -> Result<Self, CliError> {
        Self::with(typed, std::env::vars_os().collect())
    }

    fn with(typed: Vec<OsString>, variables: Variables) -> Result<Self, CliError> {
        let mut merged =
            Self { typed, variables, file: None, settings: Vec::new(), problems: Vec::new() };
        merged.check_variables();
        merged.file =
            merged.typed_value(FILE).or_else(|| merged.variable(FILE).cloned()).map(PathBuf::from);
        if let Some(path) = &merged.file {
            let text = cmd::read_text(path)?;
            let shown = path.display().to_string();
            merged.settings = file::read(&shown, &text, &mut merged.problems);
        }
        Ok(merged)
    }

    /// The command line with what the file adds to it.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the environment.
    pub(crate) fn into_words(self) -> Result<Vec<OsString>, CliError> {
        if !self.problems.is_empty() {
            return Err(CliError::usage(self.problems.join("\n")));
        }
        Ok(self.words())
    }

    /// All options as they hold, in the order of the help.
    ///
    /// # Errors
    /// Everything that is wrong, each on a line of its own.
    pub(crate) fn effective(self) -> Result<Vec<Effective>, Vec<String>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let command = options::command();
        let said = |error: clap::Error| vec![options::first_paragraph(&error.to_string())];
        let matches = command.clone().try_get_matches_from(self.words()).map_err(said)?;
        let (Some(serve), Some(matches)) =
            (command.find_subcommand(SERVE), matches.subcommand_matches(SERVE))
        else {
            return Err(vec!["these are no options of larder serve".to_owned()]);
        };
        let effective = |arg: &Arg| {
            let key = options::key(arg.get_long()?);
            let id = arg.get_id().as_str();
            let raw = matches.try_get_raw(id).ok().flatten();
            let value =
                raw.map(|values| values.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(", "));
            let from = self.origin(&key, matches.value_source(id).filter(|_| value.is_some()));
            Some(Effective { key, value, from })
        };
        Ok(serve.get_arguments().filter_map(effective).filter(|one| one.key != "help").collect())
    }

    fn origin(&self, key: &str, source: Option<ValueSource>) -> String {
        match source {
            None => "not set".to_owned(),
            Some(ValueSource::EnvVariable) => options::variable(key),
            Some(ValueSource::CommandLine) => match self.added().find(|one| one.key == key) {
                Some(Setting { line, .. }) => {
                    format!("{}:{line}", self.file.clone().unwrap_or_default().display())
                }
                None => "command line".to_owned(),
            },
            Some(_) => "default".to_owned(),
        }
    }

    fn words(&self) -> Vec<OsString> {
        let added = self.added().flat_map(|one| options::words(&one.key, &one.values));
        let (command, rest) = self.typed.split_at(self.typed.len().min(2));
        command
            .iter()
            .cloned()
            .chain(added.map(OsString::from))
            .chain(rest.iter().cloned())
            .collect()
    }

    /// What the file says and nobody overrules.
    fn added(&self) -> impl Iterator<Item = &Setting> {
        self.settings
            .iter()
            .filter(|setting| !self.is_typed(&setting.key) && self.variable(&setting.key).is_none())
    }

    /// Whether an option stands on the command line. No option takes a value that begins with dashes.
    fn is_typed(&self, key: &str) -> bool {
        let name = format!("--{}", options::long(key));
        self.options().any(|word| {
            word.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    fn typed_value(&self, key: &str) -> Option<OsString> {
        let name = format!("--{}", options::long(key));
        let mut words = self.options();
        while let Some(word) = words.next() {
            match word.strip_prefix(&name) {
                Some("") => return words.next().map(OsString::from),
                Some(rest) if rest.starts_with('=') => return rest.get(1..).map(OsString::from),
                _ => {}
            }
        }
        None
    }

    fn options(&self) -> impl Iterator<Item = &str> {
        self.typed.iter().skip(2).filter_map(|word| word.to_str()).take_while(|word| *word != "--")
    }

    fn variable(&self, key: &str) -> Option<&OsString> {
        let name = options::variable(key);
        self.variables.iter().find(|(variable, _)| *variable == *name).map(|(_, value)| value)
    }

    /// Variables of no option, and values that are none.
    fn check_variables(&mut self) {
        let mut keys = options::keys();
        keys.push(FILE.to_owned());
        let known: Vec<_> = keys.iter().map(|key| options::variable(key)).collect();
        let mut problems = Vec::new();
        for (variable, value) in &self.variables {
            let Some(name) = variable.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let Some(place) = known.iter().position(|known| known == name) else {
                let hint = hint(name, known.iter().map(String::as_str));
                problems.push(format!("{name}: there is no such option of larder serve{hint}"));
                continue;
            };
            let value = [value.to_string_lossy().into_owned()];
            let key = keys.get(place).map_or("", String::as_str);
            problems.extend(options::refuse(key, &value).map(|what| format!("{name}: {what}")));
        }
        problems.sort();
        self.problems.extend(problems);
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::args::{Cli, Command, Serve};

    /// What holds, given words, variables and a file.
    fn merged(
        typed: &[&str],
        variables: &[(&str, &str)],
        text: &str,
    ) -> (Merged, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("larder.toml");
        #[expect(clippy::disallowed_methods, reason = "a user's file")]
        std::fs::write(&path, text).expect("it is written");
        let mut words: Vec<OsString> = ["larder", "serve"].map(OsString::from).into();
        words.push(format!("--config={}", path.display()).into());
        words.extend(typed.iter().map(OsString::from));
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        (Merged::with(words, variables).expect("the file is there"), directory)
    }

    fn holds(merged: Merged, key: &str) -> (Option<String>, String) {
        let all = merged.effective().expect("nothing is wrong");
        let one = all.into_iter().find(|one| one.key == key).expect(key);
        (one.value, one.from)
    }

    fn value(value: &str, from: &str) -> (Option<String>, String) {
        (Some(value.to_owned()), from.to_owned())
    }

    #[test]
    fn flags_are_before_files_and_files_before_defaults() {
        let (flags, _one) = merged(&["--threads", "2"], &[], "threads = 3\n");
        assert_eq!(holds(flags, "threads"), value("2", "command line"));
        let (flags, _two) = merged(&["--threads=2"], &[], "threads = 3\n");
        assert_eq!(holds(flags, "threads"), value("2", "command line"));
        let (file, directory) = merged(&[], &[], "\nthreads = 3\n");
        let place = format!("{}:2", directory.path().join("larder.toml").display());
        assert_eq!(holds(file, "threads"), value("3", &place));
        let (none, _three) = merged(&[], &[], "");
        assert_eq!(holds(none, "checkpoint_every"), value("5m", "default"));
        let (none, _four) = merged(&[], &[], "");
        assert_eq!(holds(none, "threads"), (None, "not set".to_owned()));
    }

    #[test]
    fn a_variable_is_before_the_file() {
        // The process's own environment is what clap reads: only that the file holds back is seen here.
        let (variable, _one) =
            merged(&[], &[("LARDER_SERVE_THREADS", "4")], "threads = 3\nsync = \"os\"\n");
        let words = variable.words();
        assert!(!words.iter().any(|word| word == "--threads=3"), "{words:?}");
        assert!(words.iter().any(|word| word == "--sync=os"), "{words:?}");
    }

    #[test]
    fn variables_that_mean_nothing_are_refused_with_what_was_meant() {
        let variables = [
            ("LARDER_SERVE_THREDS", "4"),
            ("LARDER_SERVE_SYNC", "perhaps"),
            ("LARDER_SERVICE_HOST", "10.0.0.1"),
            ("LARDER_ADDR", "there"),
        ];
        let (wrong, _one) = merged(&[], &variables, "thread = 1\n");
        let problems = wrong.effective().expect_err("three are wrong");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("LARDER_SERVE_SYNC: ") && problems[0].contains("perhaps"));
        assert!(problems[1].contains("did you mean LARDER_SERVE_THREADS?"), "{problems:?}");
        assert!(problems[2].contains("did you mean threads?"), "{problems:?}");
    }

    #[test]
    fn options_of_the_file_reach_the_server_as_if_they_were_typed() {
        let (file, _one) = merged(&["--data", "d"], &[], "threads = 3\nmax_memory = \"64MiB\"\n");
        let words = file.into_words().expect("nothing is wrong");
        let matches = options::command().try_get_matches_from(words).expect("all are options");
        let cli = Cli::from_arg_matches(&matches).expect("all are there");
        let Command::Serve(serve) = cli.command else { panic!("it is serve") };
        let Serve { threads, max_memory, data, .. } = *serve;
        assert_eq!((threads, max_memory, data), (Some(3), Some(64 << 20), PathBuf::from("d")));
    }

    #[test]
    fn every_option_has_a_key_and_a_variable_of_its_own() {
        let keys = options::keys();
        assert!(keys.len() > 10 && keys.contains(&"checkpoint_every".to_owned()), "{keys:?}");
        let variables: std::collections::BTreeSet<_> =
            keys.iter().map(|key| options::variable(key)).collect();
        assert_eq!(variables.len(), keys.len());
        options::command().debug_assert();
    }
}
