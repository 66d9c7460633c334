//! A log of one MiB, every bit of it flipped in turn: 8.4 million images, each judged by the functions that recovery uses.
//!
//! To read each image from its start would take days. But what stands before the flipped bit is as it was, so recovery reaches the
//! batch with that bit in a position that is known from the undamaged log; there it must find no valid batch. What stands behind
//! the batch is as it was too, so the proof that the batch had been synced is the same for all of its bits: it is looked for once,
//! in the next batch alone, because more bytes can only add to it.

use stdx::prng::Prng;

use super::{
    batch,
    reader::{self, Position},
    segment::{BATCHES_AT, Header},
};

/// Bytes of batches.
const LOG_BYTES: usize = 1 << 20;
/// Bytes of the records in one batch, at most.
const RECORDS_BYTES_MAX: u64 = 200;

/// A batch of the undamaged log, and where the log stands before it.
struct Placed {
    at: usize,
    before: Position,
}

/// A log of batches of random lengths, each synced before the next was built, with a seal at the end.
fn log(header: &Header) -> (Vec<u8>, Vec<Placed>) {
    let mut prng = Prng::new(1);
    let mut bytes = header.encode();
    bytes.resize(BATCHES_AT, 0);
    let mut placed = Vec::new();
    let mut now = Position { last_lsn: header.first_lsn - 1, previous: header.checksum() };
    loop {
        let is_seal = bytes.len() >= BATCHES_AT + LOG_BYTES;
        let mut records = Vec::new();
        if !is_seal {
            let payload: Vec<u8> = (0..prng.below(RECORDS_BYTES_MAX))
                .map(|_| prng.next_u64().to_le_bytes()[0])
                .collect();
            batch::push_record(&mut records, 1, &payload);
        }
        let head = batch::Head {
            salt: header.salt,
            first_lsn: now.last_lsn + 1,
            count: u32::from(!is_seal),
            durable_before: now.last_lsn,
            previous: now.previous,
        };
        let (encoded, checksum) = batch::encode(&head, &records);
        placed.push(Placed { at: bytes.len(), before: now });
        bytes.extend_from_slice(&encoded);
        if is_seal {
            return (bytes, placed);
        }
        now = Position { last_lsn: now.last_lsn + 1, previous: checksum };
    }
}

#[test]
fn every_flipped_bit_of_a_mebibyte_of_acknowledged_records_is_noticed() {
    let header = Header { cluster: 1, salt: 2, first_lsn: 1, previous: 0 };
    let (mut bytes, placed) = log(&header);
    let mut images = 0_u64;
    for bit in 0..header.encode().len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(Header::decode("f", &bytes), Ok(None)), "bit {bit} of the header");
        bytes[bit / 8] ^= 1 << (bit % 8);
        images += 1;
    }
    let end = |index: usize| placed.get(index).map_or(bytes.len(), |next| next.at);
    let ends: Vec<_> = (1..placed.len()).map(|index| (end(index), end(index + 1))).collect();
    for (Placed { at, before }, (end, next_end)) in placed.iter().zip(&ends) {
        let proof = reader::proof(&header, &bytes[*end..*next_end], before.last_lsn);
        assert!(proof.is_some_and(|(last_lsn, _)| last_lsn > before.last_lsn), "at byte {at}");
        for bit in at * 8..end * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(reader::next(&header, &bytes[*at..], before).is_none(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
            images += 1;
        }
    }
    assert!(images > 8 * LOG_BYTES as u64);
    println!("{images} images of {} batches: all refused", placed.len());
}
