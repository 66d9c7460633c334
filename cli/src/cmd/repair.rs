//! `larder repair`: shows what a cut would lose; with `--yes` copies the directory, cuts, and checks what is left.

use std::path::{Path, PathBuf};

use engine::{
    Lsn, OsFs,
    offline::{self, Cut, RepairPlan, RepairWish},
};
use serde_json::{Value as Json, json};

use super::check;
use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
};

/// See the module.
pub(crate) fn run(args: &args::Repair) -> Result<(), CliError> {
    let format = output::choose(args.format);
    if format == Format::Csv {
        return Err(CliError::usage("a plan is no list of rows: ask for --format table or json"));
    }
    let wish = RepairWish {
        cut: args.cut_at.map_or(Cut::AtDamage, |lsn| Cut::Before(Lsn(lsn))),
        drops_snapshot: args.drop_snapshot,
    };
    let planned = offline::plan_repair(&check::files(&args.dir)?, &wish);
    let planned = planned.map_err(|error| refused(error, &args.dir))?;
    let (is_begun, is_needless) = (planned.is_begun, planned.plan.is_needless);
    if is_needless {
        return nothing_to_repair(args, &planned, format);
    }
    let says_where = args.cut_at.is_some() || args.cut_damage;
    if !says_where && !args.drop_snapshot && !is_begun {
        let what = "say what to give up: --cut-damage, --cut-at LSN or --drop-snapshot; larder check tells what is wrong";
        return Err(CliError::usage(what));
    }
    if !says_where && !is_begun && planned.lost.range.is_some() {
        let what = "the log is damaged too: say whether to give up what is behind the damage, with --cut-damage";
        return Err(CliError::usage(what));
    }
    print_plan(&planned, format)?;
    if !args.yes {
        output::note("nothing was changed: run it again with --yes to do this");
        return Ok(());
    }
    mend(args, &wish)
}

/// Says that the log ends where it is to end, and whether anything else is wrong.
fn nothing_to_repair(
    args: &args::Repair,
    planned: &RepairPlan,
    format: Format,
) -> Result<(), CliError> {
    if format == Format::Json {
        print_plan(planned, format)?;
    }
    output::note(&format!(
        "nothing to repair: the log is whole up to its last record, {}; nothing was changed, and no copy made",
        planned.plan.last_lsn.0
    ));
    check::verdict(&args.dir, &check::checked(&args.dir)?)
}

/// Does it, and checks what is left.
fn mend(args: &args::Repair, wish: &RepairWish) -> Result<(), CliError> {
    let mut copy = None;
    let make_place = || {
        let place = args.copy_to.clone().map_or_else(|| free_place(&args.dir), Ok)?;
        let files = OsFs::open(&place)?;
        copy = Some(place);
        Ok(files)
    };
    let files = OsFs::open(&args.dir).map_err(engine::Error::from)?;
    let done = offline::repair(&files, wish, make_place);
    if let (Err(_), Some(place)) = (&done, &copy) {
        // Only when nothing is in it.
        let _ = std::fs::remove_dir(place);
    }
    done.map_err(|error| refused(error, &args.dir))?;
    if let Some(place) = &copy {
        output::note(&format!("all files as they were before are in {}", place.display()));
    }
    check::verdict(&args.dir, &check::checked(&args.dir)?)
}

/// `DIR.before-repair-N`, the first that is not there.
fn free_place(directory: &Path) -> Result<PathBuf, engine::Error> {
    const COPIES_MAX: u32 = 1000;
    let io = |error| engine::StorageError::io("find", directory.display().to_string(), error);
    // What `.` is called is known only then.
    let directory = directory.canonicalize().map_err(io)?;
    let place = |number: u32| {
        let mut name = directory.clone().into_os_string();
        name.push(format!(".before-repair-{number}"));
        PathBuf::from(name)
    };
    let mut free = (1..COPIES_MAX).map(place).filter(|place| !place.exists());
    free.next().ok_or_else(|| io(std::io::ErrorKind::AlreadyExists.into()).into())
}

/// Says what else can be done.
fn refused(error: engine::Error, directory: &Path) -> CliError {
    match &error {
        engine::Error::Storage(engine::StorageError::NoRoom { .. }) => {
            CliError::failed(format!("{error} (--copy-to DIR); nothing was changed"))
        }
        _ => check::explained(error, directory),
    }
}

fn print_plan(planned: &RepairPlan, format: Format) -> Result<(), CliError> {
    let RepairPlan { plan, is_begun, lost } = planned;
    let (first, last) = lost.range.map(|(first, last)| (first.0, last.0)).unzip();
    let fields = [
        ("nothing_to_repair", Json::from(plan.is_needless)),
        ("finishes_a_repair", Json::from(*is_begun)),
        ("last_lsn_kept", plan.last_lsn.0.into()),
        ("segment_cut", json!(plan.segment)),
        ("cut_at_byte", plan.offset.into()),
        ("files_removed", json!(plan.removed)),
        ("snapshot_dropped", plan.drops_snapshot.into()),
        ("first_lsn_lost", json!(first)),
        ("last_lsn_lost", json!(last)),
        ("records_lost", json!(first.zip(last).map(|(first, last)| last - first + 1))),
        ("records_lost_that_can_be_read", lost.readable.into()),
    ];
    if format == Format::Json {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        return output::line(&Json::Object(fields.collect()).to_string());
    }
    let mut sheet = Sheet::new(["what the repair does", "value"]);
    for (name, value) in fields {
        let value = match value {
            Json::Array(names) if names.is_empty() => Json::from("none"),
            Json::Array(names) => {
                let names: Vec<_> = names.iter().filter_map(Json::as_str).collect();
                Json::from(names.join("\n"))
            }
            Json::Null => Json::from("none"),
            other => other,
        };
        sheet.push(vec![Json::from(name.replace('_', " ")), value]);
    }
    sheet.print(format)
}
