//! What lies beside a database in its data directory, history and logged reads: no start needs it, and nothing that is served depends
//! on it.

use std::path::Path;

use export::{history, reads};
use serde_json::{Value as Json, json};

use crate::{
    error::CliError,
    output::{self, Format, Sheet},
};

/// What is said of one of them.
struct Words {
    name: &'static str,
    is: &'static str,
    has: &'static str,
    /// What its rows are.
    rows: &'static str,
    file: &'static str,
    /// Behind the number of its files.
    whole: &'static str,
    /// Why a problem is none of the database.
    worth: &'static str,
}

const HISTORY: Words = Words {
    name: "history",
    is: "is",
    has: "has",
    rows: "changes",
    file: "file of the history",
    whole: " are as its manifest says",
    worth: "no value that is served depends on it",
};

const READS: Words = Words {
    name: "logged reads",
    is: "are",
    has: "have",
    rows: "vectors",
    file: "file of logged reads",
    whole: "",
    worth: "they are a sample, and nothing depends on them",
};

/// One of them, checked.
pub(super) struct Beside {
    words: Words,
    files: u64,
    bytes: u64,
    rows: u64,
    /// File, and what is wrong with it.
    problems: Vec<(String, String)>,
}

/// Checks the history in the data directory `data`; nothing where there is none.
pub(super) fn history(data: &Path) -> Result<Option<Beside>, CliError> {
    let checked = history::check(&data.join(history::DIRECTORY))?;
    Ok(checked.map(|checked| Beside {
        words: HISTORY,
        files: checked.files,
        bytes: checked.bytes,
        rows: checked.rows,
        problems: checked
            .problems
            .into_iter()
            .map(|it| (it.file.display().to_string(), it.what))
            .collect(),
    }))
}

/// Checks the logged reads in the data directory `data`; nothing where none were ever logged.
pub(super) fn reads(data: &Path) -> Result<Option<Beside>, CliError> {
    let checked = reads::check(&data.join(history::DIRECTORY))?;
    Ok(checked.map(|checked| Beside {
        words: READS,
        files: checked.files,
        bytes: checked.bytes,
        rows: checked.vectors,
        problems: checked
            .problems
            .into_iter()
            .map(|it| (it.file.display().to_string(), it.what))
            .collect(),
    }))
}

impl Beside {
    pub(super) fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn to_json(&self) -> Json {
        let problems =
            self.problems.iter().map(|(file, what)| json!({ "file": file, "what": what }));
        let mut shown = json!({ "files": self.files, "bytes": self.bytes });
        shown[self.words.rows] = self.rows.into();
        shown["problems"] = problems.collect();
        shown
    }

    pub(super) fn print(&self) -> Result<(), CliError> {
        let mut covered = Sheet::new([self.words.name, "value"]);
        for (name, value) in
            [("files", self.files), ("bytes", self.bytes), (self.words.rows, self.rows)]
        {
            covered.push(vec![name.into(), value.into()]);
        }
        covered.print(Format::Table)?;
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut problems = Sheet::new([self.words.file, "what is wrong"]);
        for (file, what) in &self.problems {
            problems.push(vec![file.as_str().into(), what.as_str().into()]);
        }
        problems.print(Format::Table)
    }

    /// Says in one line how it is.
    pub(super) fn verdict(&self, data: &Path) -> Result<(), CliError> {
        let Words { name, is, has, rows, whole, worth, .. } = &self.words;
        let data = data.display();
        match self.problems.len() {
            0 => {
                let (count, files) = (self.rows, self.files);
                output::note(&format!(
                    "the {name} in {data} {is} whole: {count} {rows} in {files} files{whole}"
                ));
                Ok(())
            }
            count => {
                let plural = if count == 1 { "" } else { "s" };
                Err(CliError::failed(format!(
                    "the {name} in {data} {has} {count} problem{plural}: {worth}; nothing was changed"
                )))
            }
        }
    }
}
