//! What there is of a history: its files, up to which record of the log they reach, what is missing, and all definitions.
//!
//! JSON in an envelope with a checksum: `{"crc64_nvme":"<16 digits>","history":{…}}`, over the bytes of `{…}`.

use std::collections::BTreeMap;
use std::path::Path;

use engine::Lsn;
use engine::changes::DefinitionsVersion;
use model::definition::History;
use serde_json::{Value as Json, json};
use stdx::checksum::crc64;

use super::{MANIFEST, source::HistorySource};
use crate::Error;

/// Version of the manifest's form.
const VERSION: u64 = 1;
const HEAD: &str = "{\"crc64_nvme\":\"";
const MIDDLE: &str = "\",\n\"history\":";
const TAIL: &str = "}\n";

/// A file of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryFile {
    /// Its path from the history's directory on.
    pub path: String,
    /// Record of its first change.
    pub first_lsn: Lsn,
    /// Record of its last change.
    pub last_lsn: Lsn,
    /// Earliest time in its column `arrival`, in ms.
    pub first_at_ms: i64,
    /// Latest time in its column `arrival`, in ms.
    pub last_at_ms: i64,
    /// Changes in it.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// CRC-64/NVME of its bytes.
    pub checksum: u64,
}

/// Records of the log in which all changes of a stream or row group were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySpan {
    /// The record that began it: all changes after it are there.
    pub from: Lsn,
    /// Nothing had been written to the stream or group before.
    pub was_empty: bool,
    /// The record that ended it; `None`: it goes on.
    pub to: Option<Lsn>,
}

/// Records that were gone before they were gone through: what was in them is in no history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryGap {
    /// The first one.
    pub first: Lsn,
    /// The last one.
    pub last: Lsn,
}

/// The history of one stream or row group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHistory {
    /// When it was kept, ascending.
    pub spans: Vec<HistorySpan>,
    /// Changes up to this record were dropped because of their age or their bytes.
    pub dropped_to: Lsn,
    /// How much is kept: what the newest definitions with a history said.
    pub limits: History,
    /// Its files, in the order of the log.
    pub files: Vec<HistoryFile>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryManifest {
    /// Names the database.
    pub cluster: u128,
    /// Up to this record of the log the files hold all changes there were, and none after it.
    pub position: Lsn,
    /// All definitions up to there, in order.
    pub versions: Vec<DefinitionsVersion>,
    /// What is missing, in order.
    pub gaps: Vec<HistoryGap>,
    /// Streams and row groups that have a history, or had one.
    pub sources: BTreeMap<HistorySource, SourceHistory>,
}

impl HistoryManifest {
    /// That of a history without anything.
    pub(super) fn new(cluster: u128) -> Self {
        let (versions, gaps, sources) = Default::default();
        Self { cluster, position: Lsn(0), versions, gaps, sources }
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        let versions = self.versions.iter().map(|it| {
            json!({ "version": it.version, "lsn": it.lsn.0, "applied_at_ms": it.applied_at_ms, "file": it.file, "toml": it.text })
        });
        let gaps = self.gaps.iter().map(|gap| json!({ "first": gap.first.0, "last": gap.last.0 }));
        let sources = self.sources.iter().map(|(source, history)| source_json(source, history));
        let body = json!({
            "larder_history": VERSION,
            "cluster": format!("{:032x}", self.cluster),
            "position": self.position.0,
            "definitions": versions.collect::<Vec<_>>(),
            "gaps": gaps.collect::<Vec<_>>(),
            "sources": sources.collect::<Vec<_>>(),
        });
        let body = format!("{body:#}");
        format!("{HEAD}{:016x}{MIDDLE}{body}{TAIL}", crc64(0, &[body.as_bytes()]))
    }

    /// What `text` says, all of the manifest in the directory `root`.
    pub(super) fn parse(root: &Path, text: &str) -> Result<Self, Error> {
        let path = root.join(MANIFEST);
        let damaged = |what: &str| {
            let remedy = "move the history's directory away: it begins anew; or put the history of a backup in its place, files and \
                          manifest";
            Error::file(&path, format!("it is damaged: {what}; {remedy}"))
        };
        let found = text.strip_prefix(HEAD).and_then(|rest| rest.split_once(MIDDLE));
        let found = found.and_then(|(sum, rest)| Some((sum, rest.strip_suffix(TAIL)?)));
        let (sum, body) = found.ok_or_else(|| damaged("it is cut off"))?;
        if u64::from_str_radix(sum, 16).ok() != Some(crc64(0, &[body.as_bytes()])) {
            return Err(damaged("its checksum does not fit its bytes"));
        }
        let body: Json = serde_json::from_str(body).map_err(|error| damaged(&error.to_string()))?;
        match number(&body, "larder_history") {
            Some(VERSION) => {}
            Some(newer) => {
                let what = format!("it is of form {newer}, this release knows {VERSION}");
                return Err(Error::file(&path, what));
            }
            None => return Err(damaged("it is of no form")),
        }
        decode(&body).ok_or_else(|| damaged("a member is missing or of another type"))
    }
}

fn source_json(source: &HistorySource, history: &SourceHistory) -> Json {
    let spans = history.spans.iter().map(|span| {
        json!({ "from": span.from.0, "was_empty": span.was_empty, "to": span.to.map(|to| to.0) })
    });
    let files = history.files.iter().map(|file| {
        json!({
            "path": file.path,
            "first_lsn": file.first_lsn.0,
            "last_lsn": file.last_lsn.0,
            "first_at_ms": file.first_at_ms,
            "last_at_ms": file.last_at_ms,
            "rows": file.rows,
            "bytes": file.bytes,
            "crc64_nvme": format!("{:016x}", file.checksum),
        })
    });
    json!({
        "kind": source.kind(),
        "name": source.name(),
        "spans": spans.collect::<Vec<_>>(),
        "dropped_to": history.dropped_to.0,
        "age_ms": history.limits.age_ms,
        "size_bytes": history.limits.bytes,
        "files": files.collect::<Vec<_>>(),
    })
}

fn decode(body: &Json) -> Option<HistoryManifest> {
    let versions = list(body, "definitions")?.iter().map(|it| {
        Some(DefinitionsVersion {
            version: number(it, "version")?,
            lsn: lsn(it, "lsn")?,
            applied_at_ms: it.get("applied_at_ms")?.as_i64()?,
            file: text(it, "file")?.to_owned(),
            text: text(it, "toml")?.to_owned(),
        })
    });
    let gap = |it: &Json| Some(HistoryGap { first: lsn(it, "first")?, last: lsn(it, "last")? });
    Some(HistoryManifest {
        cluster: u128::from_str_radix(text(body, "cluster")?, 16).ok()?,
        position: lsn(body, "position")?,
        versions: versions.collect::<Option<_>>()?,
        gaps: list(body, "gaps")?.iter().map(gap).collect::<Option<_>>()?,
        sources: list(body, "sources")?.iter().map(decode_source).collect::<Option<_>>()?,
    })
}

fn decode_source(it: &Json) -> Option<(HistorySource, SourceHistory)> {
    let span = |it: &Json| {
        let to = it.get("to")?;
        let to = if to.is_null() { None } else { Some(Lsn(to.as_u64()?)) };
        Some(HistorySpan { from: lsn(it, "from")?, was_empty: it.get("was_empty")?.as_bool()?, to })
    };
    let file = |it: &Json| {
        Some(HistoryFile {
            path: text(it, "path")?.to_owned(),
            first_lsn: lsn(it, "first_lsn")?,
            last_lsn: lsn(it, "last_lsn")?,
            first_at_ms: it.get("first_at_ms")?.as_i64()?,
            last_at_ms: it.get("last_at_ms")?.as_i64()?,
            rows: number(it, "rows")?,
            bytes: number(it, "bytes")?,
            checksum: u64::from_str_radix(text(it, "crc64_nvme")?, 16).ok()?,
        })
    };
    let limits = History {
        age_ms: it.get("age_ms").and_then(Json::as_i64),
        bytes: it.get("size_bytes").and_then(Json::as_u64),
    };
    let history = SourceHistory {
        spans: list(it, "spans")?.iter().map(span).collect::<Option<_>>()?,
        dropped_to: lsn(it, "dropped_to")?,
        limits,
        files: list(it, "files")?.iter().map(file).collect::<Option<_>>()?,
    };
    Some((HistorySource::of(text(it, "kind")?, text(it, "name")?)?, history))
}

fn number(it: &Json, member: &str) -> Option<u64> {
    it.get(member)?.as_u64()
}

fn lsn(it: &Json, member: &str) -> Option<Lsn> {
    number(it, member).map(Lsn).filter(|lsn| *lsn <= Lsn::MAX)
}

fn text<'j>(it: &'j Json, member: &str) -> Option<&'j str> {
    it.get(member)?.as_str()
}

fn list<'j>(it: &'j Json, member: &str) -> Option<&'j Vec<Json>> {
    it.get(member)?.as_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> HistoryManifest {
        let version = DefinitionsVersion {
            version: 1,
            lsn: Lsn(3),
            applied_at_ms: -5,
            file: "f.toml".to_owned(),
            text: "# \"née\"\n".to_owned(),
        };
        let file = HistoryFile {
            path: "streams/s/00000000000000000004.arrow".to_owned(),
            first_lsn: Lsn(4),
            last_lsn: Lsn(9),
            first_at_ms: -7,
            last_at_ms: 8,
            rows: 10,
            bytes: 11,
            checksum: u64::MAX,
        };
        let history = SourceHistory {
            spans: vec![
                HistorySpan { from: Lsn(3), was_empty: true, to: Some(Lsn(7)) },
                HistorySpan { from: Lsn(8), was_empty: false, to: None },
            ],
            dropped_to: Lsn(2),
            limits: History { age_ms: Some(5), bytes: None },
            files: vec![file],
        };
        let mut manifest = HistoryManifest::new(u128::MAX - 1);
        manifest.position = Lsn(9);
        manifest.versions.push(version);
        manifest.gaps.push(HistoryGap { first: Lsn(1), last: Lsn(2) });
        manifest.sources.insert(HistorySource::Stream("s".to_owned()), history);
        manifest.sources.insert(HistorySource::Group("s".to_owned()), SourceHistory::default());
        manifest
    }

    #[test]
    fn what_is_written_is_read_and_every_change_of_a_byte_is_noticed() {
        let (root, text) = (Path::new("history"), example().text());
        assert_eq!(HistoryManifest::parse(root, &text).expect("whole"), example());
        for at in 0..text.len() {
            for bit in [1, 0x80] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= bit;
                // As they are read from a file.
                let changed = String::from_utf8_lossy(&bytes);
                assert!(HistoryManifest::parse(root, &changed).is_err(), "byte {at}, bit {bit}");
            }
            let cut = text.get(..at).is_none_or(|cut| HistoryManifest::parse(root, cut).is_err());
            assert!(cut, "cut at {at}");
        }
    }
}
