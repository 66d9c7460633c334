//! `larder describe`: what is defined.

use serde_json::{Value as Json, json};

use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
    remote,
};

/// See the module.
pub(crate) fn run(args: &args::Describe) -> Result<(), CliError> {
    let reply = remote::run(async {
        let client = remote::client(&args.server)?.build();
        Ok(client.describe(args.name.as_deref()).await?)
    })?;
    let format = output::choose(args.format);
    if reply.sections.is_empty() {
        output::note("nothing is defined yet: run `larder apply FILE`");
    }
    for section in &reply.sections {
        match format {
            Format::Json => {
                let properties: serde_json::Map<String, Json> = section
                    .properties
                    .iter()
                    .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
                    .collect();
                let columns: Vec<_> = section
                    .columns
                    .iter()
                    .map(|(name, data_type, detail)| json!({"name": name, "type": data_type, "detail": detail}))
                    .collect();
                let object = json!({
                    "kind": section.kind, "name": section.name, "properties": properties, "columns": columns
                });
                output::line(&object.to_string())?;
            }
            Format::Table | Format::Csv => {
                let mut sheet = Sheet::new(["name", "type", "detail"]);
                for (name, data_type, detail) in &section.columns {
                    sheet.push(
                        [name, data_type, detail].map(|word| Json::from(word.as_str())).to_vec(),
                    );
                }
                if format == Format::Table {
                    output::line(&format!("{} {}", section.kind, section.name))?;
                    for (name, value) in &section.properties {
                        output::line(&format!("  {name}: {value}"))?;
                    }
                }
                if !section.columns.is_empty() {
                    sheet.print(format)?;
                }
            }
        }
    }
    Ok(())
}
