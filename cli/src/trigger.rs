//! Limits in time and bytes after which something is done: checkpoints by themselves (`--checkpoint-every 5m|off`,
//! `--checkpoint-wal 256MiB|off`), giving up a batch (`--retry-for 1m`).

use std::time::Duration;

use model::time::parse_span;

use crate::size;

/// Shorter than this a checkpoint would be due while the last one is still being written.
const INTERVAL_MS_MIN: u64 = 1000;
/// Less than this is not worth a snapshot.
const LOG_BYTES_MIN: u64 = 1 << 20;
/// Whoever waits longer for a server to stop has forgotten it.
const DRAIN_MS_MAX: u64 = 3_600_000;

/// Shorter than the first a few requests are too many; longer than the second nobody waits.
const WAIT_US: std::ops::RangeInclusive<u64> = 100..=10_000_000;
/// With the first every request is slow, with the second none.
const SLOW_US: std::ops::RangeInclusive<u64> = 1..=3_600_000_000;

/// A limit at which a checkpoint is due; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trigger(pub(crate) Option<u64>);

/// How long something is tried again.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    let ms = parse_span(text).ok().and_then(|ms| u64::try_from(ms).ok());
    ms.filter(|ms| *ms >= INTERVAL_MS_MIN)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no time to wait: write 10s, 1m or 1h, 1s at least"))
}

/// How long a server that stops waits for requests in flight.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn drain(text: &str) -> Result<Duration, String> {
    let ms = parse_span(text).ok().and_then(|ms| u64::try_from(ms).ok());
    ms.filter(|ms| *ms <= DRAIN_MS_MAX)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no time to drain: write 5s or 1m, 1h at most"))
}

/// How long requests may wait for a busy thread.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    micros(text)
        .filter(|us| WAIT_US.contains(us))
        .map(Duration::from_micros)
        .ok_or_else(|| format!("`{text}` is no time to wait: write 500us or 2ms, 100us to 10s"))
}

/// From when on a request is slow.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn slow(text: &str) -> Result<Duration, String> {
    micros(text).filter(|us| SLOW_US.contains(us)).map(Duration::from_micros).ok_or_else(|| {
        format!("`{text}` is no time after which a request is slow: write 500us or 10ms, 1us to 1h")
    })
}

/// A time down to microseconds.
fn micros(text: &str) -> Option<u64> {
    let micros = text.strip_suffix("us").and_then(|number| number.parse().ok());
    let span = || u64::try_from(parse_span(text).ok()?).ok()?.checked_mul(1000);
    micros.or_else(span)
}

/// The time between checkpoints, in ms.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn interval(text: &str) -> Result<Trigger, String> {
    if text == "off" {
        return Ok(Trigger(None));
    }
    let allowed = "write a time like 30s, 5m or 1h, 1s at least, or off";
    let ms = parse_span(text).ok().and_then(|ms| u64::try_from(ms).ok());
    let ms = ms.ok_or_else(|| format!("`{text}` is no time: {allowed}"))?;
    if ms < INTERVAL_MS_MIN {
        return Err(format!("`{text}` is too short: {allowed}"));
    }
    Ok(Trigger(Some(ms)))
}

/// Bytes of log between checkpoints.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn log_bytes(text: &str) -> Result<Trigger, String> {
    if text == "off" {
        return Ok(Trigger(None));
    }
    let bytes = size::parse(text).map_err(|error| format!("{error}; or off"))?;
    if bytes < LOG_BYTES_MIN {
        return Err(format!("{bytes} bytes are too little: give 1MiB or more, or off"));
    }
    Ok(Trigger(Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_off_is_none() {
        assert_eq!(interval("5m"), Ok(Trigger(Some(300_000))));
        assert_eq!(log_bytes("256MiB"), Ok(Trigger(Some(256 << 20))));
        assert_eq!((interval("off"), log_bytes("off")), (Ok(Trigger(None)), Ok(Trigger(None))));
    }

    #[test]
    fn waits_are_read_down_to_microseconds() {
        for (text, us) in [("100us", 100), ("500us", 500), ("2ms", 2000), ("1s", 1_000_000)] {
            assert_eq!(wait(text), Ok(Duration::from_micros(us)));
        }
        for text in ["", "5", "99us", "0ms", "11s", "-1ms"] {
            assert!(wait(text).expect_err(text).contains("500us"), "{text}");
        }
        assert_eq!(
            (slow("1us"), slow("1h")),
            (Ok(Duration::from_micros(1)), Ok(Duration::from_secs(3600)))
        );
        for text in ["10", "0ms", "0us", "2h", "-10ms"] {
            assert!(slow(text).expect_err(text).contains("10ms"), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        for text in ["", "5", "0s", "never", "10ms", "-5m"] {
            let error = interval(text).expect_err(text);
            assert!(error.contains("5m") && error.contains("off"), "{error}");
        }
        for text in ["", "lots", "1KiB", "-1", "0"] {
            let error = log_bytes(text).expect_err(text);
            assert!(error.contains("MiB") && error.contains("off"), "{error}");
        }
    }
}
