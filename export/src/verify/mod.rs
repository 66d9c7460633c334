//! Verification: logged reads are computed again from history alone, and every value is compared with what was served, bit for bit.
//!
//! ```text
//! reads/SERVICE/*.arrow ─► so many reads at once ─┬─► which entities, up to which record of the log, at which moments
//!                                                 │        streams/*, groups/* ─► in the order of the log ─► engine::replay
//!                                                 └─► as served ═══ compared ═══ computed
//! ```
//!
//! What was accepted is not decided again: history is what was accepted. Everything else is the server's own code, under the
//! definitions that the read was made by. `pass` computes, `entity` is one entity between its changes, `coverage` says what history
//! does not have, `compare` finds what differs.
//!
//! One pass goes through the history once, for as many reads as memory holds with what is computed for them; entities are kept only
//! while reads of them are to come.

mod compare;
mod coverage;
mod entity;
mod pass;
mod report;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use engine::replay::{ReplayPlan, ReplayTarget, ReplayVersion};

use crate::Error;
use crate::history::HistoryReader;
use crate::reads::{LoggedReads, ReadFile, ReadFileReader, ReadLayout, ReadLogReader};
use pass::Pass;

pub use coverage::Unverifiable;
pub use report::{Difference, VerifyReport};

/// What is verified, and how.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// Names of services; all that have logged reads when empty.
    pub services: Vec<String>,
    /// Differences that are listed; others are only counted.
    pub differences_max: usize,
    /// About how many bytes of reads and of what is computed for them are in memory at once.
    pub memory_bytes: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { services: Vec::new(), differences_max: 20, memory_bytes: 1 << 30 }
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyStep {
    /// Files of logged reads that were taken.
    pub files: u64,
    /// All of them.
    pub files_total: u64,
    /// Changes of the history that were gone through in this pass.
    pub changes: u64,
}

/// How often what waits is computed when a server drops files of the history meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// Verifies the logged reads in the history directory `history`.
///
/// # Errors
/// [`Error::File`] when there is no history, or a file of it is not what it must be; [`Error::Usage`] for a service without logged
/// reads; [`Error::Io`].
pub fn verify(
    history: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(VerifyStep),
) -> Result<VerifyReport, Error> {
    let reader = HistoryReader::open(history)?;
    let logs = ReadLogReader::new(history);
    let known = logs.services()?;
    if let Some(unknown) = options.services.iter().find(|service| !known.contains(service)) {
        let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Error::Usage(format!(
            "service {unknown} has no logged reads; those that have some: {there}. A service declares log_reads = 0.001"
        )));
    }
    let wanted = if options.services.is_empty() { &known } else { &options.services };
    let files = wanted.iter().map(|service| Ok((service, logs.files(service)?)));
    let files = files.collect::<Result<Vec<_>, Error>>()?;
    let files_total = files.iter().map(|(_, files)| files.len() as u64).sum();
    let step = VerifyStep { files_total, ..VerifyStep::default() };
    let report = VerifyReport::new(options.differences_max, reader.position());
    let mut run = Run { reader, options, progress, step, report };
    for (service, files) in &files {
        run.service(service, files)?;
    }
    Ok(run.report)
}

struct Run<'a> {
    reader: HistoryReader,
    options: &'a VerifyOptions,
    progress: &'a mut dyn FnMut(VerifyStep),
    step: VerifyStep,
    report: VerifyReport,
}

/// A service under one version of the definitions, with reads that are not verified yet.
struct Waiting {
    plan: ReplayPlan,
    layout: ReadLayout,
    reads: Vec<LoggedReads>,
    bytes: usize,
}

impl Run<'_> {
    fn service(&mut self, service: &str, files: &[ReadFile]) -> Result<(), Error> {
        // Versions may come mixed: connections learn of new ones at different moments.
        let mut waiting: BTreeMap<u64, Waiting> = BTreeMap::new();
        for file in files {
            let mut open = match ReadFileReader::open(file) {
                // For its age or size: they are a sample that goes on shrinking beside a server.
                Err(gone) if gone.is_not_found() => {
                    self.report.files_gone += 1;
                    continue;
                }
                open => open?,
            };
            let version = open.version();
            let newest = self.reader.versions().last().map_or(0, |newest| newest.version);
            if version > newest {
                // Written before history had come to its definitions.
                let rows = open.rows()?;
                self.report.skip(Unverifiable::NotReached, rows);
                continue;
            }
            let waiting = match waiting.entry(version) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(self.waiting(service, version)?),
            };
            while let Some(reads) = open.next(&waiting.layout)? {
                waiting.bytes += reads.bytes();
                waiting.reads.push(reads);
                if waiting.bytes >= self.options.memory_bytes / 4 {
                    self.pass(service, waiting)?;
                }
            }
            self.step.files += 1;
            (self.progress)(self.step);
        }
        waiting.values_mut().try_for_each(|waiting| self.pass(service, waiting))
    }

    /// `service` by the definitions of `version`.
    fn waiting(&self, service: &str, version: u64) -> Result<Waiting, Error> {
        let versions = self.reader.versions().iter().filter(|it| it.version <= version);
        let versions: Vec<_> = versions
            .map(|it| ReplayVersion {
                applied_at_ms: it.applied_at_ms,
                file: &it.file,
                text: &it.text,
            })
            .collect();
        let plan = ReplayPlan::of_versions(&versions, ReplayTarget::Service(service))?;
        let layout = ReadLayout::new(plan.definitions(), plan.read_plan())?;
        Ok(Waiting { plan, layout, reads: Vec::new(), bytes: 0 })
    }

    /// Verifies what waits.
    fn pass(&mut self, service: &str, waiting: &mut Waiting) -> Result<(), Error> {
        let reads = std::mem::take(&mut waiting.reads);
        waiting.bytes = 0;
        if reads.iter().all(LoggedReads::is_empty) {
            return Ok(());
        }
        let (step, progress) = (self.step, &mut *self.progress);
        let mut tell = |changes: u64| progress(VerifyStep { changes, ..step });
        let mut attempts = 1..ATTEMPTS_MAX;
        let computed = loop {
            let pass = Pass::new(&self.reader, &waiting.plan, &waiting.layout, &reads)?;
            match pass.compute(&mut tell) {
                // By what is left: reads that saw what was dropped cannot be verified.
                Err(Error::Dropped { .. }) if attempts.next().is_some() => {
                    self.reader = self.reader.again()?;
                    self.report.position = self.reader.position();
                }
                computed => break computed?,
            }
        };
        compare::compare((service, &waiting.layout), &reads, &computed, &mut self.report)
    }
}
