//! What `cargo xtask help` prints.

/// The usage of every command.
pub(crate) const TEXT: &str = "\
Checks and tests of the repository itself.

cargo xtask check             every rule of the repository, formatting and clippy; prints all problems
cargo xtask check NAME...     only these
cargo xtask check --list      what there is to check

cargo xtask test              everything that CI runs; stops at the first step that fails
cargo xtask test STEP...      only these steps
cargo xtask test --list       the steps, in order

cargo xtask long RUN...       runs too long for CI; their size can be set by environment variables
cargo xtask long --list       the runs

cargo xtask bench             every benchmark in full
cargo xtask bench --smoke     each once, and the instructions of the hot paths against benches/instructions.toml: part of CI
cargo xtask bench --instructions [--record]
                              the instructions alone, with valgrind; --record makes them the new bounds

cargo xtask sbom              what the binary is made of, as CycloneDX JSON

cargo xtask help              this text

Problems and lists go to standard output, progress to standard error.
Exit codes: 0 all is well, 1 something failed, 2 wrong usage.";
