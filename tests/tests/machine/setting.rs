//! What most of these tests begin with: a directory that holds a database with the definitions of the writers.

use std::path::{Path, PathBuf};

use system_tests::{damage::write_file, sender::DEFINITIONS, server::Start};
use tempfile::TempDir;

/// A data directory and a file with definitions beside it.
pub(crate) struct Setting {
    place: TempDir,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        write_file(&place.path().join("features.toml"), DEFINITIONS);
        Self { place }
    }

    /// The directory of the database.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// The definitions.
    pub(crate) fn definitions(&self) -> PathBuf {
        self.place.path().join("features.toml")
    }

    /// Makes the database in its own directory.
    pub(crate) fn make(&self) -> PathBuf {
        self.make_in(&self.data())
    }

    /// Makes a database in `data`. The definitions are on the disk when this returns, whatever policy comes next.
    pub(crate) fn make_in(&self, data: &Path) -> PathBuf {
        Start::on(data).apply(&self.definitions()).must_start().kill();
        data.to_owned()
    }
}
