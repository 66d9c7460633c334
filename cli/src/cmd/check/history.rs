//! The history in a data directory: no start needs it, and nothing else has what is in it.

use std::path::Path;

use export::history::{self, HistoryChecked};
use serde_json::{Value as Json, json};

use crate::{
    error::CliError,
    output::{self, Format, Sheet},
};

/// Checks the history in the data directory `data`; nothing where there is none.
pub(super) fn checked(data: &Path) -> Result<Option<HistoryChecked>, CliError> {
    Ok(history::check(&data.join(history::DIRECTORY))?)
}

pub(super) fn to_json(checked: Option<&HistoryChecked>) -> Json {
    let Some(checked) = checked else { return Json::Null };
    let problems = checked.problems.iter();
    let problems =
        problems.map(|it| json!({ "file": it.file.display().to_string(), "what": it.what }));
    json!({
        "files": checked.files,
        "bytes": checked.bytes,
        "changes": checked.rows,
        "problems": problems.collect::<Vec<_>>(),
    })
}

pub(super) fn print(checked: Option<&HistoryChecked>) -> Result<(), CliError> {
    let Some(checked) = checked else { return Ok(()) };
    let mut covered = Sheet::new(["history", "value"]);
    for (name, value) in
        [("files", checked.files), ("bytes", checked.bytes), ("changes", checked.rows)]
    {
        covered.push(vec![name.into(), value.into()]);
    }
    covered.print(Format::Table)?;
    if checked.problems.is_empty() {
        return Ok(());
    }
    let mut problems = Sheet::new(["file of the history", "what is wrong"]);
    for problem in &checked.problems {
        let file = problem.file.display().to_string();
        problems.push(vec![file.into(), problem.what.as_str().into()]);
    }
    problems.print(Format::Table)
}

/// Says in one line how it is.
pub(super) fn verdict(data: &Path, checked: Option<&HistoryChecked>) -> Result<(), CliError> {
    let Some(checked) = checked else { return Ok(()) };
    let data = data.display();
    match checked.problems.len() {
        0 => output::note(&format!(
            "the history in {data} is whole: {} changes in {} files are as its manifest says",
            checked.rows, checked.files
        )),
        count => {
            let plural = if count == 1 { "" } else { "s" };
            return Err(CliError::failed(format!(
                "the history in {data} has {count} problem{plural}: no value that is served depends on it; nothing was changed"
            )));
        }
    }
    Ok(())
}
