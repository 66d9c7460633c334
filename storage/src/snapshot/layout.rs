//! Where everything is in a snapshot file, taken from its header, footer and tables: bytes that anybody may have written.

use std::{collections::BTreeMap, ops::Range};

use stdx::cursor::Reader;

use super::{
    SectionTag, SnapshotRef,
    format::{
        ALIGNMENT, BLOCK_BYTES, CHECKSUM_BYTES, ENTRY_BYTES, Entry, FOOTER_BYTES, FORMAT, Footer,
        HEADER_BYTES, Header,
    },
};
use crate::{Error, Remedy};

/// See the module. All ranges lie in the file; sections lie in the body, in order, with nothing between them.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) salt: u64,
    /// Bytes of header and sections.
    pub(super) body: usize,
    /// Where the blocks' checksums stand.
    pub(super) checksums: Range<usize>,
    /// Tags and lengths in the order of the file.
    pub(super) sections: Vec<(SectionTag, u64)>,
    /// Where each section lies.
    pub(super) places: BTreeMap<SectionTag, Range<usize>>,
}

/// What is wrong with a file: the byte, and why.
type Fault = (usize, String);

impl Layout {
    /// The layout of `bytes`, all of the file called `file`, if that is the snapshot `reference` of the database `cluster`.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`] for an undamaged header of a newer release, else [`Error::Damaged`].
    pub(super) fn read(
        file: &str,
        bytes: &[u8],
        reference: &SnapshotRef,
        cluster: u128,
    ) -> Result<Self, Error> {
        let damaged = |(offset, why): Fault| {
            let (file, offset) = (file.to_owned(), offset as u64);
            Error::Damaged { file, offset, why, remedy: Remedy::Snapshot }
        };
        let header = Header::decode(bytes);
        let header = header.ok_or_else(|| damaged((0, "no header of a snapshot".into())))?;
        if header.format > FORMAT {
            let (file, found) = (file.to_owned(), header.format);
            return Err(Error::UnsupportedFormat { file, found, supported: FORMAT });
        }
        check_identity(&header, reference, cluster).map_err(damaged)?;
        check_length(bytes, reference).map_err(damaged)?;
        Self::tables(bytes, &header, reference).map_err(damaged)
    }

    /// What footer and tables say, once their checksum is that of the manifest.
    fn tables(bytes: &[u8], header: &Header, reference: &SnapshotRef) -> Result<Self, Fault> {
        let footer_at = bytes.len().saturating_sub(FOOTER_BYTES);
        let odd = |why: &str| (footer_at, why.to_owned());
        let (footer, checksum) = Footer::decode(bytes).ok_or_else(|| odd("no footer"))?;
        if (footer.number, footer.salt) != (header.number, header.salt) {
            return Err(odd("header and footer are of two files"));
        }
        if checksum != reference.checksum {
            return Err(odd("the footer is not that of the snapshot which the manifest names"));
        }
        let parts = parts(bytes.len(), &footer);
        let (body, directory_at) = parts.ok_or_else(|| odd("a part of the file has no room"))?;
        let tail = bytes.get(body..).unwrap_or_default();
        if Footer::checksum(footer.salt, tail) != checksum {
            return Err((body, "the checksum of the tables does not fit their bytes".into()));
        }
        let mut layout = Self {
            salt: footer.salt,
            body,
            checksums: body..directory_at,
            sections: Vec::with_capacity((footer_at - directory_at) / ENTRY_BYTES),
            places: BTreeMap::new(),
        };
        layout.directory(bytes.get(directory_at..footer_at).unwrap_or_default(), directory_at)?;
        Ok(layout)
    }

    /// Takes over the directory, which stands at `directory_at`.
    fn directory(&mut self, directory: &[u8], directory_at: usize) -> Result<(), Fault> {
        let mut input = Reader::new(directory);
        let mut next = HEADER_BYTES;
        while !input.is_empty() {
            let at = directory_at + input.offset();
            let odd = |why: &str| (at, why.to_owned());
            let entry = Entry::decode(&mut input).map_err(|end| odd(&end.to_string()))?;
            let place =
                place(&entry, self.body).ok_or_else(|| odd("a section outside the body"))?;
            if place.start != next {
                return Err(odd("a section that does not begin where the one before ends"));
            }
            next = place.end.next_multiple_of(ALIGNMENT);
            self.sections.push((entry.tag, entry.length));
            if self.places.insert(entry.tag, place).is_some() {
                return Err(odd("two sections with one name"));
            }
        }
        if next != self.body {
            return Err((self.body, "the body does not end with its last section".into()));
        }
        Ok(())
    }
}

/// Whether a good header is that of the file we look for.
fn check_identity(header: &Header, reference: &SnapshotRef, cluster: u128) -> Result<(), Fault> {
    if header.cluster != cluster {
        return Err((16, "it is a snapshot of another database".into()));
    }
    if header.number != reference.number {
        let why = format!("it is snapshot {}, not {}", header.number, reference.number);
        return Err((32, why));
    }
    if usize::try_from(header.block_bytes) != Ok(BLOCK_BYTES) {
        return Err((48, format!("blocks of {} bytes, not {BLOCK_BYTES}", header.block_bytes)));
    }
    Ok(())
}

fn check_length(bytes: &[u8], reference: &SnapshotRef) -> Result<(), Fault> {
    let (is, should) = (bytes.len() as u64, reference.bytes);
    if is == should {
        return Ok(());
    }
    let offset = usize::try_from(should).unwrap_or(usize::MAX).min(bytes.len());
    Err((offset, format!("the file has {is} bytes, the manifest says {should}")))
}

/// Where body and checksums end in a file of `bytes` bytes, if all parts fill it exactly.
fn parts(bytes: usize, footer: &Footer) -> Option<(usize, usize)> {
    let body = usize::try_from(footer.body_bytes).ok()?;
    let entries = usize::try_from(footer.sections).ok()?.checked_mul(ENTRY_BYTES)?;
    let checksums = body.div_ceil(BLOCK_BYTES).checked_mul(CHECKSUM_BYTES)?;
    let directory_at = body.checked_add(checksums)?;
    let whole = directory_at.checked_add(entries)?.checked_add(FOOTER_BYTES)?;
    (whole == bytes && body >= HEADER_BYTES).then_some((body, directory_at))
}

/// Where a section lies, if that is in the body.
fn place(entry: &Entry, body: usize) -> Option<Range<usize>> {
    let start = usize::try_from(entry.offset).ok()?;
    let end = start.checked_add(usize::try_from(entry.length).ok()?)?;
    (end <= body).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;

    const FILE: &str = "snapshot-00000000000000000007.lsnap";
    const HEADER: Header =
        Header { format: FORMAT, cluster: 3, number: 7, salt: 9, block_bytes: 65_536 };

    fn entry(kind: u32, offset: u64, length: u64) -> Entry {
        Entry { tag: SectionTag { kind, shard: 0, group: 0 }, offset, length }
    }

    /// A file of the given parts, and the reference that fits to it: every checksum is right, whatever the parts say.
    fn file(
        header: &Header,
        body: u64,
        entries: &[Entry],
        change: impl FnOnce(&mut Footer),
    ) -> (Vec<u8>, SnapshotRef) {
        let mut bytes = header.encode();
        bytes.resize(usize::try_from(body).expect("small").max(HEADER_BYTES), 0);
        let mut tables = vec![0; bytes.len().div_ceil(BLOCK_BYTES) * CHECKSUM_BYTES];
        entries.iter().for_each(|entry| entry.encode(&mut tables));
        let (number, salt) = (header.number, header.salt);
        let mut footer = Footer { number, salt, body_bytes: body, sections: entries.len() as u64 };
        change(&mut footer);
        footer.seal_behind(&mut bytes, tables)
    }

    impl Footer {
        fn seal_behind(&self, bytes: &mut Vec<u8>, mut tables: Vec<u8>) -> (Vec<u8>, SnapshotRef) {
            let checksum = self.seal(&mut tables);
            bytes.extend_from_slice(&tables);
            let reference = SnapshotRef { number: 7, bytes: bytes.len() as u64, checksum };
            (std::mem::take(bytes), reference)
        }
    }

    fn read((bytes, reference): &(Vec<u8>, SnapshotRef)) -> Result<Layout, Error> {
        Layout::read(FILE, bytes, reference, 3)
    }

    fn refused(file: &(Vec<u8>, SnapshotRef)) -> String {
        let error = read(file).expect_err("refused").to_string();
        assert!(error.contains(FILE), "{error}");
        error
    }

    #[test]
    fn sections_are_found_where_the_directory_says() {
        let sections = [entry(1, 64, 100), entry(2, 192, 0), entry(3, 192, 64)];
        let layout = read(&file(&HEADER, 256, &sections, |_| ())).expect("good");
        assert_eq!(layout.sections, sections.map(|entry| (entry.tag, entry.length)));
        assert_eq!(layout.places[&sections[0].tag], 64..164);
        assert_eq!((layout.body, layout.checksums), (256, 256..264));
        read(&file(&HEADER, 64, &[], |_| ())).expect("without a section");
    }

    #[test]
    fn a_newer_format_is_refused_by_name_whatever_follows() {
        let newer = Header { format: 2, block_bytes: 1, ..HEADER };
        let mut newer = file(&newer, 64, &[], |_| ());
        newer.0.truncate(70);
        let error = read(&newer).expect_err("newer");
        assert!(
            matches!(error, Error::UnsupportedFormat { found: 2, supported: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_although_every_checksum_fits() {
        let one = |entry| refused(&file(&HEADER, 128, &[entry], |_| ()));
        assert!(one(entry(1, 64, 65)).contains("outside the body"));
        assert!(one(entry(1, u64::MAX, 2)).contains("outside the body"));
        assert!(one(entry(1, 64, u64::MAX)).contains("outside the body"));
        assert!(one(entry(1, 0, 64)).contains("where the one before ends"));
        assert!(one(entry(1, 128, 0)).contains("where the one before ends"));
        assert!(one(entry(1, 64, 0)).contains("the body does not end"));
        let two = |second| refused(&file(&HEADER, 192, &[entry(1, 64, 64), second], |_| ()));
        assert!(two(entry(2, 64, 128)).contains("where the one before ends"));
        assert!(two(entry(2, 120, 64)).contains("where the one before ends"));
        assert!(two(entry(1, 128, 64)).contains("one name"));
        let empty = |change: fn(&mut Footer)| refused(&file(&HEADER, 64, &[], change));
        assert!(empty(|footer| footer.body_bytes = u64::MAX).contains("no room"));
        assert!(empty(|footer| footer.body_bytes = 0).contains("no room"));
        assert!(empty(|footer| footer.sections = u64::MAX / 32).contains("no room"));
        assert!(empty(|footer| footer.sections = 1).contains("no room"));
        assert!(empty(|footer| footer.salt = 1).contains("two files"));
        let blocks = Header { block_bytes: 4096, ..HEADER };
        assert!(refused(&file(&blocks, 64, &[], |_| ())).contains("4096"));
    }

    /// Whoever fixes up all checksums gets an answer, never a panic, and ranges that lie in the file.
    #[test]
    fn no_bytes_make_it_panic() {
        let numbers = [0, 1, 63, 64, 65, 127, 128, 192, 65_536, 1 << 32, u64::MAX - 63, u64::MAX];
        let mut opened = 0;
        for seed in 0..20_000 {
            let mut prng = Prng::new(seed);
            let mut number = || {
                let index = usize::try_from(prng.below(numbers.len() as u64)).expect("small");
                numbers[index]
            };
            let entries: Vec<_> = (0..number() % 3)
                .map(|kind| entry(u32::try_from(kind).expect("small"), number(), number()))
                .collect();
            let body = [64, 128, 192, 256, 65_600][usize::try_from(number() % 5).expect("small")];
            let (lie, value) = (number() % 8, number());
            let file = file(&HEADER, body, &entries, |footer| match lie {
                0 => footer.body_bytes = value,
                1 => footer.sections = value,
                _ => {}
            });
            if let Ok(layout) = read(&file) {
                opened += 1;
                assert!(layout.checksums.end <= file.0.len(), "seed {seed}");
                assert!(
                    layout.places.values().all(|place| place.end <= layout.body),
                    "seed {seed}"
                );
            }
        }
        assert!(opened > 100, "{opened} of 20000: hardly anything was tried");
    }
}
