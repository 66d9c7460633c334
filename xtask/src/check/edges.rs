//! Rule `edges`: which crate may depend on which. This table is the drawing in ARCHITECTURE.md, executable.

use super::manifest::{Dependency, Manifest, Section, read_all};
use crate::problem::Problem;
use crate::repository::Repository;

/// A crate, its layer, and the crates it may use; everyone may use `stdx`.
struct Allowed {
    name: &'static str,
    layer: u8,
    uses: &'static [&'static str],
}

const fn allowed(name: &'static str, layer: u8, uses: &'static [&'static str]) -> Allowed {
    Allowed { name, layer, uses }
}

/// The crate below all others.
const EVERYONES: &str = "stdx";

const TABLE: &[Allowed] = &[
    allowed(EVERYONES, 0, &[]),
    allowed("model", 1, &[]),
    allowed("storage", 1, &[]),
    allowed("aggregate", 2, &["model"]),
    allowed("protocol", 2, &["model"]),
    allowed("engine", 3, &["aggregate", "storage", "model"]),
    allowed("client", 3, &["protocol", "model"]),
    allowed("export", 4, &["engine", "model"]),
    allowed("server", 5, &["engine", "export", "protocol", "model"]),
    allowed(
        "benches",
        6,
        &["server", "export", "client", "engine", "protocol", "aggregate", "storage", "model"],
    ),
    allowed("cli", 7, &["benches", "server", "export", "client", "engine", "model"]),
    // Beside the layers: nobody uses them.
    allowed("sim", 8, &["engine", "storage", "model"]),
    allowed("loom-tests", 8, &["engine", "storage", "model"]),
    allowed("fuzz", 8, &["engine", "storage", "aggregate", "protocol", "model"]),
    // libFuzzer's side of it, in a workspace of its own.
    allowed("libfuzzer", 9, &["fuzz"]),
    // Sees the product as its users do: the binary, and the client's side of the wire.
    allowed("system-tests", 8, &["client", "model"]),
    // Compiles when nothing else does.
    allowed("xtask", 0, &[]),
];

/// Crates without a row, and edges that no row allows.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let (manifests, mut problems) = read_all(repository);
    for manifest in &manifests {
        problems.extend(check_crate(manifest));
    }
    problems
}

fn check_crate(manifest: &Manifest<'_>) -> Vec<Problem> {
    let Some(row) = row(&manifest.crate_name) else {
        let what = format!("crate {} has no place in the layers", manifest.crate_name);
        let remedy = "Draw it in ARCHITECTURE.md and give it a row in xtask/src/check/edges.rs";
        return vec![Problem::new(manifest.path, 1, what, remedy)];
    };
    let ours = manifest.dependencies.iter().filter_map(|found| Some((found, found.crate_name()?)));
    ours.filter(|(found, to)| !may_use(row, found, to))
        .map(|(found, to)| {
            Problem::new(manifest.path, found.line, what(row, found, to), remedy(row))
        })
        .collect()
}

/// What a crate may use, its tests may use; tests may also use any lower layer.
fn may_use(from: &Allowed, dependency: &Dependency, to: &str) -> bool {
    let listed = from.uses.contains(&to) || (to == EVERYONES && from.layer > 0);
    let below = row(to).is_some_and(|to| to.layer < from.layer);
    listed || (dependency.section == Section::Dev && below)
}

fn what(from: &Allowed, dependency: &Dependency, to: &str) -> String {
    match dependency.section {
        Section::Normal => format!("{} must not depend on {to}", from.name),
        Section::Dev => {
            format!("tests of {} must not depend on {to}, which is no layer below", from.name)
        }
    }
}

fn remedy(from: &Allowed) -> String {
    let uses: Vec<&str> =
        from.uses.iter().copied().chain((from.layer > 0).then_some(EVERYONES)).collect();
    let uses = if uses.is_empty() { "nothing".to_owned() } else { uses.join(", ") };
    format!(
        "It may use {uses}; move the code to the layer that may, or pass what it needs as an argument"
    )
}

fn row(name: &str) -> Option<&'static Allowed> {
    TABLE.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"larder-{name}\"\n{text}");
        let problems = check(&Repository::of(&[("a/Cargo.toml", &text)]));
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_allowed_edge_points_down_to_a_crate_of_the_table() {
        for from in TABLE {
            for to in from.uses {
                let to = row(to).expect(to);
                assert!(to.layer < from.layer, "{} ► {}", from.name, to.name);
            }
        }
    }

    #[test]
    fn an_edge_that_is_not_drawn_is_found_with_its_line() {
        let problems = found("storage", "[dependencies]\nlarder-stdx = {}\nlarder-model = {}\n");
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].contains("a/Cargo.toml:5: storage must not depend on model"),
            "{problems:?}"
        );
        assert!(problems[0].contains("may use stdx"), "{problems:?}");
    }

    #[test]
    fn an_edge_of_one_platform_only_is_an_edge() {
        let text = "[target.'cfg(unix)'.dependencies]\nlarder-engine = {}\n";
        assert_eq!(found("protocol", text).len(), 1);
    }

    #[test]
    fn drawn_edges_pass() {
        assert_eq!(
            found("server", "[dependencies]\nlarder-engine = {}\nlarder-stdx = {}\n"),
            [""; 0]
        );
        assert_eq!(
            found("cli", "[dependencies]\nlarder-benches = {}\nlarder-client = {}\n"),
            [""; 0]
        );
    }

    #[test]
    fn tests_may_reach_down_and_never_up() {
        assert_eq!(found("server", "[dev-dependencies]\nlarder-client = {}\n"), [""; 0]);
        assert_eq!(found("client", "[dev-dependencies]\nlarder-server = {}\n").len(), 1);
        assert_eq!(found("engine", "[dev-dependencies]\nlarder-client = {}\n").len(), 1);
    }

    #[test]
    fn xtask_and_stdx_use_nothing_of_ours() {
        assert_eq!(found("xtask", "[dependencies]\nlarder-stdx = {}\n").len(), 1);
        assert_eq!(found("stdx", "[dev-dependencies]\nlarder-model = {}\n").len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        let problems = found("gadget", "");
        assert!(problems[0].contains("gadget has no place"), "{problems:?}");
    }
}
