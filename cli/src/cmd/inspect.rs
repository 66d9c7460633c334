//! `larder inspect`: what is in a data directory, thing by thing, as the documents in `docs/formats/` draw it.

use engine::offline::{self, Item, Manifest, RecordInfo, SectionInfo, Verdict};
use serde_json::{Map, Value as Json};

use super::check::{self, explained};
use crate::{
    args,
    error::CliError,
    output::{self, Format},
};

/// See the module.
pub(crate) fn run(args: &args::Inspect) -> Result<(), CliError> {
    let format = output::choose(args.format);
    if format == Format::Csv {
        let what = "a directory is no list of rows: ask for --format table or json";
        return Err(CliError::usage(what));
    }
    let files = check::files(&args.dir)?;
    let mut printer =
        Printer { args, format, left: args.limit.unwrap_or(u64::MAX), printed: Ok(()) };
    let inspected = offline::inspect(&files, &mut |item| printer.item(&item));
    printer.printed?;
    inspected.map_err(|error| explained(error, &args.dir))
}

/// Fields of one thing, in order.
type Fields = Vec<(&'static str, Json)>;

struct Printer<'a> {
    args: &'a args::Inspect,
    format: Format,
    /// Records that may still be printed.
    left: u64,
    printed: Result<(), CliError>,
}

impl Printer<'_> {
    fn item(&mut self, item: &Item<'_>) {
        let is_shown = match item {
            Item::Section(_) => self.args.sections,
            Item::Batch(batch) => {
                let end = batch.first_lsn.0.saturating_add(batch.count.into());
                self.args.records && self.left > 0 && end > self.args.from.unwrap_or(0)
            }
            Item::Record { lsn, .. } => {
                let is_shown =
                    self.args.records && self.left > 0 && lsn.0 >= self.args.from.unwrap_or(0);
                self.left -= u64::from(is_shown);
                is_shown
            }
            _ => true,
        };
        if is_shown && self.printed.is_ok() {
            let (what, depth, fields) = describe(item);
            self.printed = self.print(what, depth, fields);
        }
    }

    fn print(&self, what: &str, depth: usize, fields: Fields) -> Result<(), CliError> {
        if self.format == Format::Json {
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            let what = ("what".to_owned(), Json::from(what));
            return output::line(
                &Json::Object(std::iter::once(what).chain(fields).collect::<Map<_, _>>())
                    .to_string(),
            );
        }
        let shown = |(name, value): &(&str, Json)| match value {
            Json::Null => String::new(),
            Json::String(text) => format!("  {name} {text}"),
            other => format!("  {name} {other}"),
        };
        let fields: String = fields.iter().map(shown).collect();
        output::line(&format!("{}{what}{fields}", "  ".repeat(depth)))
    }
}

/// What a thing is, how deep it lies in others, and what it says.
fn describe(item: &Item<'_>) -> (&'static str, usize, Fields) {
    match item {
        Item::Manifest(manifest) => ("manifest", 0, of_manifest(manifest)),
        Item::Snapshot(reference) => {
            let fields = vec![
                ("file", reference.file_name().into()),
                ("number", reference.number.into()),
                ("bytes", reference.bytes.into()),
                ("checksum", hex64(reference.checksum)),
            ];
            ("snapshot", 0, fields)
        }
        Item::Section(Ok(section)) => ("section", 1, of_section(section)),
        Item::Section(Err(error)) => ("section", 1, vec![("error", error.to_string().into())]),
        Item::Segment(name, header) => {
            let fields = vec![
                ("file", (*name).into()),
                ("cluster", hex128(header.cluster)),
                ("salt", hex64(header.salt)),
                ("first_lsn", header.first_lsn.0.into()),
                ("previous", hex64(header.previous)),
            ];
            ("segment", 0, fields)
        }
        Item::Batch(batch) => {
            let fields = vec![
                ("offset", batch.offset.into()),
                ("bytes", batch.bytes.into()),
                ("first_lsn", batch.first_lsn.0.into()),
                ("records", batch.count.into()),
                ("durable_before", batch.durable_before.0.into()),
            ];
            (if batch.is_seal { "seal" } else { "batch" }, 1, fields)
        }
        Item::Record { lsn, bytes, info } => {
            let mut fields = vec![("lsn", lsn.0.into()), ("bytes", (*bytes).into())];
            match info {
                Ok(info) => of_record(info, &mut fields),
                Err(error) => fields.push(("error", error.to_string().into())),
            }
            ("record", 2, fields)
        }
        Item::Gap { offset, bytes } => {
            ("gap", 1, vec![("offset", (*offset).into()), ("bytes", (*bytes).into())])
        }
        Item::SegmentEnd(found) => ("judgement", 0, judgement(found)),
        Item::Problem(error) => ("problem", 0, vec![("error", error.to_string().into())]),
    }
}

fn of_manifest(manifest: &Manifest) -> Fields {
    let segments = manifest.segments.iter().map(|segment| Json::from(segment.first_lsn));
    vec![
        ("number", manifest.number.into()),
        ("cluster", hex128(manifest.cluster)),
        ("key_seed", hex64(manifest.key_seed)),
        ("snapshot", manifest.snapshot.map_or(0, |snapshot| snapshot.number).into()),
        ("replay_from", manifest.replay_from.0.into()),
        ("durable", manifest.durable.0.into()),
        ("segments", segments.collect()),
    ]
}

fn of_section(section: &SectionInfo) -> Fields {
    vec![
        ("kind", section.kind.into()),
        ("of", text(&section.of)),
        ("shard", section.shard.into()),
        ("bytes", section.bytes.into()),
        ("count", section.count.into()),
    ]
}

fn of_record(info: &RecordInfo, fields: &mut Fields) {
    fields.extend([
        ("kind", info.kind.into()),
        ("of", text(&info.of)),
        ("count", info.count.into()),
    ]);
    let Some(writer) = &info.writer else { return };
    let outcome = &writer.outcome;
    fields.extend([
        ("producer", hex128(writer.producer)),
        ("sequence", writer.sequence.into()),
        ("applied", outcome.applied.into()),
        ("duplicate", outcome.duplicate.into()),
        ("late", outcome.late.into()),
        ("rejected", outcome.rejected.into()),
    ]);
}

fn judgement(found: &offline::SegmentFound) -> Fields {
    let walked = &found.walked;
    let (verdict, offset, why) = match &walked.verdict {
        Verdict::Clean => ("clean", None, None),
        Verdict::TornTail { offset, bytes } => {
            ("torn tail", Some(*offset), Some(format!("{bytes} bytes of an unfinished write")))
        }
        Verdict::Corrupt { offset, why } => ("corrupt", Some(*offset), Some(why.clone())),
    };
    vec![
        ("file", found.name.as_str().into()),
        ("bytes", found.bytes.into()),
        ("listed", found.listed.into()),
        ("batches", walked.batches.into()),
        ("seals", walked.seals.into()),
        ("records", walked.records.into()),
        ("last_lsn", walked.last_lsn.0.into()),
        ("end", walked.end.into()),
        ("verdict", verdict.into()),
        ("offset", offset.map_or(Json::Null, Json::from)),
        ("why", why.map_or(Json::Null, Json::from)),
    ]
}

fn text(text: &str) -> Json {
    if text.is_empty() { Json::Null } else { text.into() }
}

fn hex64(number: u64) -> Json {
    format!("{number:016x}").into()
}

fn hex128(number: u128) -> Json {
    format!("{number:032x}").into()
}
