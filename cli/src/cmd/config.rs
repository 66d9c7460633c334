//! `larder config`: what a server would be started with, and why.

use std::ffi::OsString;

use serde_json::Value as Json;

use crate::{
    args,
    config::Merged,
    error::CliError,
    output::{self, Sheet},
};

/// See the module.
pub(crate) fn run(args: &args::Config) -> Result<(), CliError> {
    let args::ConfigWhat::Check(args) = &args.what;
    let mut words: Vec<OsString> = ["larder", "serve"].map(OsString::from).into();
    if let Some(file) = &args.file {
        words.extend([OsString::from("--config"), file.clone().into_os_string()]);
    }
    words.extend(args.options.iter().cloned());
    // Nothing of it is a secret: options name files that hold some.
    let options = Merged::new(words)?.effective();
    let options = options.map_err(|problems| CliError::failed(problems.join("\n")))?;
    let mut sheet = Sheet::new(["option", "value", "from"]);
    for one in options {
        sheet.push(vec![Json::from(one.key), Json::from(one.value), Json::from(one.from)]);
    }
    sheet.print(output::choose(args.format))
}
