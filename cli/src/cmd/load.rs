//! Loading a file into a stream or a group: batches in file order, a few in flight, counted line by line.
//!
//! Batches are numbered; one that is sent again, after a lost connection or a restart of the server, is applied once.

mod rejects;
mod send;
mod unanswered;

use std::collections::VecDeque;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::{
    args,
    error::CliError,
    input::{Binding, Input, Record, Skipped},
    output::{self, Format, Sheet},
};
use rejects::Rejects;

pub(crate) use send::Patience;
pub(super) use send::{Counts, Sent, Unanswered};
use unanswered::Lost;

/// Batches on their way at once: the server works on one while others travel and wait for the disk.
const IN_FLIGHT: usize = 8;

/// Rows of one request with the records they came from.
pub(super) struct Batch<R> {
    pub(super) rows: Vec<R>,
    /// Line and text of each row's record.
    origins: Vec<(u64, String)>,
}

/// Where a file goes.
pub(super) trait Target: Clone + Send + 'static {
    /// A record, packed.
    type Row: Send + 'static;

    /// Binds the file's columns.
    fn bind(&self, header: Option<&[String]>) -> Result<Binding, CliError>;
    /// Packs one record.
    fn pack(&self, binding: &Binding, record: &Record) -> Result<Self::Row, Skipped>;
    /// Sends one batch, as number `sequence` of this load.
    fn send(
        self,
        rows: Vec<Self::Row>,
        sequence: u64,
        patience: Patience,
    ) -> impl Future<Output = Result<Sent, Unanswered>> + Send;
    /// Names of the counts, in the order of [`Counts`]; empty for those that the target has not.
    fn words(&self) -> [&'static str; 4];
}

/// How a load is cut, and what is said of it.
pub(super) struct Options<'a> {
    /// What the records come from, for messages.
    pub(super) source: String,
    /// Rows of one request.
    pub(super) batch: usize,
    /// Where rejected records are kept.
    pub(super) rejected: Option<&'a Path>,
    /// How counts are printed.
    pub(super) format: Option<Format>,
    /// How long a batch is sent again.
    pub(super) patience: Patience,
    /// What becomes of a batch when the same load is run once more.
    pub(super) again: Again,
}

/// What becomes of a batch that was applied when the same load is run once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It is known by its producer, and not applied again.
    Once,
    /// It is applied again: nothing tells it from a new one.
    Twice,
    /// Its events are gone already, and are counted as rejected.
    Rejected,
}

/// Loads the file of `args` into `target` and prints the counts.
pub(super) async fn run<T: Target>(args: &args::Load, target: T) -> Result<(), CliError> {
    let input = Input::open(&args.file, args.input_format)?;
    let options = Options {
        source: args.file.display().to_string(),
        batch: usize::from(args.batch),
        rejected: args.rejected.as_deref(),
        format: args.format,
        patience: Patience::new(args.retry_for),
        again: if args.producer.is_some() { Again::Once } else { Again::Twice },
    };
    run_input(input, &options, target).await
}

/// Loads `input` into `target` and prints the counts.
pub(super) async fn run_input<T: Target>(
    input: Input,
    options: &Options<'_>,
    target: T,
) -> Result<(), CliError> {
    let binding = target.bind(input.header.as_deref())?;
    if !binding.ignored().is_empty() {
        output::note(&format!(
            "columns that give no field are ignored: {}",
            binding.ignored().join(", ")
        ));
    }
    let rejects = Rejects::open(options.rejected, input.header_raw.as_deref())?;
    let words = target.words();
    let mut load = Load {
        progress: progress(input.bytes),
        target,
        counts: Counts::default(),
        rejects,
        flying: VecDeque::new(),
        sequence: 0,
        patience: options.patience,
        sent_to: 0,
        lost: Vec::new(),
    };
    let loaded = load.all(input, &binding, options.batch).await;
    let landed = load.land_all().await;
    load.progress.finish_and_clear();
    load.rejects.finish()?;
    print(&load.counts, words, output::choose(options.format))?;
    if !load.lost.is_empty() {
        let unsent_from = loaded.is_err().then_some(load.sent_to);
        return Err(unanswered::told(&options.source, &load.lost, unsent_from, options.again));
    }
    loaded.and(landed)?;
    match load.counts.rejected {
        0 => Ok(()),
        rejected => {
            Err(CliError::failed(format!("{}: {rejected} records were rejected", options.source)))
        }
    }
}

struct Load<T: Target> {
    target: T,
    counts: Counts,
    rejects: Rejects,
    progress: ProgressBar,
    flying: VecDeque<Flying>,
    sequence: u64,
    patience: Patience,
    /// The last line that was sent.
    sent_to: u64,
    /// Batches without the answer they wanted.
    lost: Vec<Lost>,
}

struct Flying {
    sequence: u64,
    origins: Vec<(u64, String)>,
    sent: JoinHandle<Result<Sent, Unanswered>>,
}

impl<T: Target> Load<T> {
    async fn all(&mut self, input: Input, binding: &Binding, size: usize) -> Result<(), CliError> {
        let mut batch = Batch { rows: Vec::with_capacity(size), origins: Vec::with_capacity(size) };
        for record in input {
            let record = record?;
            self.progress.inc(record.raw.len() as u64 + 1);
            match self.target.pack(binding, &record) {
                Ok(row) => {
                    batch.rows.push(row);
                    batch.origins.push((record.line, record.raw));
                }
                Err(skipped) => {
                    self.counts.rejected += 1;
                    self.rejects.add(skipped.line, &skipped.reason, &skipped.raw)?;
                }
            }
            if batch.rows.len() == size {
                let full = std::mem::replace(
                    &mut batch,
                    Batch { rows: Vec::with_capacity(size), origins: Vec::with_capacity(size) },
                );
                self.launch(full).await?;
            }
        }
        if !batch.rows.is_empty() {
            self.launch(batch).await?;
        }
        Ok(())
    }

    /// Waits for every batch on its way, also after one of them has failed: the counts must be complete.
    async fn land_all(&mut self) -> Result<(), CliError> {
        let mut landed = Ok(());
        while !self.flying.is_empty() {
            landed = landed.and(self.land().await);
        }
        landed
    }

    async fn launch(&mut self, batch: Batch<T::Row>) -> Result<(), CliError> {
        if self.flying.len() == IN_FLIGHT {
            self.land().await?;
        }
        self.sequence += 1;
        self.sent_to = batch.origins.last().map_or(self.sent_to, |(line, _)| *line);
        let sending = self.target.clone().send(batch.rows, self.sequence, self.patience);
        let (sequence, origins, sent) = (self.sequence, batch.origins, tokio::spawn(sending));
        self.flying.push_back(Flying { sequence, origins, sent });
        Ok(())
    }

    /// Waits for the oldest batch and counts what became of it.
    async fn land(&mut self) -> Result<(), CliError> {
        let Some(flying) = self.flying.pop_front() else { return Ok(()) };
        let sent = flying.sent.await.map_err(|error| CliError::failed(error.to_string()))?;
        let sent = match sent {
            Ok(sent) => sent,
            Err(unanswered) => {
                let line = |origin: Option<&(u64, String)>| origin.map_or(0, |(line, _)| *line);
                let lines = (line(flying.origins.first()), line(flying.origins.last()));
                let error = CliError::failed(unanswered.error.to_string());
                self.lost.push(Lost { batch: flying.sequence, lines, unanswered });
                return Err(error);
            }
        };
        self.counts.add(&sent.counts);
        let told = sent.rejects.iter().filter(|reject| reject.kind == client::RejectKind::Rejected);
        if (told.count() as u64) < sent.counts.rejected {
            self.rejects.untold(sent.counts.rejected, &flying.origins);
        }
        for reject in
            sent.rejects.iter().filter(|reject| reject.kind == client::RejectKind::Rejected)
        {
            if let Some((line, raw)) = flying.origins.get(reject.index as usize) {
                self.rejects.add(*line, &reject.reason, raw)?;
            }
        }
        Ok(())
    }
}

fn progress(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => {
            (ProgressBar::new(bytes), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    // The template is a constant: without it the bar merely looks plainer.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style)
}

fn print(counts: &Counts, words: [&'static str; 4], format: Format) -> Result<(), CliError> {
    let numbers = [counts.applied, counts.duplicate, counts.late, counts.rejected];
    let named = words.iter().zip(numbers).filter(|(word, _)| !word.is_empty());
    if format == Format::Json {
        let mut object = json!({});
        for (word, number) in named {
            object[*word] = Json::from(number);
        }
        if counts.repeated > 0 {
            object["repeated_batches"] = Json::from(counts.repeated);
        }
        return output::line(&object.to_string());
    }
    if counts.repeated > 0 {
        output::note(&format!(
            "{} batches had been applied before and were not applied again",
            counts.repeated
        ));
    }
    let mut sheet = Sheet::new(named.clone().map(|(word, _)| *word));
    sheet.push(named.map(|(_, number)| Json::from(number)).collect());
    sheet.print(format)
}
