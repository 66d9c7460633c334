//! Event times and spans: i64 milliseconds since the epoch, UTC. No clock here.

use crate::{Error, limits::SPAN_MS_MAX};

/// Milliseconds of one second, minute, hour, day.
pub const SECOND_MS: i64 = 1000;
/// See [`SECOND_MS`].
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// See [`SECOND_MS`].
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// See [`SECOND_MS`].
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The largest multiple of `step` that is not above `time`, for negative times too. `step` is above 0.
#[must_use]
#[inline]
pub fn floor_to(time: i64, step: i64) -> i64 {
    time.div_euclid(step) * step
}

/// Reads a span such as `250ms`, `5s`, `15m`, `24h`, `7d`, in milliseconds.
///
/// # Errors
/// [`Error::Invalid`] says how spans are written.
pub fn parse_span(text: &str) -> Result<i64, Error> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(SECOND_MS),
        "m" => Some(MINUTE_MS),
        "h" => Some(HOUR_MS),
        "d" => Some(DAY_MS),
        _ => None,
    };
    unit_ms
        .zip(digits.parse::<i64>().ok())
        .and_then(|(unit, count)| count.checked_mul(unit))
        .filter(|span| (1..=SPAN_MS_MAX).contains(span))
        .ok_or_else(|| {
            Error::invalid(
                "duration",
                text,
                "a whole number and ms, s, m, h or d, from 1ms to 36600d",
            )
        })
}

/// Writes a span the shortest way [`parse_span`] reads it.
#[must_use]
pub fn format_span(span_ms: i64) -> String {
    for (unit_ms, unit) in [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s")] {
        // 24h stays 24h: a day is written in hours until there are two of them.
        let reached = if unit_ms == DAY_MS { span_ms >= 2 * DAY_MS } else { span_ms >= unit_ms };
        if reached && span_ms % unit_ms == 0 {
            return format!("{}{unit}", span_ms / unit_ms);
        }
    }
    format!("{span_ms}ms")
}

/// Writes `time` as RFC 3339 in UTC with milliseconds when there are any: `2009-03-22T09:30:00Z`.
#[must_use]
pub fn format_timestamp(time: i64) -> String {
    let (days, ms) = (time.div_euclid(DAY_MS), time.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    let (seconds, fraction) = (ms / 1000, ms % 1000);
    let sign = if year < 0 { "-" } else { "" };
    let mut text = format!(
        "{sign}{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        year.abs(),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if fraction != 0 {
        text.push_str(&format!(".{fraction:03}"));
    }
    text.push('Z');
    text
}

/// Reads an RFC 3339 time (`2009-03-22T09:30:00Z`, an offset or fraction allowed, a space instead of `T` too, a bare
/// date meaning its midnight) or a whole number of milliseconds since the epoch. Digits below the millisecond are cut off.
///
/// # Errors
/// [`Error::Invalid`] says how times are written.
pub fn parse_timestamp(text: &str) -> Result<i64, Error> {
    text.parse::<i64>().ok().or_else(|| parse_rfc3339(text)).ok_or_else(|| {
        let allowed = "RFC 3339 such as 2009-03-22T09:30:00Z, or milliseconds since 1970-01-01";
        Error::invalid("timestamp", text, allowed)
    })
}

fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    if rest.is_empty() {
        return days.checked_mul(DAY_MS);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let mut part = |max: i64| digits(parts.next()?, 2).filter(|value| *value <= max);
    let (hour, minute, second) = (part(23)?, part(59)?, part(59)?);
    let (fraction_ms, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (places, zone) = rest.split_at(end);
            let shown: String = places.chars().chain("00".chars()).take(3).collect();
            (if places.is_empty() { None } else { shown.parse::<i64>().ok() }?, zone)
        }
    };
    let offset_ms = parse_zone(zone)?;
    let clock_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    Some(days * DAY_MS + clock_ms - offset_ms)
}

/// `Z`, nothing (UTC), or `±HH:MM` in milliseconds.
fn parse_zone(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z" | "") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours <= 23)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes <= 59)?;
    Some(sign * (hours * HOUR_MS + minutes * MINUTE_MS))
}

fn parse_date(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2).filter(|month| (1..=12).contains(month))?;
    let day = digits(parts.next()?, 2).filter(|day| (1..=31).contains(day))?;
    let days = days_from_civil(year, month, day);
    // 30 February and its kin come back as another day.
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// Exactly `count` ASCII digits as a number.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Days since 1970-01-01 of a proleptic Gregorian date; year 0 is 1 BC. Method: Howard Hinnant, "chrono-compatible
/// low-level date algorithms".
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month (1 to 12) and day of a number of days since 1970-01-01: the inverse of [`days_from_civil`].
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_go_down_below_zero_too() {
        assert_eq!([floor_to(7, 5), floor_to(-1, 5), floor_to(-5, 5)], [5, -5, -5]);
    }

    #[test]
    fn spans_round_trip_and_bad_ones_say_how() {
        for (text, ms) in
            [("250ms", 250), ("5s", 5000), ("90m", 5_400_000), ("24h", DAY_MS), ("7d", 7 * DAY_MS)]
        {
            assert_eq!(parse_span(text), Ok(ms));
            assert_eq!(format_span(ms), text);
        }
        for bad in ["", "5", "m", "-1s", "0s", "1.5h", "99999999d", "5 m"] {
            assert!(parse_span(bad).expect_err(bad).to_string().contains("36600d"));
        }
    }

    #[test]
    fn timestamps_round_trip() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2009-03-22T09:30:00Z", 1_237_714_200_000),
            ("2000-02-29T23:59:59.007Z", 951_868_799_007),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(parse_timestamp(text), Ok(ms), "{text}");
            assert_eq!(format_timestamp(ms), text);
        }
        assert_eq!(parse_timestamp("2009-03-22T10:30:00+01:00"), Ok(1_237_714_200_000));
        assert_eq!(parse_timestamp("2009-03-22 09:30:00.5"), Ok(1_237_714_200_500));
        assert_eq!(parse_timestamp("2009-03-22"), Ok(1_237_680_000_000));
        assert_eq!(parse_timestamp("-17"), Ok(-17));
        for bad in ["", "yesterday", "2009-02-30", "2009-03-22T25:00:00Z", "2009-03-22T09:30:00+1"]
        {
            assert!(parse_timestamp(bad).is_err(), "{bad}");
        }
    }
}
