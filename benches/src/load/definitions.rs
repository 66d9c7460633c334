//! What a load needs to be defined on the server: made there, or found as an earlier load left it.

use client::Client;
use model::definition::Verb;

use super::{
    Error,
    bench::{Plan, runtime},
    workload::{Table, definitions},
};

impl Table {
    /// All features of its group.
    pub(super) fn reference(self) -> &'static str {
        match self {
            Self::Rows => "bench_rows:*",
            Self::Windows => "bench_windows:*",
            Self::Distinct => "bench_distinct:*",
        }
    }
}

/// Defines what the workload needs; the names of what is new.
pub(super) fn define(plan: &Plan) -> Result<Vec<String>, Error> {
    if plan.service.is_some() {
        return Ok(Vec::new());
    }
    let client = plan.caller.client(&plan.addr).build();
    let applied = runtime()?.block_on(async {
        // Features can be added and not be taken away.
        if let Ok(width) = features(&client, Table::Rows).await
            && width > plan.features
        {
            return Err(other_width(plan, width));
        }
        Ok(client.apply("bench.toml", &definitions(plan.features), false).await?)
    })?;
    let refused: Vec<_> = applied
        .changes
        .iter()
        .filter(|change| change.verb == Verb::Refuse)
        .map(|change| format!("{} {}: {}", change.kind, change.name, change.detail))
        .collect();
    if !refused.is_empty() {
        return Err(Error::Failed(format!(
            "the server has other definitions of these names: {}",
            refused.join("; ")
        )));
    }
    let is_new = |change: &&client::AppliedChange| change.verb != Verb::Keep;
    Ok(applied.changes.iter().filter(is_new).map(|change| change.name.clone()).collect())
}

/// Makes sure that an earlier load left what the workload needs.
pub(super) fn find(plan: &Plan) -> Result<(), Error> {
    let client = plan.caller.client(&plan.addr).build();
    runtime()?.block_on(async {
        for table in plan.workload.tables() {
            let width = features(&client, table).await.map_err(|error| match error {
                client::Error::Fix(_) => Error::Failed(format!(
                    "--no-fill takes what an earlier load left: {error}; run once without it"
                )),
                other => other.into(),
            })?;
            if table == Table::Rows && width != plan.features {
                return Err(other_width(plan, width));
            }
        }
        Ok(())
    })
}

async fn features(client: &Client, table: Table) -> Result<usize, client::Error> {
    Ok(client.features(&[table.reference()]).await?.schema().columns().len())
}

fn other_width(plan: &Plan, width: usize) -> Error {
    let Plan { addr, features, .. } = plan;
    Error::Failed(format!(
        "rows of bench_rows on {addr} have {width} features, and --features is {features}: give --features {width}, or another server"
    ))
}
