//! The laws of every summary, as tests: any order and grouping gives the same bytes, and no input bytes do harm.

use stdx::prng::Prng;

/// `LARDER_SEED`, to replay a failure, else a fixed one.
pub(crate) fn seed() -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121)
}

/// Checks that `write` gives the same bytes for `events` in every order and grouping tried.
///
/// `write` updates a new summary with events, merges bytes into it, and returns what it writes.
pub(crate) fn assert_order_free<E: Clone>(
    name: &str,
    events: &[E],
    rounds: usize,
    write: impl Fn(&[E], &[Vec<u8>]) -> Vec<u8>,
) {
    let seed = seed();
    let mut prng = Prng::stream(seed, name);
    let expected = write(events, &[]);
    let mut events = events.to_vec();
    for round in 0..rounds {
        prng.shuffle(&mut events);
        let merged = grouped(&mut prng, &events, 3, &write);
        assert!(merged == expected, "LARDER_SEED={seed}: {name}, round {round}");
    }
}

/// Writes some events directly and the others by way of summaries of their own, which do likewise.
fn grouped<E>(
    prng: &mut Prng,
    events: &[E],
    depth: u64,
    write: &impl Fn(&[E], &[Vec<u8>]) -> Vec<u8>,
) -> Vec<u8> {
    let length = events.len() as u64 + 1;
    let (direct, mut rest) = events.split_at(usize::try_from(prng.below(length)).expect("small"));
    if depth == 0 {
        return write(events, &[]);
    }
    let mut parts = Vec::new();
    for _ in 0..prng.below(6) {
        let length = rest.len() as u64 + 1;
        let (part, others) = rest.split_at(usize::try_from(prng.below(length)).expect("small"));
        parts.push(grouped(prng, part, depth - 1, write));
        rest = others;
    }
    parts.push(grouped(prng, rest, depth - 1, write));
    prng.shuffle(&mut parts);
    write(direct, &parts)
}

/// Checks that `rewrite` survives truncations, flipped bits and random bytes, and that whatever it accepts is a state
/// with one form: writing it, reading that and writing again changes nothing.
///
/// `rewrite` merges bytes into a new summary and returns what that writes, or `None` when they are refused.
pub(crate) fn assert_safe_from_bytes(
    name: &str,
    valid: &[Vec<u8>],
    rewrite: impl Fn(&[u8]) -> Option<Vec<u8>>,
) {
    let seed = seed();
    let mut prng = Prng::stream(seed, name);
    let check = |bytes: &[u8]| {
        if let Some(written) = rewrite(bytes) {
            assert_eq!(
                rewrite(&written).as_ref(),
                Some(&written),
                "LARDER_SEED={seed}: {name} {bytes:?}"
            );
        }
    };
    for valid in valid {
        assert_eq!(rewrite(valid).as_ref(), Some(valid), "{name}");
        for length in 0..valid.len() {
            check(&valid[..length]);
        }
        for bit in 0..valid.len() * 8 {
            let mut flipped = valid.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            check(&flipped);
        }
    }
    for _ in 0..20_000 {
        let length = prng.below(40);
        // Small bytes are lengths and flags, large ones go on: both must be frequent.
        let mask = [0x03, 0x7f, 0xff][usize::try_from(prng.below(3)).expect("small")];
        let byte = |prng: &mut Prng| prng.next_u64().to_le_bytes()[0] & mask;
        let bytes: Vec<u8> = (0..length).map(|_| byte(&mut prng)).collect();
        check(&bytes);
    }
}
