//! `larder stats`: the server's figures.

use client::StatValue;
use serde_json::Value as Json;

use crate::{
    args,
    error::CliError,
    output::{self, Sheet},
    remote,
};

/// See the module.
pub(crate) fn run(args: &args::Stats) -> Result<(), CliError> {
    let figures = remote::run(async { Ok(remote::client(&args.server)?.build().stats().await?) })?;
    let mut sheet = Sheet::new(["name", "value"]);
    for (name, value) in figures {
        let value = match value {
            StatValue::U64(number) => Json::from(number),
            StatValue::I64(number) => Json::from(number),
            StatValue::F64(number) => Json::from(number),
            StatValue::Text(text) => Json::from(text),
        };
        sheet.push(vec![Json::from(name), value]);
    }
    sheet.print(output::choose(args.format))
}
