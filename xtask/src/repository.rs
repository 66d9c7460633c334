//! The files of the repository, read once: what every rule is a function of.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::source::Source;

/// Set by cargo for the programs it runs: the folder of the package, here `xtask`.
const PACKAGE_FOLDER: &str = "CARGO_MANIFEST_DIR";

/// Endings of the files that some rule reads.
const READ: [&str; 3] = ["rs", "toml", "md"];

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    /// Its whole text.
    pub(crate) text: String,
    /// Its text as code, for Rust files.
    pub(crate) source: Option<Source>,
}

impl File {
    fn new(path: String, text: String) -> Self {
        let source = path.ends_with(".rs").then(|| Source::scan(&text));
        Self { path, text, source }
    }

    /// Whether all of its code is for tests.
    pub(crate) fn is_test(&self) -> bool {
        let mut folders = self.path.split('/');
        folders.any(|folder| matches!(folder, "tests" | "loom-tests" | "tests.rs"))
    }
}

/// All files that rules look at.
#[derive(Debug)]
pub(crate) struct Repository {
    files: Vec<File>,
}

impl Repository {
    /// Reads every Rust, TOML and Markdown file below `root`, except build output and hidden folders.
    ///
    /// # Errors
    /// [`Error::Io`] with the path that could not be read; a file that is not UTF-8 is one.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |source| Error::Io { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = entry.path();
                if entry.file_type().map_err(failed)?.is_dir() {
                    if name != "target" && !name.starts_with('.') {
                        folders.push(path);
                    }
                } else if READ.iter().any(|ending| path.extension().is_some_and(|e| e == *ending)) {
                    let text = fs::read_to_string(&path)
                        .map_err(|source| Error::Io { path: path.clone(), source })?;
                    files.push(File::new(relative(root, &path), text));
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// A repository of these paths and texts, for tests of rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File::new((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(file).collect() }
    }

    /// Every file, by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Every Rust file and its code.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }

    /// Every `Cargo.toml`.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        let is_manifest = |path: &str| path.rsplit('/').next() == Some("Cargo.toml");
        self.files.iter().filter(move |file| is_manifest(&file.path))
    }
}

/// The root of the repository: the folder above this package's.
///
/// # Errors
/// [`Error::NotUnderCargo`] if cargo did not start this program.
pub(crate) fn root() -> Result<PathBuf, Error> {
    let package = env::var_os(PACKAGE_FOLDER).map(PathBuf::from);
    let root = package.as_deref().and_then(Path::parent);
    root.map(Path::to_owned).ok_or(Error::NotUnderCargo(PACKAGE_FOLDER))
}

fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_without_its_build_output() {
        let repository = Repository::read(&root().unwrap()).unwrap();
        let paths: Vec<&str> = repository.files().map(|file| file.path.as_str()).collect();
        assert!(paths.contains(&"xtask/src/repository.rs"), "{paths:?}");
        assert!(paths.contains(&"Cargo.toml"), "{paths:?}");
        assert!(!paths.iter().any(|path| path.starts_with("target/")), "{paths:?}");
    }

    #[test]
    fn a_path_tells_whether_its_code_is_for_tests() {
        let is_test = |path: &str| File::new(path.to_owned(), String::new()).is_test();
        assert!(is_test("cli/tests/a_new_user.rs"));
        assert!(is_test("loom-tests/src/lib.rs"));
        assert!(is_test("engine/src/shard/tests.rs"));
        assert!(!is_test("engine/src/shard/mod.rs"));
        assert!(!is_test("xtask/src/test.rs"));
    }
}
