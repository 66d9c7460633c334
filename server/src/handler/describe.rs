//! `describe`: what is defined, as far as whoever asks may see it.

use protocol::{CallStatus, DescribeReply, DescribeRequest, Failure, Opcode};

use crate::{
    dispatch::{Outcome, failure},
    error::{engine_failure, malformed},
    session::Session,
    shared::Shared,
};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let DescribeRequest { name } = DescribeRequest::decode(body).map_err(malformed)?;
    let asker = session.caller.asker(shared, Opcode::Describe, None)?;
    let sections = match asker {
        None => shared.database.describe(name).map_err(engine_failure)?,
        Some(asker) => {
            let (_, definitions) = shared.database.definitions();
            let all = shared.database.describe(None).map_err(engine_failure)?;
            let mut seen = asker.visible(&definitions, all);
            seen.retain(|section| name.is_none_or(|name| section.name == name));
            if let (Some(name), true) = (name, seen.is_empty()) {
                let message = format!(
                    "name {name:?}: not defined, or not for subject {} to see",
                    asker.subject.name()
                );
                return Err(failure(CallStatus::Invalid, message));
            }
            seen
        }
    };
    let reply = DescribeReply { sections };
    Ok(Outcome::now(move |out| reply.encode(out)))
}
