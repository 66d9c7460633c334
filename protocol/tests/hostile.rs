//! Bytes that nobody should send: truncated, overlong, counted wrongly, random. Every one is an error or a value, never a
//! panic, and no count makes room for what is not there (the largest would need terabytes).

mod samples;

use bytes::BytesMut;
use protocol::frame;
use stdx::prng::{Prng, seed_from_os};

fn seed() -> u64 {
    std::env::var("LARDER_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(seed_from_os)
}

#[test]
fn every_truncation_of_a_body_is_refused() {
    for sample in samples::all() {
        for length in 0..sample.body().len() {
            let outcome = (sample.again)(&sample.body()[..length]);
            assert!(outcome.is_err(), "{} cut to {length} bytes", sample.name);
        }
    }
}

#[test]
fn every_truncation_of_a_frame_is_awaited() {
    for sample in samples::all() {
        for length in 0..sample.frame.len() {
            let mut input = BytesMut::from(&sample.frame[..length]);
            assert_eq!(frame::split(&mut input), Ok(None), "{} cut to {length}", sample.name);
            assert_eq!(input.len(), length, "nothing is taken before all of it is there");
        }
    }
}

#[test]
fn a_body_with_a_byte_too_many_is_refused() {
    for sample in samples::all() {
        let longer = [sample.body(), &[0]].concat();
        assert!((sample.again)(&longer).is_err(), "{}", sample.name);
    }
}

#[test]
fn counts_and_lengths_that_overflow_are_refused_or_harmless() {
    for sample in samples::all() {
        for position in 0..sample.body().len().saturating_sub(3) {
            for number in [u32::MAX, u32::MAX / 2, 0x0100_0000, 4097] {
                let mut body = sample.body().to_vec();
                body[position..position + 4].copy_from_slice(&number.to_le_bytes());
                if let Ok(again) = (sample.again)(&body) {
                    assert!(again.len() <= body.len(), "{} at {position}", sample.name);
                }
            }
        }
    }
}

#[test]
fn random_damage_never_panics_and_what_decodes_encodes_back() {
    let seed = seed();
    let mut prng = Prng::new(seed);
    for sample in samples::all().iter().filter(|sample| !sample.body().is_empty()) {
        for _ in 0..2_000 {
            let mut body = sample.body().to_vec();
            for _ in 0..=prng.below(3) {
                let position = usize::try_from(prng.below(body.len() as u64)).expect("short");
                body[position] = u8::try_from(prng.below(256)).expect("below 256");
            }
            if let Ok(again) = (sample.again)(&body) {
                let twice = (sample.again)(&again);
                assert_eq!(twice, Ok(again), "{}, LARDER_SEED={seed}", sample.name);
            }
        }
    }
}

#[test]
fn a_hundred_thousand_pipelined_frames_are_split_in_one_pass() {
    let ping = samples::all().into_iter().find(|sample| sample.name == "ping_request");
    let mut input = BytesMut::from(&ping.expect("there is one").frame.repeat(100_000)[..]);
    let mut count = 0;
    while let Some(frame) = frame::split(&mut input).expect("these are frames") {
        assert!(frame.body().is_empty());
        count += 1;
    }
    assert_eq!((count, input.len()), (100_000, 0));
}

#[test]
fn random_bytes_never_panic() {
    let seed = seed();
    let mut prng = Prng::new(seed);
    let samples = samples::all();
    for _ in 0..5_000 {
        let length = prng.below(200);
        let bytes: Vec<_> =
            (0..length).map(|_| u8::try_from(prng.below(256)).expect("below 256")).collect();
        let _frame = frame::split(&mut BytesMut::from(&bytes[..]));
        for sample in &samples {
            let _value = (sample.again)(&bytes);
        }
    }
}
