//! Loading a file into a stream or a group: batches in file order, one on its way while the next is made, counted record by record.
//!
//! Batches are numbered; one that is sent again, after a lost connection or a restart of the server, is applied once. None is sent
//! before the one ahead of it was answered: a batch that has to be sent again would otherwise come after those behind it, and of rows
//! without an event time, or events with one id, the later in the file would not be the later on the server.

mod rejects;
mod send;
mod unanswered;

use std::path::Path;

use export::input::{Input, Mapping, Origin, Rows, Size, Wanted};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
};
use rejects::Rejects;

pub(crate) use send::Patience;
pub(super) use send::{Counts, Sent, Unanswered};
use unanswered::Lost;

/// Rows of one request with the records they came from.
pub(super) struct Batch<R> {
    pub(super) rows: Vec<R>,
    /// Number and content of each row's record.
    origins: Vec<(u64, Origin)>,
}

/// Where a file goes.
pub(super) trait Target: Clone + Send + 'static {
    /// A record, packed.
    type Row: Send + 'static;

    /// What a file gives.
    fn wanted(&self) -> Result<Wanted, CliError>;
    /// Packs the record that `rows` is at, or says what is wrong with it.
    fn pack(&self, rows: &Rows) -> Result<Self::Row, String>;
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
    /// Columns that give a field of another name.
    pub(super) mapping: Mapping,
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
    let input = Input::open(&args.file, args.input_format.map(Into::into))?;
    let options = Options {
        source: args.file.display().to_string(),
        mapping: Mapping::new(args.maps.clone())?,
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
    let (header, size) = (input.header_raw().map(str::to_owned), input.size());
    let mut rows = input.bind(target.wanted()?, &options.mapping)?;
    if !rows.ignored().is_empty() {
        output::note(&format!(
            "columns that give no field are ignored: {}",
            rows.ignored().join(", ")
        ));
    }
    let rejects = Rejects::open(options.rejected, header.as_deref(), rows.unit())?;
    let words = target.words();
    let mut load = Load {
        progress: progress(size, rows.unit()),
        target,
        counts: Counts::default(),
        rejects,
        flying: None,
        sequence: 0,
        patience: options.patience,
        sent_to: 0,
        lost: Vec::new(),
    };
    let loaded = load.all(&mut rows, options.batch).await;
    // Also after another has failed: the counts must be complete.
    let landed = load.land().await;
    load.progress.finish_and_clear();
    load.rejects.finish()?;
    print(&load.counts, words, output::choose(options.format))?;
    if !load.lost.is_empty() {
        let unsent_from = loaded.is_err().then_some(load.sent_to);
        let source = (options.source.as_str(), rows.unit());
        return Err(unanswered::told(source, &load.lost, unsent_from, options.again));
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
    /// The batch that was sent last, until its answer was looked at.
    flying: Option<Flying>,
    sequence: u64,
    patience: Patience,
    /// The last record that was sent.
    sent_to: u64,
    /// Batches without the answer they wanted.
    lost: Vec<Lost>,
}

struct Flying {
    sequence: u64,
    origins: Vec<(u64, Origin)>,
    sent: JoinHandle<Result<Sent, Unanswered>>,
}

impl<T: Target> Load<T> {
    async fn all(&mut self, rows: &mut Rows, size: usize) -> Result<(), CliError> {
        let mut batch = Batch { rows: Vec::with_capacity(size), origins: Vec::with_capacity(size) };
        while rows.advance()? {
            match self.target.pack(rows) {
                Ok(row) => {
                    batch.rows.push(row);
                    batch.origins.push((rows.number(), rows.origin()));
                }
                Err(reason) => {
                    self.counts.rejected += 1;
                    self.rejects.add(rows.number(), &reason, &rows.origin())?;
                }
            }
            if batch.rows.len() == size {
                self.progress.set_position(rows.done());
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

    async fn launch(&mut self, batch: Batch<T::Row>) -> Result<(), CliError> {
        self.land().await?;
        self.sequence += 1;
        self.sent_to = batch.origins.last().map_or(self.sent_to, |(number, _)| *number);
        let sending = self.target.clone().send(batch.rows, self.sequence, self.patience);
        let (sequence, origins, sent) = (self.sequence, batch.origins, tokio::spawn(sending));
        self.flying = Some(Flying { sequence, origins, sent });
        Ok(())
    }

    /// Waits for the batch on its way, if there is one, and counts what became of it.
    async fn land(&mut self) -> Result<(), CliError> {
        let Some(flying) = self.flying.take() else { return Ok(()) };
        let sent = flying.sent.await.map_err(|error| CliError::failed(error.to_string()))?;
        let sent = match sent {
            Ok(sent) => sent,
            Err(unanswered) => {
                let number =
                    |origin: Option<&(u64, Origin)>| origin.map_or(0, |(number, _)| *number);
                let records = (number(flying.origins.first()), number(flying.origins.last()));
                let error = CliError::failed(unanswered.error.to_string());
                self.lost.push(Lost { batch: flying.sequence, records, unanswered });
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
            if let Some((number, origin)) = flying.origins.get(reject.index as usize) {
                self.rejects.add(*number, &reject.reason, origin)?;
            }
        }
        Ok(())
    }
}

fn progress(size: Option<Size>, unit: &str) -> ProgressBar {
    let (bar, template) = match size {
        Some(Size::Bytes(bytes)) => {
            (ProgressBar::new(bytes), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        }
        Some(Size::Rows(rows)) => {
            (ProgressBar::new(rows), "{bar:40} {human_pos}/{human_len} rows {per_sec} {eta}")
        }
        None if unit == "row" => {
            (ProgressBar::new_spinner(), "{spinner} {human_pos} rows {per_sec}")
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
