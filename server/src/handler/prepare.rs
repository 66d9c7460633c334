//! `prepare`: a name becomes a handle and a schema, so that no names travel on the hot path.

use std::sync::Arc;

use engine::ReadPlan;
use export::reads::ReadLayout;
use model::definition::{Definitions, GroupKind};
use protocol::{
    CallStatus, Failure, Opcode, PrepareRequest, PreparedColumn, PreparedEntity, Target,
};

use crate::{
    access::caller::of_target,
    dispatch::{Outcome, failure},
    error::{engine_failure, malformed},
    prepared::Prepared,
    read_log::{self, Logged},
    session::Session,
    shared::Shared,
};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = PrepareRequest::decode(body).map_err(malformed)?;
    let (version, definitions) = shared.database.definitions();
    let resources = named(&request.target);
    let asked = (resources.as_slice(), request.purpose.as_deref());
    session.caller.decide(shared, Opcode::Prepare, asked, |asker| {
        of_target(asker, &definitions, &request.target)
    })?;
    let (prepared, mut schema) = plan(shared, &definitions, &request).map_err(|error| {
        match session.caller.asker(shared, Opcode::Prepare, None) {
            // What is said about a name that is not there lists those that are.
            Ok(Some(asker)) if !asker.sees_everything() => {
                let message = format!("{} is not defined", resources.join(", "));
                failure(CallStatus::NotFound, message)
            }
            _ => engine_failure(error),
        }
    })?;
    schema.catalog_version = version;
    let (request, made) = ((version, body), &mut session.made);
    schema.handle = match shared.handles.known(request, made) {
        0 => shared.handles.add(request, (prepared, schema.columns.len()), made),
        known => known,
    };
    Ok(Outcome::now(move |out| schema.encode(out)))
}

/// What is asked for, by name.
fn named(target: &Target) -> Vec<String> {
    match target {
        Target::Service(name) => vec![format!("service:{name}")],
        Target::Features(references) => references.clone(),
        Target::Group(name) => vec![format!("group:{name}")],
        Target::Stream(name) => vec![format!("stream:{name}")],
    }
}

/// What a handle of `request` stands for, and its schema, but for handle and version.
fn plan(
    shared: &Shared,
    definitions: &Definitions,
    request: &PrepareRequest,
) -> Result<(Prepared, protocol::Prepared), engine::Error> {
    let purpose = request.purpose.clone();
    Ok(match &request.target {
        Target::Service(name) => {
            let plan = shared.database.plan_service(name)?;
            let schema = vectors(&plan, definitions);
            let logged = logged(shared, &plan, definitions);
            let served = shared.metrics.service(name);
            let service = Some(name.clone());
            (Prepared::Vectors { plan, logged, served, service, purpose }, schema)
        }
        Target::Features(references) => {
            let references: Vec<_> = references.iter().map(String::as_str).collect();
            let plan = shared.database.plan_features(&references)?;
            let schema = vectors(&plan, definitions);
            let (logged, served, service) = (None, None, None);
            (Prepared::Vectors { plan, logged, served, service, purpose }, schema)
        }
        Target::Group(name) => {
            let group = shared.database.group_index(name)?;
            let reference = format!("{name}:*");
            let plan = shared.database.plan_features(&[&reference])?;
            let schema = vectors(&plan, definitions);
            let kind = definitions.groups.get(group).map(|group| &group.kind);
            let is_rows = matches!(kind, Some(GroupKind::Rows(_)));
            (Prepared::Group { group, is_rows, plan, purpose }, schema)
        }
        Target::Stream(name) => {
            let stream = shared.database.stream_index(name)?;
            (Prepared::Stream(stream), stream_schema(definitions, stream))
        }
    })
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
