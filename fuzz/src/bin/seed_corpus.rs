//! Writes the seed corpus: `cargo run --package larder-fuzz --bin seed-corpus [DIR]`, by default into `fuzz/corpus`.
#![expect(clippy::disallowed_methods, reason = "these are no files of a database")]

use std::{io, path::Path};

use fuzz::TARGETS;

fn main() -> io::Result<()> {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus").to_owned();
    let directory = std::env::args().nth(1).unwrap_or(usual);
    for target in TARGETS {
        let directory = Path::new(&directory).join(target.name);
        std::fs::create_dir_all(&directory)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}
