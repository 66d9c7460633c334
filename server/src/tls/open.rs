//! The beginning of a connection: plain at once, or a TLS handshake in the connection's own task.

use std::io;

use protocol::{CallStatus, frame};
use stdx::clock::Clock;
use tokio::{net::TcpStream, sync::watch};

use super::{Tls, subject, transport::Transport};
use crate::{dispatch, door, peer::Peer, shared::Shared};

/// Bytes that tell a frame of the native protocol from a TLS record: both may begin with 0x16.
const HEAD_BYTES: usize = 6;

/// Opens a connection: `None` when its peer did not do its part, in time. What it has proved is noted in `peer`.
pub(crate) async fn open(
    stream: TcpStream,
    peer: &mut Peer,
    shared: &Shared,
    mut stop: watch::Receiver<bool>,
) -> Option<Transport> {
    let Some(tls) = &shared.tls else { return Some(Transport::Plain(stream)) };
    let Some(_place) = shared.handshakes.begin(peer.addr, shared.clock.mono_ns()) else {
        shared.load.refused();
        return None;
    };
    let opened = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => return None,
        opened = tokio::time::timeout(shared.handshake, handshake(tls, stream)) => opened,
    };
    let failed = |error: io::Error| {
        shared.load.handshake_failed();
        tracing::debug!(%error, addr = %peer.addr, "a TLS handshake came to no end");
    };
    match opened {
        Ok(Ok(Some(transport))) => {
            if let Transport::Tls(stream) = &transport {
                let certificates = stream.get_ref().1.peer_certificates();
                let first = certificates.and_then(|certificates| certificates.first());
                peer.certificate_subject = first.and_then(|der| subject::of(der));
            }
            Some(transport)
        }
        Ok(Ok(None)) => {
            failed(io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak TLS"));
            None
        }
        Ok(Err(error)) => {
            failed(error);
            None
        }
        Err(_) => {
            failed(io::ErrorKind::TimedOut.into());
            None
        }
    }
}

/// `None` when the peer speaks something else, which it was told.
async fn handshake(tls: &Tls, stream: TcpStream) -> io::Result<Option<Transport>> {
    let mut head = [0; HEAD_BYTES];
    let count = stream.peek(&mut head).await?;
    let head = head.get(..count).unwrap_or_default();
    if is_tls(head) {
        let stream = tls.acceptor().accept(stream).await?;
        return Ok(Some(Transport::Tls(Box::new(stream))));
    }
    let mut output = Vec::new();
    match frame::first(head) {
        Ok(_) => {
            let message = "this port speaks TLS: connect with --tls or LARDER_TLS=true, in programs with ClientBuilder::tls";
            dispatch::farewell(&dispatch::failure(CallStatus::Invalid, message), &mut output);
        }
        Err(error) => dispatch::refuse_stream(&error, &mut output),
    }
    door::tell(stream, &output).await?;
    Ok(None)
}

/// A TLS record of a handshake, as far as it has come: type 22, version 3.x. A frame has `LR` in its fifth and sixth byte, where a
/// record has the end of its length and the type of its message.
fn is_tls(head: &[u8]) -> bool {
    let starts = matches!(head, [0x16] | [0x16, 0x03, ..]);
    starts && head.get(4..) != Some(&b"LR"[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_records_are_told_apart_by_their_first_bytes() {
        assert!(is_tls(&[0x16]) && is_tls(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
        assert!(!is_tls(b"") && !is_tls(b"GET / ") && !is_tls(&[0x1a, 0, 0, 0, 0x4c, 0x52]));
        // A frame of 0x0316 bytes.
        assert!(!is_tls(&[0x16, 0x03, 0, 0, 0x4c, 0x52]));
    }
}
