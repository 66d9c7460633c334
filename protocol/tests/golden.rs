//! The bytes of every message, for ever: a client of an older release must be understood. A file that changes is a change of
//! the protocol; `LARDER_BLESS=1` writes files for new messages.

mod samples;

use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"))
}

/// Sixteen bytes a line, with the offset in the frame.
fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        let shown: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{:04x}  {}\n", line * 16, shown.join(" ")));
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "blessing writes files of the source tree")]
fn bless(name: &str, text: &str) {
    std::fs::write(path(name), text).expect("the source tree can be written to");
}

#[test]
fn every_message_has_its_golden_bytes() {
    for sample in samples::all() {
        let hex = to_hex(&sample.frame);
        if std::env::var_os("LARDER_BLESS").is_some() {
            bless(&sample.name, &hex);
        }
        let golden = std::fs::read_to_string(path(&sample.name))
            .unwrap_or_else(|error| panic!("{}: {error}; LARDER_BLESS=1 makes it", sample.name));
        assert_eq!(hex, golden, "{}", sample.name);
    }
}

#[test]
fn every_message_decodes_to_what_it_was_made_of() {
    for sample in samples::all() {
        let again = (sample.again)(sample.body());
        assert_eq!(again.as_deref(), Ok(sample.body()), "{}", sample.name);
    }
}

#[test]
fn no_golden_file_is_left_behind() {
    let names: Vec<_> = samples::all().into_iter().map(|sample| sample.name).collect();
    let folder = path("").parent().expect("a folder").to_owned();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let file = entry.expect("it can be listed").path();
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8").to_owned();
        assert!(names.contains(&stem), "{stem}.hex belongs to no message");
    }
}
