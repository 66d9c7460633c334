//! What a server shows: everything it holds, read in two ways that must agree.

use client::{Client, blocking};
use model::value::{Value, ValueRef};

use crate::{
    journal::{State, Stored},
    sender::note,
};

/// Entities of one page of a scan: several pages are needed.
const PAGE: u32 = 16;

/// Everything the server at `addr` holds, of `keys` and whatever else it has.
///
/// # Errors
/// What failed, what is wrong with a value, or where scans and reads differ.
pub fn read(addr: &str, keys: &[String]) -> Result<State, String> {
    let client =
        blocking::Client::with(Client::builder(addr)).map_err(|error| error.to_string())?;
    let scanned = scan(&client).map_err(|error| error.to_string())??;
    let looked_up = look_up(&client, keys).map_err(|error| error.to_string())??;
    if scanned != looked_up {
        return Err(format!("scans show {scanned:?}, reads show {looked_up:?}"));
    }
    Ok(scanned)
}

type Checked = Result<Result<State, String>, client::Error>;

fn scan(client: &blocking::Client) -> Checked {
    let mut state = State::new();
    for group in ["profile", "clicking"] {
        let mut scan = client.group(group)?.scan(PAGE);
        while let Some(page) = client.wait(scan.next())? {
            for row in 0..page.len() {
                let key = page.key_text(row);
                let values = page
                    .row(row)
                    .map(|(name, _, value)| (name.to_owned(), value.map(ValueRef::to_owned)));
                if let Err(error) = take(state.entry(key.clone()).or_default(), &key, values) {
                    return Ok(Err(error));
                }
            }
        }
    }
    Ok(Ok(state))
}

fn look_up(client: &blocking::Client, keys: &[String]) -> Checked {
    let reader = client.features(&["profile:*", "clicking:*"])?;
    let read = reader.read().keys(keys.iter().map(String::as_str));
    let vectors = client.wait(read.send())?;
    let mut state = State::new();
    for (row, key) in keys.iter().enumerate() {
        let mut stored = Stored::default();
        let values = vectors
            .row(row)
            .map(|(name, _, value)| (name.to_owned(), value.map(ValueRef::to_owned)));
        if let Err(error) = take(&mut stored, key, values) {
            return Ok(Err(error));
        }
        if stored != Stored::default() {
            state.insert(key.clone(), stored);
        }
    }
    Ok(Ok(state))
}

/// Takes the values of `key` and checks that its note belongs to its version.
fn take(
    stored: &mut Stored,
    key: &str,
    values: impl Iterator<Item = (String, Option<Value>)>,
) -> Result<(), String> {
    let mut found_note = None;
    for (name, value) in values {
        match (name.as_str(), value) {
            ("version", Some(Value::I64(version))) => stored.version = version.unsigned_abs(),
            ("clicks_30d", Some(Value::I64(count))) => stored.events = count.unsigned_abs(),
            ("note", Some(Value::String(text))) => found_note = Some(text),
            (_, None) => {}
            (name, Some(value)) => return Err(format!("{key}: {name} is {value}")),
        }
    }
    let Some(found) = found_note else { return Ok(()) };
    let bytes = found.split('/').nth(2).and_then(|part| part.parse().ok()).unwrap_or(0);
    if *found != *note(key, stored.version, bytes) {
        return Err(format!("{key}: version {} has another's note: {found}", stored.version));
    }
    Ok(())
}
