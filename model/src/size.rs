//! Sizes as people write them: 512MiB, 1.5GB, 2 GiB, 1073741824.

/// The units, longest first among those that end alike.
const UNITS: [(&str, u64); 13] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("b", 1),
];

/// Most digits behind the point: more than any byte of a unit needs.
const PLACES_MAX: usize = 12;

/// Bytes of a size: digits, perhaps a point and more digits, perhaps a unit. Parts of a byte are cut off.
///
/// # Errors
/// What is wrong with it, and how sizes are written.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{text}` is no size: write bytes, or a number with KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB, TB \
             (of 1000), like 512MiB or 1.5GB"
        )
    };
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)));
    let (number, unit) = unit.unwrap_or((&lower, 1));
    let number = number.trim_end();
    let (whole, places) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(places) || places.len() > PLACES_MAX {
        return Err(wrong());
    }
    let too_large = || format!("`{text}` is too large: at most {} bytes", u64::MAX);
    let whole: u128 = whole.parse().map_err(|_| too_large())?;
    let part: u128 = places.parse().map_err(|_| wrong())?;
    let part = part * u128::from(unit) / 10_u128.pow(u32::try_from(places.len()).unwrap_or(0));
    let bytes = whole.checked_mul(u128::from(unit)).and_then(|bytes| bytes.checked_add(part));
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(too_large)
}

/// A size with the largest unit that it is a whole number of: 50GiB, 1500B.
#[must_use]
pub fn format(bytes: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = |(unit, _): &(u64, &str)| bytes >= *unit && bytes.is_multiple_of(*unit);
    let (unit, name) = units.into_iter().find(fits).unwrap_or((1, "B"));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("1073741824", 1 << 30),
            ("512MiB", 512 << 20),
            ("2GiB", 2 << 30),
            ("2 gib", 2 << 30),
            ("2g", 2 << 30),
            ("1.5GB", 1_500_000_000),
            ("1.5GiB", 3 << 29),
            ("0.1KiB", 102),
            ("7b", 7),
            (" 64MB ", 64_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_told_with_what_is_one() {
        for text in
            ["", "GiB", "-1", "1,5GB", ".5GB", "1.GB", "1e9", "2GiBs", "0x10", "1.0000000000001GB"]
        {
            let error = parse(text).expect_err(text);
            assert!(error.contains(text) && error.contains("512MiB"), "{error}");
        }
        for text in ["18446744073709551616", "99999999999TiB", "9".repeat(60).as_str()] {
            assert!(parse(text).expect_err(text).contains("too large"), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_so_that_they_read_back() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (50 << 30, "50GiB"), (3 << 29, "1536MiB")]
        {
            assert_eq!(format(bytes), text);
            assert_eq!(parse(text), Ok(bytes));
        }
    }
}
