//! Where the `larder` binary is: `LARDER_BINARY`, or compiled here, with the profile of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary. The first call compiles it, unless it is there.
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn larder() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("LARDER_BINARY").map_or_else(compile, PathBuf::from))
}

/// True when the binary knows `subcommand`.
#[must_use]
pub fn knows(subcommand: &str) -> bool {
    let output = Command::new(larder()).args([subcommand, "--help"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Cargo is done with its own lock on the target folder when tests run.
fn compile() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    // <target>/<profile>/deps/<test>
    let mut folders = test.ancestors().skip(2);
    let (profile, target) = (folders.next(), folders.next());
    let (profile, target) = profile.zip(target).expect("a test lies in a target folder");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "larder-cli", "--profile", name, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the larder binary does not compile");
    profile.join("larder")
}
