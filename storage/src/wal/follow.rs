//! Reads the log while it goes on: every record that is on the disk, once, in order, with checksums and chain verified as at a start.
//!
//! ```text
//! segments  [……………] [……………] [……|…  ]      read from `next` to what is synced of the newest one; a batch that is not there
//!                ▲ next           ▲ synced   although it was synced is damage, never an end
//! ```

use super::{
    Wal,
    batch::Batch,
    extent::SegmentFile,
    reader::{self, Position, Segment},
    segment::{BATCHES_AT, Header},
};
use crate::{Error, Lsn, Vfs, fs::VFile};

/// Where a reader of the log stands.
#[derive(Debug, Clone)]
pub struct LogReader {
    next: Lsn,
    place: Option<Place>,
}

/// Behind a batch.
#[derive(Debug, Clone, Copy)]
struct Place {
    header: Header,
    /// Bytes from the start of the segment.
    offset: usize,
    position: Position,
}

/// What [`Wal::read_on`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOn {
    /// So many bytes of batches were read, and more are there.
    More(u64),
    /// So many bytes of batches were read: everything that is on the disk.
    End(u64),
    /// The record to come is gone: the log begins with this one now. Nothing was read, and the reader stands there.
    Gone(Lsn),
}

/// Is shown a record: its number, its kind and its payload.
pub type VisitRecord<'a> = &'a mut dyn FnMut(Lsn, u8, &[u8]) -> Result<(), Box<str>>;

impl LogReader {
    /// A reader to which `next` is the first record to come.
    #[must_use]
    pub fn from(next: Lsn) -> Self {
        Self { next, place: None }
    }

    /// The record to come: all before it were shown.
    #[must_use]
    pub fn next(&self) -> Lsn {
        self.next
    }
}

impl<V: Vfs> Wal<V> {
    /// Shows `visit` the records from where `reader` stands, as far as they are on the disk, batch by batch until there were
    /// `bytes_max` bytes of them.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a batch that was on the disk is not any more, [`Error::Replay`] with what `visit` said, [`Error::Io`].
    /// The reader stands before the batch in question.
    pub fn read_on(
        &self,
        reader: &mut LogReader,
        bytes_max: u64,
        visit: VisitRecord<'_>,
    ) -> Result<ReadOn, Error> {
        let mut done = 0;
        loop {
            let segments = self.segments();
            let Some(first) = segments.first() else { return Ok(ReadOn::End(done)) };
            if reader.next < first.first_lsn {
                // What was shown is told first: the next call says what is gone.
                if done > 0 {
                    return Ok(ReadOn::More(done));
                }
                let gone = first.first_lsn;
                *reader = LogReader::from(gone);
                return Ok(ReadOn::Gone(gone));
            }
            reader.leave_what_is_gone(&segments);
            let Some(segment) = reader.segment(&segments) else { return Ok(ReadOn::End(done)) };
            let before = done;
            match self.read_segment(reader, segment, bytes_max, (&mut done, &mut *visit)) {
                Ok(()) => {}
                // Removed since it was listed: what is listed now says so.
                Err(Error::Io { .. }) if self.is_gone(segment) => continue,
                Err(error) => return Err(error),
            }
            if done >= bytes_max {
                return Ok(ReadOn::More(done));
            }
            let is_newest = segments.last() == Some(segment);
            if is_newest || (done == before && reader.segment(&segments) == Some(segment)) {
                return Ok(ReadOn::End(done));
            }
        }
    }

    fn is_gone(&self, segment: &SegmentFile) -> bool {
        self.segments().iter().all(|listed| listed.first_lsn != segment.first_lsn)
    }

    /// Reads `segment` to what is synced of it.
    fn read_segment(
        &self,
        reader: &mut LogReader,
        segment: &SegmentFile,
        bytes_max: u64,
        (done, visit): (&mut u64, VisitRecord<'_>),
    ) -> Result<(), Error> {
        let synced = usize::try_from(segment.bytes).unwrap_or(usize::MAX);
        let is_read =
            |place: &Place| place.header.first_lsn == segment.first_lsn.0 && place.offset >= synced;
        if reader.place.as_ref().is_some_and(is_read) {
            return Ok(());
        }
        let (vfs, cluster) = (self.directory().vfs(), self.directory().cluster());
        let bytes = vfs.open(&segment.name)?.map()?;
        let bytes = bytes.get(..synced).unwrap_or(&bytes);
        let path = vfs.path(&segment.name);
        let mut place = reader.enter(&path, segment, cluster, bytes)?;
        while place.offset < synced && *done < bytes_max {
            let batch = place.batch(bytes).ok_or_else(|| Error::Corrupt {
                file: path.clone(),
                offset: place.offset as u64,
                first_lsn: place.position.last_lsn + 1,
                last_lsn: self.durable_lsn().0.max(place.position.last_lsn + 1),
                why: "a batch that was on the disk cannot be read any more".to_owned(),
            })?;
            for (lsn, (kind, payload)) in (batch.first_lsn..).zip(batch.records()) {
                if lsn >= reader.next.0 {
                    let shown = visit(Lsn(lsn), kind, payload);
                    shown.map_err(|why| Error::Replay { lsn, why: why.into() })?;
                }
            }
            *done += batch.bytes as u64;
            place.offset += batch.bytes;
            place.position = Position { last_lsn: batch.last_lsn(), previous: batch.checksum };
            reader.next = reader.next.max(Lsn(batch.next_lsn()));
            reader.place = Some(place);
        }
        reader.place = Some(place);
        Ok(())
    }
}

impl LogReader {
    /// A segment that was read to its last record may be removed before the seal behind that was: what follows then begins anew,
    /// its place known by the number of its first record.
    fn leave_what_is_gone(&mut self, segments: &[SegmentFile]) {
        let is_there = |place: &Place| {
            segments.iter().any(|segment| segment.first_lsn.0 == place.header.first_lsn)
        };
        self.place = self.place.filter(is_there);
    }

    /// Of `segments`, the one that the record to come is in, or will be.
    fn segment<'s>(&self, segments: &'s [SegmentFile]) -> Option<&'s SegmentFile> {
        let index = segments.partition_point(|segment| segment.first_lsn <= self.next);
        let segment = segments.get(index.checked_sub(1)?)?;
        // Behind the last record of a segment there may be a seal yet.
        let behind = |place: &Place| {
            let own = segments.iter().find(|own| own.first_lsn.0 == place.header.first_lsn);
            own.filter(|own| place.offset < usize::try_from(own.bytes).unwrap_or(usize::MAX))
        };
        self.place.as_ref().and_then(behind).or(Some(segment))
    }

    /// Where to go on in `segment`, whose header must be the one that follows what was read.
    fn enter(
        &self,
        path: &str,
        segment: &SegmentFile,
        cluster: u128,
        bytes: &[u8],
    ) -> Result<Place, Error> {
        let first_lsn = segment.first_lsn.0;
        let known = self.place;
        if let Some(place) = known.filter(|place| place.header.first_lsn == first_lsn) {
            return Ok(place);
        }
        let start = Position { last_lsn: first_lsn.saturating_sub(1), previous: 0 };
        let before = known.map_or(start, |place| place.position);
        let segment = Segment {
            path,
            first_lsn,
            next_first_lsn: None,
            cluster,
            is_first: known.is_none(),
            bytes_min: 0,
            bytes,
            data_end: &|_| Ok(0),
        };
        let header = segment.header(&before)?;
        let position = Position { last_lsn: before.last_lsn, previous: header.checksum() };
        Ok(Place { header, offset: BATCHES_AT, position })
    }
}

impl Place {
    fn batch<'b>(&self, bytes: &'b [u8]) -> Option<Batch<'b>> {
        reader::next(&self.header, bytes.get(self.offset..)?, &self.position)
    }
}
