//! Everything `cargo xtask` says: data to standard output, progress to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this file is for")]

/// Prints what was asked for: a list, a problem, the help text.
pub(crate) fn data(text: &str) {
    println!("{text}");
}

/// Prints how things are going.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// Opens the output of one step.
pub(crate) fn heading(text: &str) {
    eprintln!("\n== {text}");
}

/// Names and descriptions in two columns, for the `--list` options.
pub(crate) fn list(rows: &[(&str, &str)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, about) in rows {
        println!("{name:width$}  {about}");
    }
}
