//! `Cargo.toml` as the rules see it: which packages a crate asks for, in which section, on which line.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::Problem;
use crate::repository::{File, Repository};

/// The prefix that our packages carry in Cargo and not in code.
const OURS: &str = "larder-";

/// Where a dependency is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `[dependencies]` and `[build-dependencies]`: what every user of the crate compiles.
    Normal,
    /// `[dev-dependencies]`: what its tests compile.
    Dev,
}

/// One line of a dependency section.
#[derive(Debug)]
pub(super) struct Dependency {
    /// The package's own name, renames undone.
    pub(super) package: String,
    pub(super) section: Section,
    /// Counted from 1.
    pub(super) line: usize,
}

impl Dependency {
    /// Our crate's name in code, if the package is one of ours.
    pub(super) fn crate_name(&self) -> Option<&str> {
        self.package.strip_prefix(OURS)
    }
}

/// The manifest of one package.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    pub(super) path: &'a str,
    /// The package's name without the prefix.
    pub(super) crate_name: String,
    pub(super) dependencies: Vec<Dependency>,
    /// Whether the lints of the workspace hold for it.
    pub(super) has_workspace_lints: bool,
    /// Whether it is a workspace by itself, as a fuzzing crate has to be.
    pub(super) is_own_workspace: bool,
}

/// Every package of the repository; what is not TOML is a problem.
pub(super) fn read_all(repository: &Repository) -> (Vec<Manifest<'_>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    for file in repository.manifests() {
        match DeTable::parse(&file.text) {
            Ok(document) => documents.push((file, document.into_inner())),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let what = format!("not TOML: {}", error.message());
                problems.push(Problem::new(
                    &file.path,
                    line_of(&file.text, at),
                    what,
                    "Correct it",
                ));
            }
        }
    }
    let renames = workspace_renames(&documents);
    let manifests =
        documents.iter().filter_map(|(file, document)| read(file, document, &renames)).collect();
    (manifests, problems)
}

/// What the root's `[workspace.dependencies]` calls by another name: name in use to name of the package.
fn workspace_renames(documents: &[(&File, DeTable<'_>)]) -> BTreeMap<String, String> {
    let root = documents.iter().find(|(file, _)| file.path == "Cargo.toml");
    let table = root.and_then(|(_, root)| table(table(root, "workspace")?, "dependencies"));
    let entries = table.into_iter().flat_map(DeTable::iter);
    entries
        .filter_map(|(name, value)| Some((name.get_ref().to_string(), renamed(value)?)))
        .collect()
}

fn read<'a>(
    file: &'a File,
    document: &DeTable<'_>,
    renames: &BTreeMap<String, String>,
) -> Option<Manifest<'a>> {
    let package = text(table(document, "package")?, "name")?;
    let mut dependencies = Vec::new();
    let targets = table(document, "target").into_iter().flat_map(DeTable::values);
    let targets = targets.filter_map(|target| target.get_ref().as_table());
    for sections in std::iter::once(document).chain(targets) {
        for (name, section) in [
            ("dependencies", Section::Normal),
            ("build-dependencies", Section::Normal),
            ("dev-dependencies", Section::Dev),
        ] {
            for (key, value) in table(sections, name).into_iter().flat_map(DeTable::iter) {
                let name = key.get_ref().to_string();
                let package = renamed(value).or_else(|| renames.get(&name).cloned());
                dependencies.push(Dependency {
                    package: package.unwrap_or(name),
                    section,
                    line: line_of(&file.text, key.span().start),
                });
            }
        }
    }
    let lints = table(document, "lints").and_then(|lints| lints.get("workspace"));
    Some(Manifest {
        path: &file.path,
        crate_name: package.strip_prefix(OURS).unwrap_or(package).to_owned(),
        dependencies,
        has_workspace_lints: lints.and_then(|value| value.get_ref().as_bool()) == Some(true),
        is_own_workspace: table(document, "workspace").is_some(),
    })
}

/// The `package = "…"` of a dependency.
fn renamed(dependency: &Spanned<DeValue<'_>>) -> Option<String> {
    text(dependency.get_ref().as_table()?, "package").map(str::to_owned)
}

fn table<'a, 'i>(of: &'a DeTable<'i>, name: &str) -> Option<&'a DeTable<'i>> {
    of.get(name)?.get_ref().as_table()
}

fn text<'a>(of: &'a DeTable<'_>, name: &str) -> Option<&'a str> {
    of.get(name)?.get_ref().as_str()
}

/// The line, from 1, of byte `at`.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) =
        ("Cargo.toml", "[workspace.dependencies]\nmodel = { package = \"larder-model\" }\n");

    fn dependencies(text: &str) -> Vec<(String, Section, usize)> {
        let text = format!("[package]\nname = \"larder-a\"\n{text}");
        let repository = Repository::of(&[ROOT, ("a/Cargo.toml", &text)]);
        let (manifests, problems) = read_all(&repository);
        assert_eq!(problems, []);
        let [manifest] = manifests.as_slice() else { panic!("one package: {manifests:?}") };
        assert_eq!(manifest.crate_name, "a");
        let found = manifest.dependencies.iter();
        found.map(|found| (found.package.clone(), found.section, found.line)).collect()
    }

    #[test]
    fn a_dependency_is_known_by_its_package_however_it_is_written() {
        for line in [
            "model.workspace = true",
            "model = { workspace = true }",
            "larder-model = { path = \"../model\" }",
            "other = { package = \"larder-model\", path = \"../model\" }",
        ] {
            let found = dependencies(&format!("[dependencies]\n{line}\n"));
            assert_eq!(found, [("larder-model".to_owned(), Section::Normal, 4)], "{line}");
        }
    }

    #[test]
    fn every_section_is_read() {
        let text = "[target.'cfg(unix)'.dependencies]\na = \"1\"\n[build-dependencies]\nb = \"1\"\n[dev-dependencies]\nc = \"1\"\n";
        let mut found = dependencies(text);
        found.sort_by_key(|(_, _, line)| *line);
        let expected =
            [("a", Section::Normal, 4), ("b", Section::Normal, 6), ("c", Section::Dev, 8)];
        assert_eq!(found, expected.map(|(name, section, line)| (name.to_owned(), section, line)));
    }

    #[test]
    fn what_is_not_toml_is_a_problem_with_its_line() {
        let repository = Repository::of(&[("a/Cargo.toml", "[package]\nname = \n")]);
        let (manifests, problems) = read_all(&repository);
        assert!(manifests.is_empty());
        assert_eq!((problems[0].path.as_str(), problems[0].line), ("a/Cargo.toml", 2));
    }
}
