//! What handlers tell: from a finished operation to an event. Only here the log looks at definitions.

use std::sync::Arc;

use engine::ReadPlan;
use model::definition::{Definitions, Plan, Verb};
use model::limits::{AUDIT_KEYS_LISTED_MAX, PROBLEMS_LISTED_MAX};
use protocol::{Failure, Opcode};
use stdx::clock::Clock;

use super::{
    AuditedPeer, DENIED,
    event::{AuditedKey, End, Event, Who, cut},
    tally::{Of, Tally},
};
use crate::{Error, access::witness::Decided, shared::Shared};

/// A read is done on which the lot had fallen; what for, if that was said.
pub(crate) fn read(shared: &Shared, who: Who, (plan, purpose): (&ReadPlan, &str), keys: &[&[u8]]) {
    let entities: Vec<Arc<str>> =
        plan.entities().iter().map(|(name, _)| name.as_str().into()).collect();
    let vectors = keys.len().checked_div(entities.len()).unwrap_or(1);
    let named = entities.iter().cycle().zip(keys).take(AUDIT_KEYS_LISTED_MAX);
    let keys =
        named.map(|(entity, key)| AuditedKey { entity: Arc::clone(entity), key: (*key).into() });
    let (_, definitions) = shared.database.definitions();
    let service = Some(plan.service_name()).filter(|name| definitions.service(name).is_some());
    let groups = plan.group_indexes().into_iter();
    let on = service
        .map(|name| format!("service:{name}"))
        .into_iter()
        .chain(groups.filter_map(|group| group_name(&definitions, group)));
    let event = Event::new(shared.clock.wall_ms(), "read")
        .by(Some(who))
        .on(on)
        .purpose(purpose)
        .with("vectors", vectors)
        .keys(keys)
        .ended(End::Ok);
    shared.audit.offer(event);
}

/// So many rows of a group were put, or scanned: what for, if that was said.
pub(crate) fn group(
    shared: &Shared,
    peer: &AuditedPeer,
    (what, purpose): (&'static str, &str),
    index: usize,
    rows: u32,
) {
    peer.count((Of { what, kind: "group", index }, purpose), u64::from(rows), || {
        group_name(&shared.database.definitions().1, index)
    });
}

/// So many events were pushed into a stream, or taken back.
pub(crate) fn stream(
    shared: &Shared,
    peer: &AuditedPeer,
    what: &'static str,
    index: usize,
    rows: u32,
) {
    peer.count((Of { what, kind: "stream", index }, ""), u64::from(rows), || {
        let (_, definitions) = shared.database.definitions();
        definitions.streams.get(index).map(|stream| format!("stream:{}", stream.name))
    });
}

/// Entities were deleted from a group: told one by one, somebody may have asked for it.
pub(crate) fn deleted(
    shared: &Shared,
    peer: &AuditedPeer,
    index: usize,
    keys: &[&[u8]],
    rows: u32,
) {
    if !shared.audit.is_on() {
        return;
    }
    let (_, definitions) = shared.database.definitions();
    let entity: Arc<str> = entity_name(&definitions, index).unwrap_or_default().into();
    let keys =
        keys.iter().map(|key| AuditedKey { entity: Arc::clone(&entity), key: (*key).into() });
    let event = Event::new(shared.clock.wall_ms(), "delete")
        .by(peer.who())
        .on(group_name(&definitions, index))
        .with("rows", rows)
        .keys(keys)
        .ended(End::Ok);
    shared.audit.offer(event);
}

/// Definitions became others, or were refused.
pub(crate) fn defined(
    shared: &Shared,
    peer: &AuditedPeer,
    (file, version): (&str, u64),
    plan: &Plan,
) {
    if !shared.audit.is_on() {
        return;
    }
    let changes = || plan.changes.iter().filter(|change| change.verb != Verb::Keep);
    let listed: Vec<_> = changes()
        .take(PROBLEMS_LISTED_MAX)
        .map(|change| format!("{} {} {}", change.verb.as_str(), change.kind, change.name))
        .collect();
    let refused = || End::Failed("the plan holds a refusal: nothing was changed".to_owned());
    let event = Event::new(shared.clock.wall_ms(), "apply")
        .by(peer.who())
        .with("file", file.chars().take(128).collect::<String>())
        .with("version", version)
        .with("changes_count", changes().count())
        .with("changes", listed)
        .ended(if plan.is_refused() { refused() } else { End::Ok });
    shared.audit.offer(event);
}

/// Somebody asked for something that is done elsewhere, a checkpoint, or an export of these groups, and said what for; or was refused
/// at once.
pub(crate) fn asked(
    shared: &Shared,
    peer: &AuditedPeer,
    (what, name, purpose): (&'static str, Option<&str>, &str),
    on: impl IntoIterator<Item = String>,
    refused: Option<&Failure>,
) {
    if !shared.audit.is_on() {
        return;
    }
    let event = Event::new(shared.clock.wall_ms(), what).by(peer.who()).on(on);
    let mut event = event.purpose(purpose);
    if let Some(name) = name {
        event = event.with("name", name);
    }
    let end = refused.map_or(End::Ok, |failure| End::Failed(failure.message.clone()));
    shared.audit.offer(event.ended(end));
}

/// It was decided what a peer may do: denials are told, and whoever the policy knows is named from now on.
pub(crate) fn decided(shared: &Shared, peer: &Option<Arc<Tally>>, decided: &Decided<'_>) {
    let Some(peer) = peer else { return };
    let now_ms = shared.clock.wall_ms();
    let before = peer.set_subject(decided.subject, now_ms);
    before.into_iter().for_each(|event| shared.audit.offer(event));
    if decided.opcode == Opcode::Hello && decided.missing.is_none() {
        peer.set_purpose(decided.purpose);
    }
    let is_told = || {
        let is_known = decided.subject.is_some();
        peer.tells_denial() && (is_known || shared.audit.tells_stranger())
    };
    let Some(missing) = decided.missing.filter(|_| is_told()) else { return };
    // Both are as long as whoever asks likes, up to a frame: the queue holds no more of them than a line does.
    let event = Event::new(now_ms, DENIED)
        .by(Some(peer.who()))
        .with("operation", decided.opcode.to_string())
        .on(decided.resources)
        .purpose(decided.purpose)
        .ended(End::Denied(cut(missing).to_owned()));
    shared.audit.offer(event);
}

/// `what`, certificates or the access policy, was read again, or stayed as it was.
pub(crate) fn reloaded(shared: &Shared, what: &'static str, read: &Result<(), Error>) {
    if !shared.audit.is_on() {
        return;
    }
    let end = read.as_ref().map_or_else(|error| End::Failed(error.to_string()), |()| End::Ok);
    let event = Event::new(shared.clock.wall_ms(), "reload").with("what", what);
    shared.audit.offer(event.ended(end));
}

fn group_name(definitions: &Definitions, index: usize) -> Option<String> {
    definitions.groups.get(index).map(|group| format!("group:{}", group.name))
}

fn entity_name(definitions: &Definitions, group: usize) -> Option<&str> {
    let entity = definitions.groups.get(group)?.entity;
    Some(definitions.entities.get(entity)?.name.as_str())
}
