//! `export`: every group at one moment as files, written by the exporter's thread.

use protocol::{ExportRequest, Failure, Opcode};

use crate::{audit::acts, dispatch::Outcome, error::malformed, session::Session, shared::Shared};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = ExportRequest::decode(body).map_err(malformed)?;
    let (_, definitions) = shared.database.definitions();
    let resources: Vec<_> = request.groups.iter().map(|group| format!("group:{group}")).collect();
    session.caller.decide(shared, Opcode::Export, (&resources, None), |asker| {
        asker.export(&definitions, &request.groups)
    })?;
    let asked = shared.exports.ask(&request);
    let is_asked = |name: &str| request.groups.is_empty() || request.groups.contains(&name);
    let groups = definitions.groups.iter().map(|group| group.name.as_str());
    let on = groups.filter(|name| is_asked(name)).map(|name| format!("group:{name}"));
    let what = ("export", Some(request.name), session.caller.purpose());
    acts::asked(shared, &session.audit, what, on, asked.as_ref().err());
    Ok(Outcome::Elsewhere(asked?))
}
