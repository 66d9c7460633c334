//! `describe`: what is defined.

use protocol::{DescribeReply, DescribeRequest, Failure};

use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    shared::Shared,
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = DescribeRequest::decode(body).map_err(malformed)?;
    let sections = shared.database.describe(request.name).map_err(engine_failure)?;
    let reply = DescribeReply { sections };
    Ok(Outcome::now(move |out| reply.encode(out)))
}
