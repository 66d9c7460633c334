//! `larder export`: every group at one moment as files. The server writes them, or, of a data directory that nobody serves, this
//! command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{Client, ExportFormat, ExportReply, ExportRequest, StatValue};
use export::group::{Exported, Options, export_directory};
use indicatif::{ProgressBar, ProgressStyle};
use model::time;
use serde_json::Value as Json;
use stdx::clock::{Clock, SystemClock};
use stdx::prng::seed_from_os;

use super::checkpoint::take;
use crate::{
    args::{self, FileFormat},
    error::CliError,
    output::{self, Sheet},
    remote,
};

/// Between two looks at how far the server is.
const TICK: Duration = Duration::from_millis(250);

/// See the module.
pub(crate) fn run(args: &args::Export) -> Result<(), CliError> {
    let as_of = args.as_of.as_deref().map(time::parse_timestamp).transpose();
    let as_of = as_of.map_err(|error| CliError::usage(format!("--as-of: {error}")))?;
    if let Some(out) = &args.out {
        check_free(out)?;
    }
    let bar = progress_bar();
    let written = match (&args.data, &args.out) {
        (Some(data), Some(out)) => of_directory(args, data, out, as_of, &bar)?,
        _ => of_server(args, as_of, &bar)?,
    };
    bar.finish_and_clear();
    let lsn = written.lsn.map_or_else(
        || "of a server without a log: each entity is of its own moment".to_owned(),
        |lsn| format!("as of LSN {lsn}"),
    );
    output::note(&format!("{}: {lsn}", written.directory.display()));
    let mut sheet = Sheet::new(vec!["group", "file", "rows", "bytes"]);
    for (group, path, rows, bytes) in &written.files {
        sheet.push(vec![
            Json::from(group.as_str()),
            Json::from(written.directory.join(path).display().to_string()),
            Json::from(*rows),
            Json::from(*bytes),
        ]);
    }
    if written.files_left_off > 0 {
        output::note(&format!(
            "{} more files are in the manifest.json beside them",
            written.files_left_off
        ));
    }
    sheet.print(output::choose(args.print))
}

/// What there is now, and where.
struct Written {
    directory: PathBuf,
    lsn: Option<u64>,
    files: Vec<(String, String, u64, u64)>,
    files_left_off: u64,
}

fn of_directory(
    args: &args::Export,
    data: &Path,
    out: &Path,
    as_of: Option<i64>,
    bar: &ProgressBar,
) -> Result<Written, CliError> {
    let options = Options {
        format: match args.file_format {
            FileFormat::Arrow => export::file::FileFormat::Arrow,
            FileFormat::Parquet => export::file::FileFormat::Parquet,
        },
        groups: (!args.groups.is_empty()).then(|| args.groups.clone()),
        as_of,
        partials: args.partials,
        ..Options::default()
    };
    let mut tell = |progress: &export::group::Progress| {
        bar.set_length(progress.rows_total);
        bar.set_position(progress.rows);
        Ok(())
    };
    let now_ms = SystemClock::new().wall_ms();
    let Exported { lsn, files, .. } = export_directory(data, now_ms, out, &options, &mut tell)
        .map_err(|error| match error {
            export::Error::Engine(engine::Error::Storage(
                locked @ engine::StorageError::Locked { .. },
            )) => CliError::failed(format!(
                "{locked}; have the server export: larder export --name NAME"
            )),
            error => CliError::failed(error.to_string()),
        })?;
    let files = files.into_iter().map(|file| (file.group, file.path, file.rows, file.bytes));
    let files = files.collect();
    Ok(Written { directory: std::path::absolute(out)?, lsn, files, files_left_off: 0 })
}

fn of_server(
    args: &args::Export,
    as_of: Option<i64>,
    bar: &ProgressBar,
) -> Result<Written, CliError> {
    let generated = format!("export-{:016x}", seed_from_os());
    let request = ExportRequest {
        name: args.name.as_deref().unwrap_or(&generated),
        format: match args.file_format {
            FileFormat::Arrow => ExportFormat::Arrow,
            FileFormat::Parquet => ExportFormat::Parquet,
        },
        groups: args.groups.iter().map(String::as_str).collect(),
        as_of,
        partials: args.partials,
    };
    let reply = remote::run(async {
        let client = remote::client(&args.server)?.build();
        ask(&client, &request, bar).await
    })?;
    let directory = match &args.out {
        Some(out) => take::brought("export", Path::new(&reply.directory), out, &args.server.addr)?,
        None => PathBuf::from(&reply.directory),
    };
    let files_left_off = reply.file_count - reply.files.len() as u64;
    let files = reply.files.into_iter().map(|file| (file.group, file.path, file.rows, file.bytes));
    Ok(Written { directory, lsn: reply.lsn, files: files.collect(), files_left_off })
}

/// Asks for the export, and now and then how far it is. The figures are those of the export that runs: of another one as long as
/// this one waits.
async fn ask(
    client: &Client,
    request: &ExportRequest<'_>,
    bar: &ProgressBar,
) -> Result<ExportReply, CliError> {
    let mut export = std::pin::pin!(client.export(request));
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            biased;
            done = &mut export => return Ok(done?),
            _ = ticks.tick(), if !bar.is_hidden() => {
                // A line about progress is not worth an error.
                let Ok(figures) = client.stats().await else { continue };
                let figure = |wanted: &str| figures.iter().find_map(|(name, value)| match value {
                    StatValue::U64(number) if name == wanted => Some(*number),
                    _ => None,
                });
                bar.set_length(figure("export_rows_total").unwrap_or(0));
                bar.set_position(figure("export_rows").unwrap_or(0));
            }
        }
    }
}

fn check_free(out: &Path) -> Result<(), CliError> {
    match std::fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(false) => Err(CliError::failed(format!(
            "{}: the directory is not empty: choose another one, or one that is not there yet",
            out.display()
        ))),
        Err(error) => {
            Err(CliError::failed(format!("{}: an export cannot go there: {error}", out.display())))
        }
    }
}

/// Hidden where nobody looks.
fn progress_bar() -> ProgressBar {
    // The template is a constant: without it the bar merely looks plainer.
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} rows {per_sec} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
