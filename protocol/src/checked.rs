//! Lengths and counts of bodies: each is checked against its limit and against the bytes that are there before it is used.
//!
//! ```text
//! text, bytes   u32 length, then that many bytes; text is UTF-8
//! short bytes   u16 length, then that many bytes: keys and cursors
//! list          u32 count, then the elements
//! bool          u8: 0 or 1
//! ```

use stdx::cursor::{Reader, Writer};

use crate::Error;

/// Reads a count of elements that take at least `element_bytes` each.
pub(crate) fn count(
    input: &mut Reader<'_>,
    what: &'static str,
    max: usize,
    element_bytes: usize,
) -> Result<usize, Error> {
    let count = input.u32()? as usize;
    if count > max {
        return Err(Error::TooMany { what, count, max });
    }
    if count.checked_mul(element_bytes).is_none_or(|bytes| bytes > input.left()) {
        let left = input.left();
        return Err(Error::Malformed(format!(
            "{count} {what} do not fit into the {left} bytes left"
        )));
    }
    Ok(count)
}

/// Reads a list: a count, then each element.
pub(crate) fn list<'a, T>(
    input: &mut Reader<'a>,
    (what, max, element_bytes): (&'static str, usize, usize),
    mut element: impl FnMut(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let count = count(input, what, max, element_bytes)?;
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(element(input)?);
    }
    Ok(elements)
}

/// Writes the count of a list.
///
/// # Panics
/// When it passes 2^32: every list has a far lower limit.
pub(crate) fn write_count(out: &mut Writer<'_>, count: usize) {
    let Ok(count) = u32::try_from(count) else { panic!("a list of {count} elements") };
    out.u32(count);
}

/// Reads text in place.
pub(crate) fn text<'a>(input: &mut Reader<'a>) -> Result<&'a str, Error> {
    let bytes = input.block()?;
    std::str::from_utf8(bytes).map_err(|error| Error::Malformed(format!("text is UTF-8: {error}")))
}

/// Reads text of at most `max` bytes in place.
pub(crate) fn short_text<'a>(
    input: &mut Reader<'a>,
    what: &'static str,
    max: usize,
) -> Result<&'a str, Error> {
    let text = text(input)?;
    let count = text.len();
    if count <= max { Ok(text) } else { Err(Error::TooMany { what, count, max }) }
}

/// Reads text into a string of its own.
pub(crate) fn string(input: &mut Reader<'_>) -> Result<String, Error> {
    text(input).map(str::to_owned)
}

/// Reads short bytes in place.
#[inline]
pub(crate) fn short<'a>(input: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let length = input.u16()?;
    Ok(input.bytes(usize::from(length))?)
}

/// Writes short bytes.
///
/// # Panics
/// When there are 64 KiB or more: keys and cursors are far shorter.
pub(crate) fn write_short(out: &mut Writer<'_>, bytes: &[u8]) {
    let Ok(length) = u16::try_from(bytes.len()) else { panic!("a key of {} bytes", bytes.len()) };
    out.u16(length).bytes(bytes);
}

/// Reads a bool.
pub(crate) fn boolean(input: &mut Reader<'_>) -> Result<bool, Error> {
    match input.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::Malformed(format!("a bool is 0 or 1, got {other}"))),
    }
}

/// Reads bits of which only those of `known` may be set.
pub(crate) fn flags(input: &mut Reader<'_>, known: u16) -> Result<u16, Error> {
    let flags = input.u16()?;
    if flags & !known == 0 {
        return Ok(flags);
    }
    Err(Error::Malformed(format!("flags {flags:#06x}: known are {known:#06x}")))
}

/// Checks that the body ends here.
pub(crate) fn end(input: &Reader<'_>) -> Result<(), Error> {
    if input.is_empty() {
        return Ok(());
    }
    Err(Error::Malformed(format!("{} bytes after the end", input.left())))
}
