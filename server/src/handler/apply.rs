//! `apply`: a definitions file becomes valid, or would. On the thread for definitions: to read and plan one takes long.

use model::definition::{Definitions, Verb};
use protocol::{AppliedChange, ApplyReply, ApplyRequest, Failure, Opcode};

use crate::{
    access::rule::Resource,
    audit::acts,
    dispatch::Outcome,
    error::{engine_failure, malformed},
    session::Session,
    shared::Shared,
};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = ApplyRequest::decode(body).map_err(malformed)?;
    if !session.is_bulk() {
        // A file is read for nobody who may define nothing.
        session
            .caller
            .decide(shared, Opcode::Apply, (&[], None), |asker| asker.may_define_some())?;
        return Ok(Outcome::Bulk);
    }
    if shared.access.is_some() {
        let (_, base) = shared.database.definitions();
        let proposed = Proposed::read(&request, &base);
        let resources = proposed.as_ref().map_or_else(|_| Vec::new(), Proposed::resources);
        session.caller.decide(
            shared,
            Opcode::Apply,
            (&resources, None),
            |asker| match &proposed {
                Ok(proposed) => asker.define(&proposed.next, proposed.named()),
                Err(_) => asker.may_define_some(),
            },
        )?;
        // Only who may define something is told what is wrong with a file, because that names what there is.
        proposed?;
    }
    let applied = shared
        .database
        .apply(request.file, request.definitions, request.dry_run)
        .map_err(engine_failure)?;
    if !request.dry_run {
        let what = (request.file, applied.version);
        acts::defined(shared, &session.audit, what, &applied.plan);
    }
    let changes = applied.plan.changes.into_iter().filter(|change| change.verb != Verb::Keep);
    let reply = ApplyReply {
        version: applied.version,
        applied: applied.ticket.is_some(),
        changes: changes
            .map(|change| AppliedChange {
                verb: change.verb,
                kind: change.kind.to_owned(),
                name: change.name,
                detail: change.detail,
            })
            .collect(),
    };
    Ok(match applied.ticket {
        None => Outcome::now(move |out| reply.encode(out)),
        Some(ticket) => Outcome::Later {
            ticket,
            repeated: false,
            reply: Box::new(move |out, _| reply.encode(out)),
        },
    })
}

/// What a file would make of the definitions, and what it names: all of it is decided about, whether it changes or not.
struct Proposed {
    next: Definitions,
    names: Vec<(&'static str, String)>,
}

impl Proposed {
    fn read(request: &ApplyRequest<'_>, base: &Definitions) -> Result<Self, Failure> {
        let next = Definitions::parse(request.file, request.definitions, base);
        let next = next.map_err(|error| engine_failure(error.into()))?;
        let file = request.definitions.parse::<toml::Table>().unwrap_or_default();
        let names = ["entity", "stream", "group", "service"].into_iter().flat_map(|kind| {
            let named = file.get(kind).and_then(toml::Value::as_table);
            named.into_iter().flatten().map(move |(name, _)| (kind, name.clone()))
        });
        Ok(Self { next, names: names.collect() })
    }

    fn named(&self) -> impl Iterator<Item = Resource<'_>> {
        self.names.iter().map(|(kind, name)| match *kind {
            "entity" => Resource::Entity(name),
            "stream" => Resource::Stream(name),
            "group" => Resource::Group(name),
            _ => Resource::Service(name),
        })
    }

    fn resources(&self) -> Vec<String> {
        self.named().map(|resource| resource.to_string()).collect()
    }
}
