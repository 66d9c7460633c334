//! A record of the log in words: what kind, of which group or stream, how much, by whom.

use model::definition::Definitions;

use crate::{
    Error,
    catalog::CatalogRecord,
    mutation::{Delete, Header, Push, Put, Retract, kind},
    producer::Outcome,
};

/// A decoded record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordInfo {
    /// `definitions`, `put`, `push`, `delete` or `retract`.
    pub kind: &'static str,
    /// The group or stream by name; of definitions, the file they were read from.
    pub of: String,
    /// Rows, events or keys in it; of definitions, their version.
    pub count: u64,
    /// Who wrote it, and what came of it; nobody writes definitions.
    pub writer: Option<WriterInfo>,
}

/// The header of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterInfo {
    /// The producer; 0 is nobody.
    pub producer: u128,
    /// Its number for the write.
    pub sequence: u64,
    /// What the write did.
    pub outcome: Outcome,
}

/// Decodes the records of a log in their order: what is defined gives names to what follows.
#[derive(Debug, Default)]
pub struct RecordReader {
    definitions: Definitions,
}

impl RecordReader {
    /// Definitions that a snapshot holds, or a record of them.
    ///
    /// # Errors
    /// [`Error::Invalid`] when they cannot follow those of before.
    pub(super) fn define(&mut self, record: &CatalogRecord) -> Result<(), Error> {
        self.definitions = Definitions::parse(&record.file, &record.text, &self.definitions)?;
        Ok(())
    }

    /// The group of this index.
    pub(super) fn group(&self, index: u32) -> String {
        let group = self.definitions.groups.get(index as usize);
        group.map_or_else(|| format!("group {index}"), |group| group.name.to_string())
    }

    /// The stream of this index.
    pub(super) fn stream(&self, index: u32) -> String {
        let stream = self.definitions.streams.get(index as usize);
        stream.map_or_else(|| format!("stream {index}"), |stream| stream.name.to_string())
    }

    /// Decodes a record.
    ///
    /// # Errors
    /// [`Error::Format`] and [`Error::Invalid`] when the bytes are no record of that kind.
    pub fn read(&mut self, kind: u8, payload: &[u8]) -> Result<RecordInfo, Error> {
        let cut_off = |error| Error::Format(format!("a record of kind {kind}: {error}"));
        match kind {
            kind::DEFINITIONS => {
                let record = CatalogRecord::decode(payload)?;
                self.define(&record)?;
                let CatalogRecord { version, file, .. } = record;
                Ok(RecordInfo { kind: "definitions", of: file, count: version, writer: None })
            }
            kind::PUT => {
                let put = Put::decode(payload).map_err(cut_off)?;
                Ok(write("put", self.group(put.group), put.rows.len(), &put.header))
            }
            kind::PUSH => {
                let push = Push::decode(payload).map_err(cut_off)?;
                Ok(write("push", self.stream(push.stream), push.events.len(), &push.header))
            }
            kind::DELETE => {
                let delete = Delete::decode(payload).map_err(cut_off)?;
                Ok(write("delete", self.group(delete.group), delete.keys.len(), &delete.header))
            }
            kind::RETRACT => {
                let retract = Retract::decode(payload).map_err(cut_off)?;
                let of = self.stream(retract.stream);
                Ok(write("retract", of, retract.events.len(), &retract.header))
            }
            other => Err(Error::Format(format!("a record of unknown kind {other}"))),
        }
    }
}

fn write(kind: &'static str, of: String, count: usize, header: &Header) -> RecordInfo {
    let Header { producer, sequence, outcome } = *header;
    let writer = Some(WriterInfo { producer: producer.0, sequence, outcome });
    RecordInfo { kind, of, count: count as u64, writer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::ProducerId;

    const TEXT: &str = "[entity.card]\nkey = \"string\"\n[group.cards]\nentity = \"card\"\n\
                        [group.cards.features]\nlimit = \"i64\"\n";

    #[test]
    fn records_are_named_by_the_definitions_before_them() {
        let mut reader = RecordReader::default();
        let header = Header {
            producer: ProducerId(7),
            sequence: 2,
            outcome: Outcome { applied: 1, ..Outcome::default() },
        };
        let mut delete = Vec::new();
        Delete { header, group: 0, keys: vec![b"a", b"b"], at: None }.encode(&mut delete);
        assert_eq!(reader.read(kind::DELETE, &delete).expect("decodes").of, "group 0");
        let (file, text) = ("f.toml".to_owned(), TEXT.to_owned());
        let record = CatalogRecord { version: 1, applied_at_ms: 0, file, text };
        let info = reader.read(kind::DEFINITIONS, &record.encode().expect("encodes"));
        let info = info.expect("decodes");
        assert_eq!((info.kind, info.of.as_str(), info.count), ("definitions", "f.toml", 1));
        let info = reader.read(kind::DELETE, &delete).expect("decodes");
        assert_eq!((info.kind, info.of.as_str(), info.count), ("delete", "cards", 2));
        assert_eq!(info.writer.map(|writer| (writer.producer, writer.sequence)), Some((7, 2)));
        assert!(reader.read(kind::DELETE, &delete[..9]).is_err() && reader.read(9, &[]).is_err());
    }
}
