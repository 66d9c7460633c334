//! Rejected records: told on standard error, kept in a file when asked.

use std::io::Write;
use std::path::Path;

use export::input::Origin;

use crate::{error::CliError, output};

/// Rejected records shown one by one; the rest is only counted.
const SHOWN_MAX: u64 = 20;

/// See the module.
pub(super) struct Rejects {
    told: u64,
    /// `line` or `row`.
    unit: &'static str,
    file: Option<(std::io::BufWriter<std::fs::File>, String)>,
}

impl Rejects {
    /// Keeps records in the file at `path`, under the header of their input; `unit` is what numbers them.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file for the user; it is no file of a database"
    )]
    pub(super) fn open(
        path: Option<&Path>,
        header: Option<&str>,
        unit: &'static str,
    ) -> Result<Self, CliError> {
        let mut rejects = Self { told: 0, unit, file: None };
        if let Some(path) = path {
            let name = path.display().to_string();
            let file = std::fs::File::create(path).map_err(|error| {
                CliError::failed(format!("--rejected {name}: cannot write: {error}"))
            })?;
            rejects.file = Some((std::io::BufWriter::new(file), name));
            if let Some(header) = header {
                rejects.keep(|| header.to_owned())?;
            }
        }
        Ok(rejects)
    }

    /// Tells of the record of this number, and keeps it.
    pub(super) fn add(
        &mut self,
        number: u64,
        reason: &str,
        origin: &Origin,
    ) -> Result<(), CliError> {
        self.told += 1;
        if self.told <= SHOWN_MAX {
            output::note(&format!("{} {number}: rejected: {reason}", self.unit));
        }
        self.keep(|| origin.line())
    }

    /// Tells of records that were rejected by a request whose first answer was lost: which ones is not known any more.
    pub(super) fn untold(&mut self, count: u64, origins: &[(u64, Origin)]) {
        let unit = self.unit;
        if let (Some((first, _)), Some((last, _))) = (origins.first(), origins.last()) {
            output::note(&format!(
                "{unit}s {first} to {last}: {count} records were rejected; the answer that named them was lost"
            ));
        }
    }

    /// Says how many were not shown; makes sure that the file is written.
    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        if self.told > SHOWN_MAX {
            let remedy = if self.file.is_some() { "" } else { "; --rejected FILE keeps them" };
            output::note(&format!("… and {} more rejected records{remedy}", self.told - SHOWN_MAX));
        }
        match &mut self.file {
            Some((file, name)) => file.flush().map_err(|error| cannot_write(name, &error)),
            None => Ok(()),
        }
    }

    fn keep(&mut self, text: impl FnOnce() -> String) -> Result<(), CliError> {
        match &mut self.file {
            Some((file, name)) => {
                writeln!(file, "{}", text()).map_err(|error| cannot_write(name, &error))
            }
            None => Ok(()),
        }
    }
}

fn cannot_write(name: &str, error: &std::io::Error) -> CliError {
    CliError::failed(format!("--rejected {name}: cannot write: {error}"))
}
