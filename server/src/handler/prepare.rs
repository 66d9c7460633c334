//! `prepare`: a name becomes a handle and a schema, so that no names travel on the hot path.

use std::sync::Arc;

use engine::ReadPlan;
use export::reads::ReadLayout;
use model::definition::{Definitions, GroupKind};
use protocol::{Failure, PrepareRequest, PreparedColumn, PreparedEntity, Target};

use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    read_log::{self, Logged},
    shared::{Prepared, Shared},
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = PrepareRequest::decode(body).map_err(malformed)?;
    let (version, definitions) = shared.database.definitions();
    let (prepared, mut schema) = match &request.target {
        Target::Service(name) => {
            let plan = shared.database.plan_service(name).map_err(engine_failure)?;
            let schema = vectors(&plan, &definitions);
            let logged = logged(shared, &plan, &definitions);
            (Prepared::Vectors { plan, logged }, schema)
        }
        Target::Features(references) => {
            let references: Vec<_> = references.iter().map(String::as_str).collect();
            let plan = shared.database.plan_features(&references).map_err(engine_failure)?;
            let schema = vectors(&plan, &definitions);
            (Prepared::Vectors { plan, logged: None }, schema)
        }
        Target::Group(name) => {
            let group = shared.database.group_index(name).map_err(engine_failure)?;
            let reference = format!("{name}:*");
            let plan = shared.database.plan_features(&[&reference]).map_err(engine_failure)?;
            let schema = vectors(&plan, &definitions);
            let kind = definitions.groups.get(group).map(|group| &group.kind);
            let is_rows = matches!(kind, Some(GroupKind::Rows(_)));
            (Prepared::Group { group, is_rows, plan }, schema)
        }
        Target::Stream(name) => {
            let stream = shared.database.stream_index(name).map_err(engine_failure)?;
            (Prepared::Stream(stream), stream_schema(&definitions, stream))
        }
    };
    schema.catalog_version = version;
    schema.handle = shared.known_handle(version, body);
    if schema.handle == 0 {
        schema.handle = shared.remember(version, body, prepared);
    }
    Ok(Outcome::now(move |out| schema.encode(out)))
}

/// How reads of `plan` are logged, if they are.
fn logged(shared: &Shared, plan: &ReadPlan, definitions: &Definitions) -> Option<Logged> {
    let log = plan.read_log().filter(|_| read_log::is_possible(shared))?;
    // Definitions that came between the two: the plan is stale already.
    let layout = ReadLayout::new(definitions, plan).ok()?;
    Some(Logged { rate: log.rate, layout: Arc::new(layout) })
}

/// The schema of a plan.
fn vectors(plan: &ReadPlan, definitions: &Definitions) -> protocol::Prepared {
    let entity =
        |(name, key): &(String, _)| PreparedEntity { name: name.clone(), key: Vec::clone(key) };
    let column = |(name, data_type): &(String, _)| PreparedColumn {
        name: name.clone(),
        data_type: *data_type,
    };
    let group = |index: usize| definitions.groups.get(index).map(|group| group.name.to_string());
    protocol::Prepared {
        handle: 0,
        catalog_version: 0,
        entities: plan.entities().iter().map(entity).collect(),
        groups: plan.group_indexes().into_iter().filter_map(group).collect(),
        columns: plan.outputs().iter().map(column).collect(),
        derived: u32::try_from(plan.derived_count()).unwrap_or(u32::MAX),
        request: plan.request_fields().to_vec(),
        event_time: None,
        event_id: None,
    }
}

/// The fields of a stream.
fn stream_schema(definitions: &Definitions, stream: usize) -> protocol::Prepared {
    let stream = definitions.streams.get(stream);
    let position = |index: usize| u32::try_from(index).ok();
    protocol::Prepared {
        handle: 0,
        catalog_version: 0,
        entities: Vec::new(),
        groups: Vec::new(),
        columns: stream
            .map(|stream| stream.fields.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|field| PreparedColumn {
                name: field.name.to_string(),
                data_type: field.data_type,
            })
            .collect(),
        derived: 0,
        request: Vec::new(),
        event_time: stream.and_then(|stream| position(stream.event_time)),
        event_id: stream.and_then(|stream| position(stream.event_id?)),
    }
}
