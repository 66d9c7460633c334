//! `larder explain`: what the window groups of a definitions file will cost and how exact they are, without a server.

mod json;
mod tables;

use engine::explain::{Explanation, Load, explain};
use model::{
    definition::{Definitions, Group, GroupKind, describe},
    time::DAY_MS,
};
use serde_json::Value as Json;

use super::{read_text, shown_name};
use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
};

/// See the module.
pub(crate) fn run(args: &args::Explain) -> Result<(), CliError> {
    let text = read_text(&args.file)?;
    let name = shown_name(&args.file);
    let definitions = Definitions::parse(&name, &text, &Definitions::default())?;
    let groups = groups(&name, &definitions, args.group.as_deref())?;
    if groups.is_empty() {
        output::note(&format!("{name}: there are no window groups; rows cost what is put"));
    }
    let format = output::choose(args.format);
    let mut sheet = Sheet::new(["group", "events", "kept_as", "expected_bytes", "worst_bytes"]);
    for group in groups {
        let Some(explained) = explained(&definitions, group, args) else { continue };
        match format {
            Format::Table => tables::print(&group.name, &explained)?,
            Format::Json => output::line(&json::of(&group.name, &explained).to_string())?,
            Format::Csv => {
                for cost in &explained.entities {
                    sheet.push(vec![
                        Json::from(group.name.as_str()),
                        cost.events.into(),
                        tables::kept_as(cost).into(),
                        cost.expected.into(),
                        cost.worst.into(),
                    ]);
                }
            }
        }
    }
    if format == Format::Csv { sheet.print(format) } else { Ok(()) }
}

/// The window group called `wanted`; all of them when none is.
fn groups<'d>(
    file: &str,
    definitions: &'d Definitions,
    wanted: Option<&str>,
) -> Result<Vec<&'d Group>, CliError> {
    let is_windows = |group: &&Group| matches!(group.kind, GroupKind::Windows(_));
    let all = definitions.groups.iter().filter(is_windows);
    let Some(wanted) = wanted else { return Ok(all.collect()) };
    if let Some(found) = all.clone().find(|group| group.name.as_str() == wanted) {
        return Ok(vec![found]);
    }
    let found =
        describe(definitions, Some(wanted)).map_err(|error| CliError::from(error).context(file))?;
    let kind = found.first().map_or("", |section| section.kind.as_str());
    let names: Vec<_> = all.map(|group| group.name.as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(CliError::failed(format!(
        "{file}: {wanted} is a {kind}; only window groups are explained: {names}"
    )))
}

fn explained(
    definitions: &Definitions,
    group: &Group,
    args: &args::Explain,
) -> Option<Explanation> {
    let mut load = Load::default();
    if !args.events.is_empty() {
        load.events.clone_from(&args.events);
    }
    load.number_max = args.number_max.unwrap_or(load.number_max);
    load.text_bytes = args.text_bytes.unwrap_or(load.text_bytes);
    load.values = args.values.unwrap_or(load.values);
    if let Some(per_day) = args.events_per_day {
        let span_ms = explain(definitions, group, &load)?.span_ms.unsigned_abs();
        let day_ms = u128::from(DAY_MS.unsigned_abs());
        let events = (u128::from(per_day) * u128::from(span_ms)).div_ceil(day_ms);
        load.events = vec![u64::try_from(events).unwrap_or(u64::MAX)];
    }
    explain(definitions, group, &load)
}
