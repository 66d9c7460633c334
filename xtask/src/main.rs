//! Checks and tests of the repository itself.
fn main() {}
