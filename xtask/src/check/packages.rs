//! Rule `packages`: heavy or risky packages of others stay where they belong, and every crate has the workspace's lints.

use super::manifest::{Manifest, read_all};
use crate::problem::Problem;
use crate::repository::Repository;

/// A package, its companions (`name-*`, `name_*`), and the only crates that may ask for them, in tests too.
struct Confined {
    package: &'static str,
    crates: &'static [&'static str],
    reason: &'static str,
}

const TABLE: &[Confined] = &[
    Confined {
        package: "tokio",
        crates: &["server", "client", "cli", "benches"],
        reason: "Everything below them is synchronous: embeddable, and open to loom",
    },
    Confined {
        package: "opentelemetry",
        crates: &["cli"],
        reason: "Only cli/src/otel sends spans, behind the feature `otel`; the server hands descriptions over",
    },
    Confined { package: "axum", crates: &["server"], reason: "Only the admin port speaks HTTP" },
    Confined {
        package: "rustls",
        crates: &["server", "client"],
        reason: "Certificates are read and handshakes made in server/src/tls and client/src/tls.rs",
    },
    Confined { package: "ratatui", crates: &["cli"], reason: "Only `larder top` draws" },
    Confined { package: "arrow", crates: &["export"], reason: "Nobody else should compile it" },
    Confined { package: "parquet", crates: &["export"], reason: "Nobody else should compile it" },
    Confined {
        package: "bincode",
        crates: &["engine"],
        reason: "It is unmaintained: see deny.toml",
    },
    Confined {
        package: "sqlparser",
        crates: &["model"],
        reason: "Expressions leave model as typed plans",
    },
    Confined {
        package: "libm",
        crates: &["aggregate"],
        reason: "Its bits are part of what values mean: expressions alone compute with it, under golden tests",
    },
    Confined {
        package: "loom",
        crates: &["stdx", "loom-tests"],
        reason: "Use stdx::sync, which becomes loom's under `--cfg loom`",
    },
];

/// Packages in crates they do not belong to, and crates without the lints.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    // What is not TOML is reported by the rule `edges`.
    let (manifests, _) = read_all(repository);
    manifests
        .iter()
        .flat_map(|manifest| {
            let mut problems = misplaced(manifest);
            problems.extend(without_lints(manifest));
            problems
        })
        .collect()
}

fn misplaced(manifest: &Manifest<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for dependency in &manifest.dependencies {
        let belongs = |row: &&Confined| {
            let rest = dependency.package.strip_prefix(row.package);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        };
        let Some(row) = TABLE.iter().find(belongs) else { continue };
        if !row.crates.contains(&manifest.crate_name.as_str()) {
            let allowed = row.crates.join(", ");
            let what = format!(
                "{} in {}; only {allowed} may use it",
                dependency.package, manifest.crate_name
            );
            problems.push(Problem::new(manifest.path, dependency.line, what, row.reason));
        }
    }
    problems
}

fn without_lints(manifest: &Manifest<'_>) -> Option<Problem> {
    let bare = !manifest.has_workspace_lints && !manifest.is_own_workspace;
    bare.then(|| {
        let what = format!("the lints of the workspace do not hold for {}", manifest.crate_name);
        Problem::new(manifest.path, 1, what, "Add [lints] with workspace = true")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"larder-{name}\"\n{text}");
        let problems = check(&Repository::of(&[("a/Cargo.toml", &text)]));
        problems.iter().map(ToString::to_string).collect()
    }

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn a_misplaced_package_is_found_with_its_companions() {
        for (name, package) in [
            ("engine", "tokio"),
            ("storage", "tokio-util"),
            ("server", "arrow-array"),
            ("cli", "parquet"),
            ("model", "bincode"),
            ("aggregate", "sqlparser"),
            ("engine", "loom"),
            ("model", "libm"),
            ("server", "opentelemetry_sdk"),
        ] {
            for section in ["dependencies", "dev-dependencies"] {
                let problems = found(name, &format!("{LINTS}[{section}]\n{package} = \"1\"\n"));
                assert_eq!(problems.len(), 1, "{package} in {name}: {problems:?}");
                assert!(problems[0].starts_with("a/Cargo.toml:6: "), "{problems:?}");
            }
        }
    }

    #[test]
    fn packages_where_they_belong_and_look_alikes_pass() {
        for (name, package) in [
            ("server", "tokio"),
            ("export", "arrow"),
            ("model", "arrows"),
            ("model", "larder-loom-tests"),
        ] {
            let problems = found(name, &format!("{LINTS}[dependencies]\n{package} = \"1\"\n"));
            assert_eq!(problems, [""; 0], "{package} in {name}");
        }
    }

    #[test]
    fn a_crate_without_the_lints_is_found_unless_it_is_a_workspace_of_its_own() {
        assert_eq!(found("model", "").len(), 1);
        assert_eq!(found("model", "[lints]\nworkspace = false\n").len(), 1);
        assert_eq!(found("fuzz", "[workspace]\n"), [""; 0]);
    }
}
