//! Hops of windows: the width of the tiles at their tail, at most two levels in a group.

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// The hops that defaults are chosen from; each divides the next.
const LADDER_MS: [i64; 9] = [
    SECOND_MS,
    5 * SECOND_MS,
    15 * SECOND_MS,
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
];

/// The shortest window: one hop.
pub(super) const WINDOW_MS_MIN: i64 = SECOND_MS;
/// Windows below it share the fine level, the others the coarse one.
const COARSE_FROM_MS: i64 = 6 * HOUR_MS;
/// A hop is at most this part of its window: 5 %.
const WINDOW_PER_HOP_MIN: i64 = 20;

/// The hop of each window, in order: for each the largest of the ladder within 5 % of it (at least 1 s); then each level
/// uses the smallest that one of its windows asks for.
pub(super) fn defaults(windows_ms: &[i64]) -> Vec<i64> {
    let wanted = |window: i64| {
        let fits = |hop: &&i64| **hop * WINDOW_PER_HOP_MIN <= window;
        LADDER_MS.iter().rev().find(fits).copied().unwrap_or(SECOND_MS)
    };
    let is_coarse = |window: i64| window >= COARSE_FROM_MS;
    let level = |coarse: bool| {
        let of_level = windows_ms.iter().filter(|window| is_coarse(**window) == coarse);
        of_level.map(|window| wanted(*window)).min().unwrap_or(SECOND_MS)
    };
    let (fine, coarse) = (level(false), level(true));
    windows_ms.iter().map(|window| if is_coarse(*window) { coarse } else { fine }).collect()
}

/// Checks hops given by the user, one for each window.
///
/// # Errors
/// What is wrong and what is allowed.
pub(super) fn check(hops_ms: &[i64], windows_ms: &[i64]) -> Result<(), String> {
    if hops_ms.len() != windows_ms.len() {
        return Err(format!(
            "{} hops for {} windows; give one for each",
            hops_ms.len(),
            windows_ms.len()
        ));
    }
    if hops_ms.iter().zip(windows_ms).any(|(hop, window)| hop > window) {
        return Err("a hop is longer than its window; it must not be".to_owned());
    }
    let mut levels = hops_ms.to_vec();
    levels.sort_unstable();
    levels.dedup();
    match levels.as_slice() {
        [] | [_] => Ok(()),
        [fine, coarse] if coarse % fine == 0 => Ok(()),
        [_, _] => Err("the larger hop is no multiple of the smaller; it must be".to_owned()),
        more => Err(format!("{} different hops; a group has at most two", more.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{format_span, parse_span};

    fn hops(windows: &str) -> String {
        let windows: Vec<_> = windows.split(' ').map(|w| parse_span(w).expect(w)).collect();
        let hops: Vec<_> = defaults(&windows).into_iter().map(format_span).collect();
        hops.join(" ")
    }

    #[test]
    fn default_hops_are_five_percent_on_two_levels() {
        for (windows, expected) in [
            ("1s", "1s"),
            ("10s", "1s"),
            ("20s", "1s"),
            ("100s", "5s"),
            ("5m", "15s"),
            ("1h", "1m"),
            ("5m 1h", "15s 15s"),
            ("5h", "15m"),
            ("6h", "15m"),
            ("24h", "1h"),
            ("7d", "6h"),
            ("20d", "24h"),
            ("24h 7d 30d 365d", "1h 1h 1h 1h"),
            ("5m 1h 24h 7d", "15s 15s 1h 1h"),
            ("30d 365d", "24h 24h"),
        ] {
            assert_eq!(hops(windows), expected, "{windows}");
        }
    }

    #[test]
    fn fine_default_hops_divide_coarse_ones() {
        for fine in LADDER_MS {
            for coarse in LADDER_MS.into_iter().filter(|coarse| *coarse >= fine) {
                assert_eq!(coarse % fine, 0);
            }
        }
    }
}
