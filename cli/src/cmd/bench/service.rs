//! A service of the user's and whom it is asked about: keys of a file, or numbered ones.

use std::path::Path;
use std::sync::Arc;

use client::Schema;
use larder_benches::load::{Caller, Service, reader_of};

use crate::{
    args,
    cmd::get::{parse_key, told_as_a_whole},
    error::CliError,
    output, remote,
};

/// Stands for the number in a template.
const NUMBER: &str = "{n}";
/// Most keys held in memory.
const KEYS_MAX: u64 = 10_000_000;

/// The service that `args` name, if any.
pub(super) fn of(
    args: &args::Bench,
    (addr, caller): (&str, &Caller),
) -> Result<Option<Service>, CliError> {
    let Some(name) = &args.service else { return Ok(None) };
    let schema = remote::run(async {
        let client = caller.client(addr).build();
        Ok(reader_of(&client, name).await?.schema())
    })?;
    let texts = match (&args.keys, &args.key_template) {
        (Some(file), _) => super::lines(file)?,
        (None, Some(template)) => numbered(template, args.entities)?,
        (None, None) => return Err(CliError::usage(missing(&schema))),
    };
    if texts.is_empty() {
        let file = args.keys.as_deref().unwrap_or(Path::new("")).display();
        return Err(CliError::usage(format!("--keys {file}: the file has no keys")));
    }
    let keys: Vec<_> =
        texts.iter().map(|text| parse_key(text, &schema)).collect::<Result<_, _>>()?;
    let odd = texts.iter().zip(&keys).find_map(|(text, key)| told_as_a_whole(text, key, &schema));
    odd.iter().for_each(|told| output::note(told));
    Ok(Some(Service { name: name.clone(), keys: Arc::new(keys) }))
}

fn numbered(template: &str, count: u64) -> Result<Vec<String>, CliError> {
    if !template.contains(NUMBER) {
        let example = "--key-template 'card-{n}'";
        return Err(CliError::usage(format!(
            "--key-template {template}: {NUMBER} stands for the number, as in {example}"
        )));
    }
    if count > KEYS_MAX {
        return Err(CliError::usage(format!(
            "--entities {count}: at most {KEYS_MAX} keys of a template"
        )));
    }
    Ok((0..count).map(|number| template.replace(NUMBER, &number.to_string())).collect())
}

fn missing(schema: &Schema) -> String {
    let keys: Vec<_> =
        schema.entities().iter().map(|entity| format!("{}=KEY", entity.name)).collect();
    format!(
        "whom to ask about? Give --keys FILE with lines like {0}, or --key-template '{0}' with {NUMBER} for the number",
        keys.join(",")
    )
}
