//! Several requests in one piece of input: before the first of them is answered, the memory of the next ones is looked at, since a processor
//! waits for many places at once in the time that it waits for one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use protocol::{
    Opcode,
    frame::{self, FrameRef},
};
use smallvec::SmallVec;

use crate::{handler, session::Session, shared::Shared};

/// Requests that are looked at together: what reading them takes fits a core's nearest cache.
const TOGETHER: usize = 16;

/// Bodies of small reads at most; of longer ones the keys are looked for together in any case.
const BODY_BYTES: usize = 512;

/// How far was looked ahead.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Requests that are answered before the next look.
    left: usize,
}

impl Ahead {
    /// `first`, at the front of `input`, is about to be answered; true when that had to wait for a look.
    pub(crate) fn passes(
        &mut self,
        (shared, session): (&Shared, &mut Session),
        first: &FrameRef<'_>,
        input: &[u8],
    ) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        // Of a request that came alone there is nothing to gain: it is answered next.
        let is_one_of_many = input.len() > first.length;
        if is_one_of_many {
            self.left = look(shared, session, input);
        }
        is_one_of_many
    }
}

/// Looks at the memory of the requests in front of `input`; how many were passed beside the first.
fn look(shared: &Shared, session: &mut Session, input: &[u8]) -> usize {
    let (bodies, passed) = reads(input);
    if bodies.len() > 1 {
        // It is a hint: what stands in its way stands in the way of a request, which says so.
        let looks = || handler::read::look_ahead(shared, session, &bodies);
        let _ = catch_unwind(AssertUnwindSafe(looks));
    }
    passed.saturating_sub(1)
}

/// The bodies of small reads among the first whole requests of `input`, and how many requests those are.
fn reads(input: &[u8]) -> (SmallVec<[&[u8]; TOGETHER]>, usize) {
    let (mut bodies, mut passed, mut rest) = (SmallVec::new(), 0, input);
    while passed < TOGETHER {
        let Ok(Some(frame)) = frame::first(rest) else { break };
        passed += 1;
        if frame.header.opcode() == Some(Opcode::Read) && frame.body.len() <= BODY_BYTES {
            bodies.push(frame.body);
        }
        rest = rest.get(frame.length..).unwrap_or_default();
    }
    (bodies, passed)
}

#[cfg(test)]
mod tests {
    use protocol::Header;

    use super::*;

    fn request(opcode: Opcode, body: u8, into: &mut Vec<u8>) {
        let header = Header::request(opcode, 1, 0);
        frame::write(into, header, |out| {
            out.u8(body);
        })
        .expect("it is small");
    }

    #[test]
    fn whole_requests_are_passed_and_reads_among_them_looked_at() {
        let mut input = Vec::new();
        assert_eq!(reads(&input), (SmallVec::new(), 0));
        request(Opcode::Read, 7, &mut input);
        request(Opcode::Ping, 8, &mut input);
        request(Opcode::Read, 9, &mut input);
        let whole = input.len();
        request(Opcode::Read, 10, &mut input);
        let [seven, nine]: [&[u8]; 2] = [&[7], &[9]];
        for end in whole..input.len() {
            let (bodies, passed) = reads(&input[..end]);
            assert_eq!((bodies.as_slice(), passed), ([seven, nine].as_slice(), 3));
        }
        let header = Header::request(Opcode::Read, 1, 0);
        let long = frame::write(&mut input, header, |out| {
            out.bytes(&[0; BODY_BYTES + 1]);
        });
        long.expect("it is small enough");
        for _ in 0..TOGETHER {
            request(Opcode::Read, 11, &mut input);
        }
        let (bodies, passed) = reads(&input);
        assert_eq!((bodies.len(), passed), (TOGETHER - 2, TOGETHER), "one is no read, one is long");
    }
}
