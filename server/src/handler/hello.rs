//! `hello`: versions, limits, and who asks.

use model::limits::{FRAME_BYTES_MAX, IN_FLIGHT_MAX};
use protocol::{Failure, HelloReply, HelloRequest, PROTOCOL_VERSION};

use crate::{dispatch::Outcome, error::malformed, session::Session, shared::Shared};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = HelloRequest::decode(body).map_err(malformed)?;
    tracing::debug!(client = request.client, protocol = request.protocol, "hello");
    session.caller.hello(shared, &request)?;
    let reply = HelloReply {
        protocol: request.protocol.min(PROTOCOL_VERSION),
        server: concat!("larder ", env!("CARGO_PKG_VERSION")).to_owned(),
        catalog_version: shared.database.definitions_version(),
        frame_bytes_max: u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX),
        in_flight_max: u32::try_from(IN_FLIGHT_MAX).unwrap_or(u32::MAX),
    };
    Ok(Outcome::now(move |out| reply.encode(out)))
}
