//! A stream of frames from bytes: how many come at once, then the bytes. However they are cut, the same frames are found.

use bytes::BytesMut;
use protocol::{CallStatus, Failure, Header, Opcode, frame};

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Some((&step, bytes)) = input.split_first() else { return };
    let (mut received, mut pieces) = (BytesMut::new(), Vec::new());
    let mut broken = None;
    for piece in bytes.chunks(usize::from(step).max(1)) {
        received.extend_from_slice(piece);
        broken = split(&mut received, &mut pieces);
        if broken.is_some() {
            break;
        }
    }
    let (mut whole, mut at_once) = (BytesMut::from(bytes), Vec::new());
    let is_broken = split(&mut whole, &mut at_once).is_some();
    assert_eq!(broken.is_some(), is_broken, "cut into pieces of {step}");
    assert_eq!(pieces, at_once, "cut into pieces of {step}");
    assert!(received.capacity() <= 4 * bytes.len() + 1024, "room for what is not there");
}

/// Splits off what is whole; the error of what is no frame.
fn split(input: &mut BytesMut, found: &mut Vec<(Header, Vec<u8>)>) -> Option<protocol::Error> {
    loop {
        let before = input.to_vec();
        match frame::split(input) {
            Ok(None) => return None,
            Err(error) => {
                assert!(error.is_fatal() && error.to_string().len() < 1000, "{error}");
                return Some(error);
            }
            Ok(Some(frame)) => {
                let (header, body) = (frame.header(), frame.body());
                let mut again = Vec::new();
                let wrote = frame::write(&mut again, header, |out| {
                    out.bytes(body);
                });
                wrote.expect("it was a frame");
                assert_eq!(before.get(..again.len()), Some(&again[..]), "another frame");
                if let Some(status) = header.status().filter(|_| header.is_reply) {
                    let _ = Failure::decode(status, body);
                }
                found.push((header, body.to_vec()));
            }
        }
    }
}

/// Requests and replies, one after the other, in pieces of several lengths.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let write = |out: &mut Vec<u8>, header, body: &[u8]| {
        let wrote = frame::write(out, header, |out| {
            out.bytes(body);
        });
        wrote.expect("small");
    };
    let mut stream = Vec::new();
    for (opcode, body) in
        [(Opcode::Ping, &b""[..]), (Opcode::Read, b"body"), (Opcode::Put, &[7; 90])]
    {
        let header = Header::request(opcode, 5, 100);
        write(&mut stream, header, body);
        write(&mut stream, header.reply(CallStatus::Ok), body);
        let failure = Failure { status: CallStatus::Invalid, detail: 3, message: "why".into() };
        let mut told = Vec::new();
        failure.encode(&mut stdx::cursor::Writer::new(&mut told));
        write(&mut stream, header.reply(failure.status), &told);
    }
    [1, 7, 255].map(|step| [&[step][..], &stream].concat()).to_vec()
}
