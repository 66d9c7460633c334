//! Frames: a header of 24 bytes and a body; splitting them off a receive buffer, writing them into a send buffer.
//!
//! ```text
//!  0  length       u32   of the whole frame, these bytes included: 24 to FRAME_BYTES_MAX
//!  4  magic        2     4C 52, "LR"
//!  6  version      u8    1: the layout of this header
//!  7  opcode       u8    see `opcode`; a reply repeats its request's
//!  8  request id   u64   chosen by the client; a reply repeats it; replies come in any order
//! 16  deadline     u32   request: ms from its receipt after which nobody waits for the reply, 0 for none; reply: 0
//! 20  flags        u8    bit 0: this is a reply; the others are 0
//! 21  status       u8    reply: see `status`; request: 0
//! 22  reserved     u16   0
//! 24  body
//! ```
//!
//! Length, magic and version are checked as soon as they are there, before anything waits for the rest or makes room.

use bytes::{Bytes, BytesMut};
use model::limits::FRAME_BYTES_MAX;
use stdx::cursor::{Reader, Writer};

use crate::{CallStatus, Error, Opcode, greeting};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;
/// The header layout of this release.
pub const VERSION: u8 = 1;
const MAGIC: [u8; 2] = *b"LR";
const FLAG_REPLY: u8 = 1;

/// The header of a frame, without its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Code of the operation; [`Header::opcode`] says which one. Kept as a byte so that an unknown one can be answered.
    pub opcode_code: u8,
    /// Chosen by the client, repeated in the reply.
    pub request_id: u64,
    /// Milliseconds from receipt after which nobody waits for the reply; 0 for none. 0 in replies.
    pub deadline_ms: u32,
    /// True in a reply.
    pub is_reply: bool,
    /// Code of the call status; [`Header::status`] says which one. 0 in requests.
    pub status_code: u8,
}

impl Header {
    /// The header of a request.
    #[must_use]
    pub fn request(opcode: Opcode, request_id: u64, deadline_ms: u32) -> Self {
        Self {
            opcode_code: opcode.code(),
            request_id,
            deadline_ms,
            is_reply: false,
            status_code: CallStatus::Ok.code(),
        }
    }

    /// The header of the reply to this request.
    #[must_use]
    pub fn reply(self, status: CallStatus) -> Self {
        Self { deadline_ms: 0, is_reply: true, status_code: status.code(), ..self }
    }

    /// The operation; `None` when this release does not know it: answer `INVALID`.
    #[must_use]
    pub fn opcode(self) -> Option<Opcode> {
        Opcode::from_code(self.opcode_code)
    }

    /// The call status; `None` when this release does not know it: treat it as `INTERNAL`.
    #[must_use]
    pub fn status(self) -> Option<CallStatus> {
        CallStatus::from_code(self.status_code)
    }
}

/// A whole frame, sharing the receive buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    header: Header,
    body: Bytes,
}

impl Frame {
    /// Its header.
    #[must_use]
    pub fn header(&self) -> Header {
        self.header
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// A whole frame at the front of a receive buffer, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: &'a [u8],
    /// Bytes of header and body: how far to advance.
    pub length: usize,
}

/// The frame at the front of `input`, or `None` until all of it is there. Allocates nothing.
///
/// # Errors
/// [`Error::NotAFrame`], [`Error::Version`] or [`Error::Length`]: the connection cannot go on.
pub fn first(input: &[u8]) -> Result<Option<FrameRef<'_>>, Error> {
    let mut reader = Reader::new(input);
    let Ok(length) = reader.u32() else {
        return Ok(None);
    };
    check_start(input, length as usize)?;
    let Some(whole) = input.get(..length as usize) else {
        return Ok(None);
    };
    let Some((head, body)) = whole.split_at_checked(HEADER_BYTES) else {
        return Ok(None);
    };
    let header = read_header(head)?;
    Ok(Some(FrameRef { header, body, length: whole.len() }))
}

/// Splits the frame at the front off `input`, or leaves it untouched and returns `None` until all of it is there.
///
/// # Errors
/// As [`first`].
pub fn split(input: &mut BytesMut) -> Result<Option<Frame>, Error> {
    let Some(FrameRef { header, length, .. }) = first(input)? else {
        return Ok(None);
    };
    let mut whole = input.split_to(length).freeze();
    let body = whole.split_off(HEADER_BYTES);
    Ok(Some(Frame { header, body }))
}

/// Checks as much of magic, version and length as has arrived; the length has.
fn check_start(input: &[u8], length: usize) -> Result<(), Error> {
    let magic = input.get(4..).unwrap_or_default();
    let magic = magic.get(..MAGIC.len()).unwrap_or(magic);
    if !MAGIC.starts_with(magic) {
        return Err(Error::NotAFrame(greeting::describe(input)));
    }
    if let Some(version) = input.get(6).filter(|version| **version != VERSION) {
        return Err(Error::Version(*version));
    }
    if (HEADER_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Ok(());
    }
    // A length out of range before the magic arrived is more likely no length at all.
    if magic.len() < MAGIC.len() {
        return Err(Error::NotAFrame(greeting::describe(input)));
    }
    Err(Error::Length(length))
}

fn read_header(head: &[u8]) -> Result<Header, Error> {
    let mut input = Reader::new(head);
    let _length_magic_version: [u8; 7] = input.array()?;
    let (opcode_code, request_id, deadline_ms) = (input.u8()?, input.u64()?, input.u32()?);
    let (flags, status_code, reserved) = (input.u8()?, input.u8()?, input.u16()?);
    if flags & !FLAG_REPLY != 0 || reserved != 0 {
        let reason = format!(
            "flags {flags:#04x}, reserved {reserved:#06x}: only bit 0 of the flags is known"
        );
        return Err(Error::NotAFrame(reason));
    }
    let is_reply = flags & FLAG_REPLY != 0;
    Ok(Header { opcode_code, request_id, deadline_ms, is_reply, status_code })
}

/// Appends a frame whose body is what `body` writes.
///
/// # Errors
/// [`Error::Length`] when the frame would pass [`FRAME_BYTES_MAX`]; `out` is then as it was.
pub fn write(
    out: &mut Vec<u8>,
    header: Header,
    body: impl FnOnce(&mut Writer<'_>),
) -> Result<(), Error> {
    let start = out.len();
    let mut writer = Writer::new(out);
    writer.u32(0).bytes(&MAGIC).u8(VERSION).u8(header.opcode_code);
    writer.u64(header.request_id).u32(header.deadline_ms);
    writer.u8(u8::from(header.is_reply) * FLAG_REPLY).u8(header.status_code).u16(0);
    body(&mut writer);
    let length = writer.position() - start;
    match u32::try_from(length) {
        Ok(whole) if length <= FRAME_BYTES_MAX => {
            writer.patch_u32(start, whole);
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(Error::Length(length))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(request_id: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, Header::request(Opcode::Ping, request_id, 250), |out| {
            out.bytes(b"body");
        })
        .expect("short");
        out
    }

    #[test]
    fn frames_are_split_off_in_order_and_only_when_whole() {
        let bytes = [ping(1), ping(2)].concat();
        let mut input = BytesMut::new();
        let mut seen = Vec::new();
        for byte in bytes {
            input.extend_from_slice(&[byte]);
            while let Some(frame) = split(&mut input).expect("these are frames") {
                assert_eq!((frame.body(), frame.header().deadline_ms), (&b"body"[..], 250));
                assert_eq!(frame.header().opcode(), Some(Opcode::Ping));
                seen.push(frame.header().request_id);
            }
        }
        assert_eq!((seen, input.len()), (vec![1, 2], 0));
    }

    #[test]
    fn other_protocols_are_recognised_by_their_first_bytes() {
        for (bytes, part) in [
            (&b"GET / HTTP/1.1\r\n"[..], "HTTP; health and metrics are on the admin port"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
            (b"\x16\x03\x01\x00\xc8\x01", "TLS"),
            (b"*1\r\n$4\r\nPING\r\n", "RESP"),
            (b"PING\r\n", "RESP"),
            (b"SSH-2.0-OpenSSH_9", "SSH"),
            (b"\xff\xff\xff\xff", "begins with ff ff ff ff"),
            (b"\x20\x00\x00\x00XY", "begins with 20 00 00 00 58 59"),
        ] {
            let message = first(bytes).expect_err(part).to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn lengths_versions_and_flags_out_of_range_are_refused_from_the_header_alone() {
        let limit = u32::try_from(FRAME_BYTES_MAX).expect("fits");
        for (length, refused) in [
            (0, true),
            (23, true),
            (limit, false),
            (limit + 1, true),
            (u32::MAX / 2, true),
            (u32::MAX, true),
        ] {
            let mut head = ping(1);
            head[..4].copy_from_slice(&length.to_le_bytes());
            assert_eq!(first(&head[..8]).is_err(), refused, "length {length}");
        }
        let mut newer = ping(1);
        newer[6] = 2;
        assert_eq!(first(&newer), Err(Error::Version(2)));
        let mut flagged = ping(1);
        flagged[20] = 2;
        assert!(first(&flagged).is_err_and(|error| error.is_fatal()));
    }

    #[test]
    fn a_frame_above_the_limit_is_not_written() {
        let mut out = ping(1);
        let before = out.clone();
        let header = Header::request(Opcode::Put, 2, 0);
        let written = write(&mut out, header, |out| {
            out.bytes(&vec![0; FRAME_BYTES_MAX]);
        });
        assert_eq!(written, Err(Error::Length(FRAME_BYTES_MAX + HEADER_BYTES)));
        assert_eq!(out, before);
    }
}
