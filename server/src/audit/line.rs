//! One line of the log: JSON that carries its number and the hash of the line before it.
//!
//! ```text
//! {"v":1,"seq":7,"prev":"<SHA-256 of line 6, hex>","at":"2026-01-31T09:30:00.250Z","event":"put",...}\n
//! ```
//!
//! The hash of a line is that of its bytes without the newline. The line before the first has a hash of zeros. `docs/formats/audit.md`
//! has every field.

pub(super) use model::key::to_hex as hex;
use model::time::format_timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::event::Event;

/// The version of the lines that are written here. Lines of the time before they said so are of the first.
pub(super) const VERSION: u64 = 1;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// Where a chain stands: its last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number; 0 before the first.
    pub(super) sequence: u64,
    pub(super) hash: Digest,
}

impl Link {
    /// Before the first line.
    pub(super) const START: Self = Self { sequence: 0, hash: [0; 32] };
}

/// The hash of a line's bytes, without its newline.
pub(super) fn digest(line: &[u8]) -> Digest {
    Sha256::digest(line).into()
}

/// 64 hexadecimal digits.
pub(super) fn parse_digest(text: &str) -> Option<Digest> {
    model::key::parse_hex(text)?.try_into().ok()
}

/// Adds the line that says `event` behind `link`, newline included; the new end of the chain.
pub(super) fn write(output: &mut Vec<u8>, link: Link, event: Event) -> Link {
    let sequence = link.sequence.saturating_add(1);
    let mut line = Map::new();
    line.insert("v".to_owned(), VERSION.into());
    line.insert("seq".to_owned(), sequence.into());
    line.insert("prev".to_owned(), hex(&link.hash).into());
    line.insert("at".to_owned(), format_timestamp(event.at_ms).into());
    event.write(&mut line);
    let bytes = Value::Object(line).to_string().into_bytes();
    let hash = digest(&bytes);
    output.extend_from_slice(&bytes);
    output.push(b'\n');
    Link { sequence, hash }
}

/// The version that a line says it has, when this release does not know it: what else stands in it means nothing here.
pub(super) fn newer_version(line: &[u8]) -> Option<u64> {
    let Value::Object(fields) = serde_json::from_slice(line).ok()? else { return None };
    fields.get("v")?.as_u64().filter(|version| *version > VERSION)
}

/// Why a log with such a line is left alone.
pub(super) fn refusal(place: &str, version: u64) -> String {
    format!(
        "{place}: a line of format version {version}, this release knows up to {VERSION}: nothing was changed; use the release that wrote it"
    )
}

/// A line as it was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The line before it.
    pub(super) before: Link,
    pub(super) hash: Digest,
    pub(super) fields: Map<String, Value>,
}

impl Found {
    /// Reads a line without its newline; `None` when it is none of an audit log.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let Value::Object(fields) = serde_json::from_slice(line).ok()? else { return None };
        let sequence = fields.get("seq")?.as_u64()?.checked_sub(1)?;
        let hash = parse_digest(fields.get("prev")?.as_str()?)?;
        Some(Self { before: Link { sequence, hash }, hash: digest(line), fields })
    }

    /// The chain's end, when this is its last line.
    pub(super) fn link(&self) -> Link {
        Link { sequence: self.before.sequence + 1, hash: self.hash }
    }

    /// A field that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// A field that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_it_stands_and_is_read_back() {
        let mut bytes = Vec::new();
        let first = write(&mut bytes, Link::START, Event::new(0, "start"));
        let end = write(&mut bytes, first, Event::new(1_250, "stop"));
        let text = String::from_utf8(bytes).expect("JSON");
        let lines: Vec<_> = text.lines().collect();
        let zeros = "0".repeat(64);
        assert_eq!(
            lines[0],
            format!(
                r#"{{"v":1,"seq":1,"prev":"{zeros}","at":"1970-01-01T00:00:00Z","event":"start"}}"#
            )
        );
        let second = Found::read(lines[1].as_bytes()).expect("a line");
        assert_eq!((second.before, second.link()), (first, end));
        assert_eq!(second.text("at"), Some("1970-01-01T00:00:01.250Z"));
        assert_eq!(hex(&digest(lines[0].as_bytes())), hex(&first.hash));
    }

    #[test]
    fn only_a_line_of_a_newer_version_is_not_understood() {
        for (line, newer) in [
            (r#"{"v":2,"what":"ever"}"#, Some(2)),
            (r#"{"v":1,"seq":1}"#, None),
            (r#"{"seq":1}"#, None),
            (r#"{"v":"2"}"#, None),
            ("{\"v\":2", None),
        ] {
            assert_eq!(newer_version(line.as_bytes()), newer, "{line}");
        }
    }

    #[test]
    fn hashes_are_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hex(&digest(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(parse_digest(&hex(&digest(b"abc"))), Some(digest(b"abc")));
    }

    #[test]
    fn what_is_no_line_is_none_and_nothing_panics() {
        let good = r#"{"seq":1,"prev":"00"}"#;
        for text in ["", "{}", "[1]", "null", good, r#"{"seq":0,"prev":""}"#, "{\"seq\":1", "\0\0"]
        {
            assert!(Found::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
