//! `larder get`: feature vectors of a service, or of a list of features.

use client::{Client, Schema, ServiceReader, Vectors};
use model::{definition::Field, key::EntityKey, time};
use serde_json::{Map, Value as Json};

use super::vectors::{self, Printed};
use crate::{args, error::CliError, output, remote};

/// See the module.
pub(crate) fn run(args: &args::Get) -> Result<(), CliError> {
    let as_of = args.as_of.as_deref().map(time::parse_timestamp).transpose();
    let as_of = as_of.map_err(|error| CliError::usage(format!("--as-of: {error}")))?;
    let printed = remote::run(async {
        let client = remote::client(&args.server)?.build();
        let reader = reader(&client, &args.what).await?;
        let schema = reader.schema();
        let keys =
            args.keys.iter().map(|key| parse_key(key, &schema)).collect::<Result<Vec<_>, _>>()?;
        let mut read = reader.read();
        // Before the keys: they are for all of them.
        let mut named = Vec::new();
        for given in &args.request {
            let (name, value) = parse_request(given, &schema)?;
            if named.contains(&name) {
                let message =
                    format!("--request {name} is given twice: it is one value for all keys");
                return Err(CliError::usage(message));
            }
            named.push(name);
            read = read.request(name, value);
        }
        let given = |field: &&Field| !named.contains(&field.name.as_str());
        let missing: Vec<_> = schema.request().iter().filter(given).collect();
        if !missing.is_empty() {
            return Err(CliError::usage(needs(&args.what, &missing)));
        }
        for (text, tuple) in args.keys.iter().zip(&keys) {
            if let Some(note) = told_as_a_whole(text, tuple, &schema) {
                output::note(&note);
            }
        }
        for tuple in &keys {
            for (entity, key) in schema.entities().iter().zip(tuple) {
                read = read.key(&entity.name, key);
            }
        }
        if let Some(as_of) = as_of {
            read = read.as_of(as_of);
        }
        if args.exclusive {
            read = read.exclusive();
        }
        if args.snap {
            read = read.snap();
        }
        if args.times {
            read = read.times();
        }
        let vectors = read.send().await?;
        Ok(keys
            .iter()
            .enumerate()
            .map(|(row, key)| printed(&vectors, row, key, args.times))
            .collect::<Vec<_>>())
    })?;
    vectors::print(&printed, output::choose(args.format))
}

async fn reader(client: &Client, what: &str) -> Result<ServiceReader, CliError> {
    if what.contains(':') {
        let references: Vec<_> = what.split(',').map(str::trim).collect();
        return Ok(client.features(&references).await?);
    }
    Ok(client.service(what).await?)
}

/// The keys of one vector: `KEY` for one entity, `ENTITY=KEY,…` for several, in any order, a comma in a key as `\,`.
pub(super) fn parse_key(text: &str, schema: &Schema) -> Result<Vec<EntityKey>, CliError> {
    let entities = schema.entities();
    let usage = |what: String| CliError::usage(format!("--key {text}: {what}"));
    let prefix = |name: &str| format!("{name}=");
    let pieces = split_keys(text);
    let named: Vec<(usize, &str)> = match entities {
        [only] => vec![(0, text.strip_prefix(&prefix(&only.name)).unwrap_or(text))],
        _ => {
            let part = |part: &'_ str| {
                let found =
                    entities.iter().position(|entity| part.starts_with(&prefix(&entity.name)));
                found.ok_or_else(|| {
                    let names: Vec<_> =
                        entities.iter().map(|entity| prefix(&entity.name) + "KEY").collect();
                    usage(format!("{part:?} is none of {}", names.join(",")))
                })
            };
            let mut named = Vec::new();
            for given in &pieces {
                let entity = part(given)?;
                let key = given.split_once('=').map_or("", |(_, key)| key);
                named.push((entity, key));
            }
            named
        }
    };
    let key = |(index, entity): (usize, &client::PreparedEntity)| {
        let mut given = named.iter().filter(|(position, _)| *position == index);
        match (given.next(), given.next()) {
            (Some((_, key)), None) => EntityKey::parse(key, &entity.key)
                .map_err(|error| usage(format!("key of {}: {error}", entity.name))),
            (None, _) => Err(usage(format!("the key of {} is missing: give {0}=KEY", entity.name))),
            (Some(_), Some(_)) => Err(usage(format!("two keys of {}", entity.name))),
        }
    };
    entities.iter().enumerate().map(key).collect()
}

/// The keys of several entities, apart: `\,` is a comma of a key, every other escape is the key's own.
fn split_keys(text: &str) -> Vec<String> {
    let (mut keys, mut characters) = (vec![String::new()], text.chars());
    while let Some(character) = characters.next() {
        if character == ',' {
            keys.push(String::new());
            continue;
        }
        let Some(key) = keys.last_mut() else { continue };
        match (character, (character == '\\').then(|| characters.next()).flatten()) {
            ('\\', Some(',')) => key.push(','),
            (one, next) => key.extend(std::iter::once(one).chain(next)),
        }
    }
    keys
}

/// What is to be given with a request, and how.
fn needs(service: &str, missing: &[&Field]) -> String {
    let each =
        missing.iter().map(|field| format!("--request {}=VALUE ({})", field.name, field.data_type));
    let each: Vec<_> = each.collect();
    format!(
        "{service} needs values that come with the request: {}; the value null is none",
        each.join(", ")
    )
}

/// What is told of a key that looks as if it were of another entity: it is one that `NAME=` belongs to.
pub(super) fn told_as_a_whole(text: &str, tuple: &[EntityKey], schema: &Schema) -> Option<String> {
    let ([only], [_]) = (schema.entities(), tuple) else { return None };
    let (name, key) = text.split_once('=')?;
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // Padding of base64 is no value.
    let is_value = !key.is_empty() && !key.starts_with('=');
    let known = &only.name;
    (name != known && is_name && is_value).then(|| {
        format!("--key {text}: its only entity is {known}, so this is a key of {known} as a whole; {known}={key} would be the key {key}")
    })
}

/// A request value: its name and its typed value.
fn parse_request<'a>(
    text: &'a str,
    schema: &Schema,
) -> Result<(&'a str, Option<model::value::Value>), CliError> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(CliError::usage(format!("--request {text}: write NAME=VALUE")));
    };
    let Some(field) = schema.request().iter().find(|field| field.name.as_str() == name) else {
        let names: Vec<_> = schema.request().iter().map(|field| field.name.as_str()).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(CliError::usage(format!("--request {text}: the service takes {there}")));
    };
    if value == "null" {
        return Ok((name, None));
    }
    let value = model::text::parse_value(name, value, field.data_type);
    value
        .map(|value| (name, Some(value)))
        .map_err(|error| CliError::usage(format!("--request {text}: {error}")))
}

fn printed(vectors: &Vectors, row: usize, key: &[EntityKey], times: bool) -> Printed {
    let entities = vectors.schema().entities();
    let shown = |(entity, key): (&client::PreparedEntity, &EntityKey)| {
        (entity.name.clone(), Json::from(model::key::format_key(key.as_bytes(), &entity.key)))
    };
    let mut keys: Map<String, Json> = entities.iter().zip(key).map(shown).collect();
    let key = match entities {
        [only] => keys.remove(&only.name).unwrap_or(Json::Null),
        _ => Json::Object(keys),
    };
    let mut printed = Printed::new(key, vectors.row(row));
    let time = |time: i64| Json::from(time::format_timestamp(time));
    if vectors.is_snapped() || times {
        printed.more.insert("as_of".into(), time(vectors.as_of()));
        printed.more.insert("snapped".into(), vectors.is_snapped().into());
    }
    if times {
        let groups: Map<_, _> = vectors
            .group_times(row)
            .map(|(name, at)| (name.to_owned(), at.map_or(Json::Null, time)))
            .collect();
        printed.more.insert("event_times".into(), Json::Object(groups));
        let starts = vectors.window_starts().filter(|(_, at)| *at != i64::MIN);
        let starts: Map<_, _> = starts.map(|(name, at)| (name.to_owned(), time(at))).collect();
        printed.more.insert("window_starts".into(), Json::Object(starts));
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_of_a_key_is_escaped() {
        assert_eq!(split_keys("a=1,b=2"), ["a=1", "b=2"]);
        assert_eq!(split_keys(r"a=Basel\,CH,b=2"), ["a=Basel,CH", "b=2"]);
        assert_eq!(split_keys(r"a=x\|y|z\\,b=\"), [r"a=x\|y|z\\", r"b=\"]);
        assert_eq!(split_keys(""), [""]);
    }
}
