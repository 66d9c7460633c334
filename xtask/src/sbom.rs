//! `cargo xtask sbom`: what the `larder` binary is made of, as CycloneDX 1.5 JSON on standard output.
//!
//! Packages that are compiled into it or that run while it is built, for the machine's own platform, with versions, licences and the
//! checksums of Cargo.lock. It needs cargo alone. Equal lock files give equal texts: there is no time and no random number in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::report;
use crate::repository;

/// The package whose binary it is.
const ROOT: &str = "larder-cli";

/// Prints the bill of materials.
///
/// # Errors
/// [`Error::Usage`] for arguments, [`Error::Start`] and [`Error::Sbom`] when cargo does not say what is needed.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    if let Some(first) = arguments.first() {
        return Err(Error::Usage(format!("sbom takes no {first}: it prints to standard output")));
    }
    let root = repository::root()?;
    let metadata = metadata(&root)?;
    let path = root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
    let lock =
        toml::from_str(&lock).map_err(|error| Error::Sbom(format!("Cargo.lock: {error}")))?;
    let bill = bill(&metadata, &checksums(&lock));
    let bill = bill.ok_or_else(|| Error::Sbom(format!("cargo metadata knows no {ROOT}")))?;
    report::data(&format!("{bill:#}"));
    Ok(())
}

/// What cargo knows of the packages, resolved for this machine's platform.
fn metadata(root: &Path) -> Result<Value, Error> {
    let platform = output(root, "rustc", &["-vV"])?;
    let platform = platform.lines().find_map(|line| line.strip_prefix("host: "));
    let platform = platform.ok_or_else(|| Error::Sbom("rustc -vV names no host".to_owned()))?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", platform];
    let text = output(root, &cargo, &arguments)?;
    serde_json::from_str(&text).map_err(|error| Error::Sbom(format!("cargo metadata: {error}")))
}

fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String, Error> {
    let command = || format!("{program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).current_dir(root).output();
    let output = output.map_err(|source| Error::Start { command: command(), source })?;
    if !output.status.success() {
        report::progress(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Command { command: command(), status: output.status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Checksums of a lock file, by name and version.
fn checksums(lock: &toml::Table) -> BTreeMap<(String, String), String> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let entry = |package: &toml::Value| {
        let text = |key: &str| package.get(key)?.as_str().map(str::to_owned);
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    packages.into_iter().flatten().filter_map(entry).collect()
}

/// The document; `None` when the metadata is not of this repository.
fn bill(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let edges: BTreeMap<&str, Vec<&str>> = metadata["resolve"]["nodes"]
        .as_array()?
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, built_with(node))))
        .collect();
    let root = *packages.iter().find(|(_, package)| package["name"] == ROOT)?.0;
    let mut reached = BTreeSet::from([root]);
    let mut next = vec![root];
    while let Some(id) = next.pop() {
        next.extend(edges.get(id).into_iter().flatten().copied().filter(|to| reached.insert(to)));
    }
    let component = |id: &str, kind: &str| component(packages.get(id)?, kind, checksums);
    let components: Vec<Value> = reached
        .iter()
        .filter(|id| **id != root)
        .filter_map(|id| component(id, "library"))
        .collect();
    let dependency = |id: &&str| {
        let on: BTreeSet<String> =
            edges.get(id)?.iter().filter_map(|to| Some(purl(packages.get(to)?))).collect();
        Some(json!({"ref": purl(packages.get(id)?), "dependsOn": on}))
    };
    Some(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(root, "application")?},
        "components": components,
        "dependencies": reached.iter().filter_map(dependency).collect::<Vec<_>>(),
    }))
}

/// What a package is compiled with; what only its tests need is none of it.
fn built_with(node: &Value) -> Vec<&str> {
    let dependencies = node["deps"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| {
            let kinds = dependency["dep_kinds"].as_array();
            kinds.into_iter().flatten().any(|kind| kind["kind"] != "dev")
        })
        .filter_map(|dependency| dependency["pkg"].as_str())
        .collect()
}

fn component(
    package: &Value,
    kind: &str,
    checksums: &BTreeMap<(String, String), String>,
) -> Option<Value> {
    let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
    let mut component = Map::new();
    let mut add = |key: &str, value: Value| component.insert(key.to_owned(), value);
    add("type", kind.into());
    add("bom-ref", purl(package).into());
    add("name", name.into());
    add("version", version.into());
    add("purl", purl(package).into());
    if let Some(checksum) = checksums.get(&(name.to_owned(), version.to_owned())) {
        add("hashes", json!([{"alg": "SHA-256", "content": checksum}]));
    }
    if let Some(licence) = package["license"].as_str() {
        // An older way of writing OR.
        add("licenses", json!([{"expression": licence.replace('/', " OR ")}]));
    }
    if let Some(repository) = package["repository"].as_str() {
        add("externalReferences", json!([{"type": "vcs", "url": repository}]));
    }
    Some(component.into())
}

/// The package as a package URL.
fn purl(package: &Value) -> String {
    let part = |key: &str| package[key].as_str().unwrap_or_default().replace('+', "%2B");
    format!("pkg:cargo/{}@{}", part("name"), part("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Value, BTreeMap<(String, String), String>) {
        let package = |name: &str, licence: &str| json!({"id": name, "name": name, "version": "1.0.0", "license": licence});
        let needs = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [package(ROOT, "MIT"), package("serde", "MIT/Apache-2.0"), package("cc", "MIT"),
                package("criterion", "MIT"), package("unrelated", "MIT")],
            "resolve": {"nodes": [
                {"id": ROOT, "deps": [needs("serde", Value::Null), needs("criterion", "dev".into())]},
                {"id": "serde", "deps": [needs("cc", "build".into())]},
                {"id": "cc", "deps": []},
            ]},
        });
        let lock = toml::from_str(
            "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n",
        );
        (metadata, checksums(&lock.expect("TOML")))
    }

    #[test]
    fn what_is_built_in_is_listed_and_what_only_tests_need_is_not() {
        let (metadata, checksums) = sample();
        let bill = bill(&metadata, &checksums).expect("it is of this repository");
        assert_eq!(bill["bomFormat"], "CycloneDX");
        assert_eq!(bill["metadata"]["component"]["purl"], "pkg:cargo/larder-cli@1.0.0");
        let names: Vec<_> = bill["components"].as_array().expect("a list").iter().collect();
        let names: Vec<_> = names.iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(names, ["cc", "serde"]);
        let serde = &bill["components"][1];
        assert_eq!(serde["hashes"][0]["content"], "ab");
        assert_eq!(serde["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["dependencies"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn metadata_of_something_else_is_refused() {
        assert!(bill(&json!({}), &BTreeMap::new()).is_none());
        let other = json!({"packages": [], "resolve": {"nodes": []}});
        assert!(bill(&other, &BTreeMap::new()).is_none());
    }
}
