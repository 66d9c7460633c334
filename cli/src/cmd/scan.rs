//! `larder scan`: every entity of a group, page by page, printed as it comes.

use client::Page;
use serde_json::Value as Json;

use super::vectors::{self, Printed};
use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
    remote,
};

/// Entities of a page.
const PAGE: u32 = 500;

/// See the module.
pub(crate) fn run(args: &args::Scan) -> Result<(), CliError> {
    let format = output::choose(args.format);
    remote::run(async {
        let group = remote::client(&args.server)?.build().group(&args.group).await?;
        let mut scan = group.scan(PAGE);
        let mut left = args.limit.unwrap_or(u64::MAX);
        let mut is_first = true;
        while left > 0
            && let Some(page) = scan.next().await?
        {
            let rows = usize::try_from(left).unwrap_or(usize::MAX).min(page.len());
            print_page(&page, rows, format, is_first)?;
            left -= rows as u64;
            is_first = false;
        }
        Ok(())
    })
}

fn print_page(page: &Page, rows: usize, format: Format, with_header: bool) -> Result<(), CliError> {
    let printed: Vec<_> =
        (0..rows).map(|row| Printed::new(Json::from(page.key_text(row)), page.row(row))).collect();
    if format == Format::Json {
        return vectors::print(&printed, format);
    }
    let names = page.schema().columns().iter().map(|column| column.name.clone());
    // Under the entity's name, so that what was scanned can be put.
    let key = page.schema().entities().first().map_or("key", |entity| entity.name.as_str());
    let mut sheet = Sheet::new(std::iter::once(key.to_owned()).chain(names));
    for vector in printed {
        let values = vector.values.into_iter().map(|(_, status, value)| match value {
            Json::Null if format == Format::Table => Json::from(status.as_str()),
            value => value,
        });
        sheet.push(std::iter::once(vector.key).chain(values).collect());
    }
    if format == Format::Csv { sheet.print_csv(with_header) } else { sheet.print(format) }
}
