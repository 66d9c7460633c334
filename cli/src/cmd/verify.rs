//! `larder verify`: what was served is computed again from history, and every value compared, bit for bit.

use export::verify::{Difference, VerifyOptions, VerifyReport, VerifyStep, verify};
use indicatif::{ProgressBar, ProgressStyle};
use model::time;
use serde_json::{Value as Json, json};

use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
};

/// See the module.
pub(crate) fn run(args: &args::Verify) -> Result<(), CliError> {
    let format = output::choose(args.format);
    if format == Format::Csv {
        return Err(CliError::usage("a report is no list of rows: ask for --format table or json"));
    }
    let options = VerifyOptions {
        services: args.services.clone(),
        differences_max: args.differences,
        memory_bytes: usize::try_from(args.memory).unwrap_or(usize::MAX),
    };
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files of reads, {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report = verify(&args.directory(), &options, &mut |step: VerifyStep| {
        bar.set_length(step.files_total);
        bar.set_position(step.files);
        bar.set_message(format!("{} changes of this pass", step.changes));
    })?;
    bar.finish_and_clear();
    match format {
        Format::Json => output::line(&to_json(&report).to_string())?,
        _ => print_tables(&report)?,
    }
    verdict(&report)
}

fn print_tables(report: &VerifyReport) -> Result<(), CliError> {
    let mut sheet = Sheet::new(["", "count"]);
    let mut push = |what: String, count: u64| sheet.push(vec![Json::from(what), Json::from(count)]);
    push("vectors computed again".to_owned(), report.reads);
    push("values compared".to_owned(), report.values);
    push("equal".to_owned(), report.equal);
    push("different".to_owned(), report.different);
    for (why, vectors) in &report.unverifiable {
        push(format!("vectors not verifiable: {why}"), *vectors);
    }
    if report.files_gone > 0 {
        push("files of reads that the server removed meanwhile".to_owned(), report.files_gone);
    }
    sheet.print(Format::Table)?;
    if report.differences.is_empty() {
        return Ok(());
    }
    let columns = ["service", "key", "read at", "up to record", "value", "served", "computed"];
    let mut sheet = Sheet::new(columns);
    for found in &report.differences {
        let cells = [
            found.service.clone(),
            found.key.clone(),
            time::format_timestamp(found.read_at),
            positions(found),
            found.column.clone(),
            found.logged.clone(),
            found.computed.clone(),
        ];
        sheet.push(cells.into_iter().map(Json::from).collect());
    }
    sheet.print(Format::Table)
}

fn positions(found: &Difference) -> String {
    let seen: Vec<_> = found.seen.iter().map(|lsn| lsn.0.to_string()).collect();
    seen.join(", ")
}

fn to_json(report: &VerifyReport) -> Json {
    let unverifiable = report.unverifiable.iter();
    let unverifiable = unverifiable.map(|(why, count)| (why.code().to_owned(), Json::from(*count)));
    let differences = report.differences.iter().map(|found| {
        json!({
            "service": found.service,
            "key": found.key,
            "read_at": time::format_timestamp(found.read_at),
            "seen": found.seen.iter().map(|lsn| lsn.0).collect::<Vec<_>>(),
            "value": found.column,
            "served": found.logged,
            "computed": found.computed,
            "file": found.file.display().to_string(),
            "row": found.row,
        })
    });
    json!({
        "reads": report.reads,
        "values": report.values,
        "equal": report.equal,
        "different": report.different,
        "unverifiable_reads": report.unverifiable_reads(),
        "unverifiable": unverifiable.collect::<serde_json::Map<_, _>>(),
        "differences": differences.collect::<Vec<_>>(),
        "files_gone": report.files_gone,
        "position": report.position.0,
    })
}

fn verdict(report: &VerifyReport) -> Result<(), CliError> {
    if report.different > 0 {
        let (different, values) = (report.different, report.values);
        let listed = report.differences.len() as u64;
        let more = different - listed.min(different);
        let more = if more > 0 { format!(" ({more} of them not shown)") } else { String::new() };
        return Err(CliError::failed(format!(
            "{different} of {values} values are not what was served{more}"
        )));
    }
    match (report.values, report.unverifiable_reads()) {
        (0, 0) => Err(CliError::failed(
            "nothing was compared: no reads are logged; a service declares log_reads = 0.001, and what was read in the last \
             minute is not written yet",
        )),
        (0, vectors) => Err(CliError::failed(format!(
            "nothing was compared: none of {vectors} logged vectors can be computed from this history"
        ))),
        _ => Ok(()),
    }
}
