//! Other people's tools: a Python environment below the target folder, with what reads our files.
//!
//! The first test that wants it makes it, with `python3 -m venv` and pip; later runs find it there. Where packages come from is
//! pip's own business. A machine that cannot reach them skips, aloud: see [`crate::seed::skip`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::seed;

/// What is installed: versions that are known to read our files, and later ones of the same line.
const PACKAGES: [&str; 8] = [
    "datasketches>=5.0,<6",
    "duckdb>=1.2,<3",
    "numpy>=1.26,<3",
    "pandas>=2.2,<4",
    "polars>=1.20,<3",
    "prometheus_client>=0.20,<1",
    "pyarrow>=18,<30",
    // What duckdb gives times with a zone to.
    "pytz>=2024.1",
];
/// Lists the packages of an environment that is whole.
const INSTALLED: &str = "installed.txt";
/// What pip says when it reaches no registry, as opposed to one that does not have what is asked for.
const UNREACHABLE: [&str; 9] = [
    "NewConnectionError",
    "ConnectTimeout",
    "ProxyError",
    "name resolution",
    "Failed to establish a new connection",
    "Network is unreachable",
    "ReadTimeoutError",
    "Connection reset",
    "too many 50",
];

/// Runs the script `name` of `tests/python` with `args`; false when it was skipped because there are no packages.
///
/// # Panics
/// With what the script said, when it failed; when packages that can be reached cannot be installed.
#[must_use]
pub fn run(name: &str, args: &[&str]) -> bool {
    let Some(python) = python() else {
        seed::skip(name, "there is no python3, or no registry of packages can be reached");
        return false;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
    let output = Command::new(python).arg(script).args(args).output();
    let output = output.expect("python starts");
    assert!(output.status.success(), "{name} {args:?} failed:\n{}", said(&output));
    true
}

/// The interpreter of the environment. The first call makes it, unless it is there.
#[must_use]
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(make).as_deref()
}

fn make() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test knows its own path");
    // <target>/<profile>/deps/<test>
    let target = test.ancestors().nth(3).expect("a test lies in a target folder");
    let environment = target.join("python");
    let (python, installed) = (environment.join("bin/python"), environment.join(INSTALLED));
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment).output();
    let made = made.ok()?;
    assert!(made.status.success(), "python3 -m venv failed:\n{}", said(&made));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let output = Command::new(&python).args(pip).args(PACKAGES).output().expect("python starts");
    if output.status.success() {
        note(&installed, &wanted);
        return Some(python);
    }
    let said = said(&output);
    assert!(UNREACHABLE.iter().any(|sign| said.contains(sign)), "pip install failed:\n{said}");
    None
}

#[expect(clippy::disallowed_methods, reason = "it is no file of a database")]
fn note(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the target folder can be written to");
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
