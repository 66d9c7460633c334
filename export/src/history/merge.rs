//! Small files become large ones, so that there are as many as what was kept needs, and not one for each minute in which it was.
//!
//! ```text
//! 8 neighbours ─► one file, synced, named ─► manifest that lists it in their place, synced, named ─► the 8 go
//! ```
//!
//! Eight neighbours or more are merged when together they have at least [`GROWTH`] times the changes of the largest of them, so that a
//! change is written again at most log₄(1,000,000) = 10 times (in a day of equal minutes three times), and when what comes of it is no
//! larger than a file is anyway. Never merged are files of different versions of the definitions, whose columns differ, and files on
//! both sides of a gap.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use super::file::OpenFile;
use super::manifest::{HistoryFile, HistoryManifest, SourceHistory};
use super::reader::HistoryReader;
use super::source::HistorySource;
use super::table::Layout;
use super::{HistoryLimits, HistoryWriter};
use crate::Error;

/// So many times the changes of the largest file of a merge come of it, at least. With 8, a load that comes in bursts leaves three times
/// as many files; with 2, all is written again twice as often.
const GROWTH: u64 = 4;
/// Files of one merge, at least and at most.
const FILES: RangeInclusive<usize> = 8..=512;
/// Of what a source keeps, by age or by bytes, a merged file is at most this part: by so much too
/// much of its age is kept, or too little of its bytes.
const PARTS_KEPT: u64 = 16;

/// What became of an attempt to merge files.
#[derive(Debug)]
pub enum HistoryMerge {
    /// There is nothing to merge.
    Nothing,
    /// Files were merged; there may be more to do.
    Merged,
    /// It was told not to go on, and all is as it was.
    GivenUp,
    /// A file cannot be read, or the merged one not be written. Files stay as they are, the one that cannot be read or all of them,
    /// and are not tried again before the history is opened anew.
    Refused(Error),
}

/// What a writer knows of merges.
#[derive(Debug)]
pub(super) struct Merges {
    /// Files have come since there was nothing to merge.
    is_worth_a_look: bool,
    /// Paths of files that could not be read, or not be merged.
    refused: BTreeSet<String>,
}

impl Default for Merges {
    fn default() -> Self {
        Self { is_worth_a_look: true, refused: BTreeSet::new() }
    }
}

impl Merges {
    pub(super) fn files_changed(&mut self) {
        self.is_worth_a_look = true;
    }
}

/// A merged file, or why there is none.
enum Made {
    Whole(HistoryFile),
    GivenUp,
    Unreadable(String, Error),
}

impl HistoryWriter {
    /// Bytes of the files that [`HistoryWriter::merge`] would merge next; `None`: nothing is to be merged.
    pub fn next_merge_bytes(&mut self) -> Option<u64> {
        let (source, run) = self.next_merge()?;
        let files = &self.manifest.sources.get(&source)?.files;
        Some(files.get(run)?.iter().map(|file| file.bytes).sum())
    }

    /// Merges neighbours of one source, if there are some that are small. `may_go_on` is asked every some thousand changes.
    ///
    /// # Errors
    /// [`Error::Io`] once there is a merged file: the manifest of before or of after holds, what either lists is there, and the writer
    /// is to be opened anew.
    pub fn merge(&mut self, may_go_on: &mut dyn FnMut() -> bool) -> Result<HistoryMerge, Error> {
        let Some((source, run)) = self.next_merge() else { return Ok(HistoryMerge::Nothing) };
        let history = self.manifest.sources.get(&source);
        let files = history.and_then(|history| history.files.get(run.clone()));
        let files = files.unwrap_or_default();
        let merged = match self.merged(&source, files, may_go_on) {
            Ok(Made::Whole(merged)) => merged,
            Ok(Made::GivenUp) => return Ok(HistoryMerge::GivenUp),
            Ok(Made::Unreadable(path, why)) => {
                self.merges.refused.insert(path);
                return Ok(HistoryMerge::Refused(why));
            }
            // Nothing was changed: history goes on without this merge, also when it fails every time.
            Err(why) => {
                self.merges.refused.extend(files.iter().map(|file| file.path.clone()));
                return Ok(HistoryMerge::Refused(why));
            }
        };
        let Some(history) = self.manifest.sources.get_mut(&source) else {
            return Ok(HistoryMerge::Nothing);
        };
        let replaced = history.files.splice(run, [merged]).map(|file| file.path);
        let replaced: Vec<_> = replaced.collect();
        self.write_manifest()?;
        self.remove(&replaced)?;
        Ok(HistoryMerge::Merged)
    }

    /// The next files to merge, by their places.
    fn next_merge(&mut self) -> Option<(HistorySource, Range<usize>)> {
        if !self.merges.is_worth_a_look {
            return None;
        }
        let runs = self.manifest.sources.iter().filter_map(|(source, history)| {
            let merges = (&self.manifest, &self.merges.refused);
            Some((source.clone(), run(history, merges, self.limits)?))
        });
        let found = { runs }.next();
        self.merges.is_worth_a_look = found.is_some();
        found
    }

    /// One file of all changes in `files`, neighbours of `source`.
    fn merged(
        &self,
        source: &HistorySource,
        files: &[HistoryFile],
        may_go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Made, Error> {
        let [first, .., last] = files else { return Ok(Made::GivenUp) };
        let version = version_of(&self.manifest, first);
        let reader = HistoryReader::of(&self.root, self.manifest.clone())?;
        let Some(definitions) = reader.definitions(version) else { return Ok(Made::GivenUp) };
        let layout = Layout::of(source, (definitions, version), None)?;
        // No other file is called so: of those that begin with this record it alone ends with that one.
        let folder = source.folder();
        let path = format!("{folder}/{:020}-{:020}.arrow", first.first_lsn.0, last.last_lsn.0);
        let mut merged = OpenFile::create(&self.root, path, source.clone(), layout)?;
        for file in files {
            let before = merged.rows();
            for batch in reader.file(source, file) {
                if !may_go_on() {
                    return Ok(Made::GivenUp);
                }
                let taken =
                    batch.and_then(|batch| batch.for_each(&mut |change| merged.take(change)));
                if let Err(why) = taken {
                    return Ok(Made::Unreadable(file.path.clone(), why));
                }
                merged.write_full()?;
            }
            let ends = merged.lsns().map(|(_, end)| end) == Some(file.last_lsn);
            if merged.rows() - before != file.rows || !ends {
                let what = "its changes are not those that the manifest says: see larder check";
                let why = Error::file(&self.root.join(&file.path), what);
                return Ok(Made::Unreadable(file.path.clone(), why));
            }
        }
        Ok(Made::Whole(merged.finish()?.1))
    }
}

/// The version of the definitions that `file` was written under: files end where a version does.
fn version_of(manifest: &HistoryManifest, file: &HistoryFile) -> u64 {
    let versions = manifest.versions.iter().rev();
    let version = { versions }.find(|version| version.lsn < file.first_lsn);
    version.map_or(0, |version| version.version)
}

/// The first files of `history` that are to be merged: of those, as many as may be.
fn run(
    history: &SourceHistory,
    (manifest, refused): (&HistoryManifest, &BTreeSet<String>),
    limits: HistoryLimits,
) -> Option<Range<usize>> {
    let kept = history.limits;
    let bytes_max = kept.bytes.map_or(u64::MAX, |bytes| bytes / PARTS_KEPT).min(limits.bytes);
    let parts = i64::try_from(PARTS_KEPT).unwrap_or(i64::MAX);
    let span_ms_max = kept.age_ms.map_or(i64::MAX, |age_ms| age_ms / parts);
    let is_apart = |before: &HistoryFile, next: &HistoryFile| {
        let is_between = manifest
            .gaps
            .iter()
            .any(|gap| gap.first > before.last_lsn && gap.last < next.first_lsn);
        is_between || version_of(manifest, before) != version_of(manifest, next)
    };
    (0..history.files.len()).find_map(|from| {
        let (mut rows, mut bytes, mut largest, mut found) = (0_u64, 0_u64, 0_u64, None);
        let (mut first_ms, mut last_ms) = (i64::MAX, i64::MIN);
        let mut before: Option<&HistoryFile> = None;
        for (place, file) in history.files.iter().enumerate().skip(from).take(*FILES.end()) {
            (rows, bytes) = (rows.saturating_add(file.rows), bytes.saturating_add(file.bytes));
            largest = largest.max(file.rows);
            first_ms = first_ms.min(file.first_at_ms);
            last_ms = last_ms.max(file.last_at_ms);
            let is_too_large = rows > limits.rows || bytes > bytes_max;
            if is_too_large
                || last_ms.saturating_sub(first_ms) > span_ms_max
                || refused.contains(&file.path)
                || before.is_some_and(|before| is_apart(before, file))
            {
                break;
            }
            let is_enough = FILES.contains(&(place + 1 - from));
            if is_enough && rows >= largest.saturating_mul(GROWTH) {
                found = Some(from..place + 1);
            }
            before = Some(file);
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use engine::Lsn;
    use model::definition::History;
    use stdx::prng::Prng;

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// A source as `minutes` leave it, each of which has so many changes; the most files there were, and how often changes were
    /// written again.
    fn after(
        kept: History,
        limits: HistoryLimits,
        minutes: impl Iterator<Item = u64>,
    ) -> (SourceHistory, usize, u64) {
        let mut history = SourceHistory { limits: kept, ..SourceHistory::default() };
        let (manifest, refused) = (HistoryManifest::new(1), BTreeSet::new());
        let (mut most, mut again, mut lsn) = (0, 0, 0);
        for (minute, rows) in (0..).zip(minutes) {
            let (first_lsn, at_ms) = (Lsn(lsn + 1), minute * MINUTE_MS);
            lsn += rows;
            history.files.push(HistoryFile {
                path: format!("{first_lsn}"),
                first_lsn,
                last_lsn: Lsn(lsn),
                first_at_ms: at_ms,
                last_at_ms: at_ms + MINUTE_MS - 1,
                rows,
                bytes: 100 * rows,
                checksum: 0,
            });
            while let Some(run) = run(&history, (&manifest, &refused), limits) {
                let parts = &history.files[run.clone()];
                let [first, .., last] = parts else { panic!("{run:?} is no merge") };
                let merged = HistoryFile {
                    path: format!("{}-{}", first.first_lsn, last.last_lsn),
                    last_lsn: last.last_lsn,
                    last_at_ms: last.last_at_ms,
                    rows: parts.iter().map(|file| file.rows).sum(),
                    bytes: parts.iter().map(|file| file.bytes).sum(),
                    ..first.clone()
                };
                assert!(parts.windows(2).all(|it| it[0].last_lsn.0 + 1 == it[1].first_lsn.0));
                again += merged.rows;
                history.files.splice(run, [merged]);
            }
            most = most.max(history.files.len());
        }
        (history, most, again)
    }

    /// A day of a source that little happens to was 1,440 files.
    #[test]
    fn a_day_of_minutes_is_some_files() {
        let (history, most, again) =
            after(History::default(), HistoryLimits::default(), std::iter::repeat_n(10, 1440));
        assert_eq!(history.files.len(), 6);
        assert!(most <= 20, "{most}");
        assert!(again <= 7 * 14_400 / 2, "{again}: each change is written again some three times");
        // Of much, as many as it takes.
        let (history, most, again) =
            after(History::default(), HistoryLimits::default(), std::iter::repeat_n(60_000, 1440));
        assert!(history.files.len() == 1440 / 8 && most <= 180 + 7, "{most}");
        assert_eq!(again, 60_000 * 1440);
    }

    #[test]
    fn however_much_happens_files_are_few_and_changes_seldom_written_again() {
        let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
        for seed in seed.map_or(1..=40, |seed| seed..=seed) {
            println!("LARDER_SEED={seed}");
            let mut random = Prng::stream(seed, "minutes");
            let minutes = (0..3000).map(|_| {
                let most = 1 << (1 + random.below(14));
                1 + random.below(most)
            });
            let minutes: Vec<u64> = minutes.collect();
            let rows: u64 = minutes.iter().sum();
            let limits = HistoryLimits::default();
            let (history, most, again) = after(History::default(), limits, minutes.into_iter());
            let kept = history.files.iter();
            assert!(
                kept.clone().all(|file| file.rows <= limits.rows && file.bytes <= limits.bytes)
            );
            assert_eq!(kept.map(|file| file.rows).sum::<u64>(), rows);
            let large =
                usize::try_from(8 * rows / limits.rows.min(limits.bytes / 100)).expect("few");
            // Between two large ones some may stay that are too few to be merged.
            assert!(most <= 3 * (large + 1), "{most} files, about {large} of them large");
            assert!(again <= 4 * rows, "{again} of {rows}");
        }
    }

    #[test]
    fn a_merged_file_is_a_small_part_of_what_is_kept() {
        let kept = History { age_ms: Some(16 * 60 * MINUTE_MS), bytes: Some(16 * 100_000) };
        let (history, ..) = after(kept, HistoryLimits::default(), std::iter::repeat_n(2, 500));
        let spans = history.files.iter().map(|file| file.last_at_ms - file.first_at_ms);
        assert!(spans.max().expect("there are some") < 60 * MINUTE_MS);
        let (history, ..) = after(kept, HistoryLimits::default(), std::iter::repeat_n(50, 500));
        assert!(history.files.iter().all(|file| file.bytes <= 100_000));
        assert!(history.files.len() < 80);
    }
}
