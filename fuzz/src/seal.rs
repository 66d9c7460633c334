//! Makes checksums fit to hostile bytes, so that what stands behind them is reached. Written from the documents in
//! `docs/formats/`, not from the code that is tested.

use stdx::checksum::crc64;

/// Where a segment's batches begin.
pub(crate) const BATCHES_AT: usize = 4096;
/// Bytes of a block of a snapshot.
const BLOCK_BYTES: usize = 64 << 10;

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    if let Some(to) = bytes.get_mut(at..at + 8) {
        to.copy_from_slice(&number.to_le_bytes());
    }
}

/// Has the last 8 bytes be the checksum of those before.
pub(crate) fn manifest(bytes: &mut [u8]) {
    let end = bytes.len().saturating_sub(8);
    let sum = crc64(0, &[&bytes[..end]]);
    put(bytes, end, sum);
}

/// Header and batches of a segment: checksums, and with `chained` the links between batches.
pub(crate) fn segment(bytes: &mut [u8], chained: bool) {
    if bytes.len() < 64 {
        return;
    }
    let mut previous = crc64(0, &[&bytes[..56]]);
    put(bytes, 56, previous);
    let salt = u64_at(bytes, 32).unwrap_or(0);
    let mut at = BATCHES_AT;
    while let Some(batch) = bytes.get_mut(at..).filter(|batch| batch.starts_with(b"LBAT")) {
        let length = u32_at(batch, 4).map_or(0, |length| length as usize);
        let Some(batch) = batch.get_mut(..length).filter(|batch| batch.len() >= 48) else { return };
        if chained {
            put(batch, 40, previous);
        }
        previous = crc64(salt, &[&batch[16..]]);
        put(batch, 8, previous);
        at += length;
    }
}

/// Header, blocks and footer of a snapshot. Its length and the checksum of its footer, as a manifest names them.
pub(crate) fn snapshot(bytes: &mut [u8]) -> (u64, u64) {
    let length = bytes.len() as u64;
    let Some(footer) = bytes.len().checked_sub(48).filter(|at| *at >= 64) else {
        return (length, 0);
    };
    let sum = crc64(0, &[&bytes[..56]]);
    put(bytes, 56, sum);
    let salt = u64_at(bytes, 40).unwrap_or(0);
    put(bytes, footer + 16, salt);
    let body = u64_at(bytes, footer + 24).and_then(|body| usize::try_from(body).ok()).unwrap_or(0);
    let body = body.min(footer);
    for block in 0..body.div_ceil(BLOCK_BYTES) {
        let (start, end) = (block * BLOCK_BYTES, ((block + 1) * BLOCK_BYTES).min(body));
        let sum = crc64(salt.wrapping_add(block as u64), &[&bytes[start..end]]);
        if body + block * 8 + 8 <= footer {
            put(bytes, body + block * 8, sum);
        }
    }
    let sum = crc64(salt, &[&bytes[body..footer + 40]]);
    put(bytes, footer + 40, sum);
    (length, sum)
}
