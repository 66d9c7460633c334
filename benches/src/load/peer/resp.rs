//! RESP, the protocol of Redis (<https://redis.io/docs>, "RESP protocol spec"): commands written, replies measured and looked over.
//!
//! ```text
//! command  *COUNT\r\n ($LENGTH\r\n BYTES\r\n){COUNT}
//! reply    +TEXT\r\n | -ERROR\r\n | :NUMBER\r\n | $LENGTH\r\n BYTES\r\n | $-1\r\n | *COUNT\r\n REPLY{COUNT} | *-1\r\n
//! ```

/// Deepest nesting of replies that is read; what is asked here nests twice.
const DEPTH_MAX: usize = 8;

/// Appends a command.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    header(out, b'*', words.len());
    for word in words {
        header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The length of the reply that `input` begins with; `None` when it is not whole yet.
pub(super) fn length(input: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    let mut visit = |_: Reply<'_>| {};
    Ok(walk(input, &mut at, DEPTH_MAX, &mut visit)?.then_some(at))
}

/// What a reply is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// `+`
    Text(&'a [u8]),
    /// `-`
    Error(&'a [u8]),
    /// `:`
    Number(i64),
    /// `$`
    Bytes(&'a [u8]),
    /// `$-1` or `*-1`
    Null,
    /// `*`: so many follow.
    Array(usize),
}

/// Calls `visit` with everything in the whole replies of `input`, arrays before what is in them.
pub(super) fn each<'a>(input: &'a [u8], visit: &mut dyn FnMut(Reply<'a>)) -> Result<(), String> {
    let mut at = 0;
    while at < input.len() {
        if !walk(input, &mut at, DEPTH_MAX, visit)? {
            return Err("a reply is not whole".to_owned());
        }
    }
    Ok(())
}

/// Walks over one reply; false when it is not whole.
fn walk<'a>(
    input: &'a [u8],
    at: &mut usize,
    depth: usize,
    visit: &mut dyn FnMut(Reply<'a>),
) -> Result<bool, String> {
    let Some((kind, line)) = line(input, at)? else { return Ok(false) };
    match kind {
        b'+' => visit(Reply::Text(line)),
        b'-' => visit(Reply::Error(line)),
        b':' => visit(Reply::Number(number(line)?)),
        b'$' => {
            let Ok(bytes) = usize::try_from(number(line)?) else {
                visit(Reply::Null);
                return Ok(true);
            };
            let end = at.saturating_add(bytes);
            let Some(text) = input.get(*at..end) else { return Ok(false) };
            match input.get(end..end + 2) {
                None => return Ok(false),
                Some(b"\r\n") => {}
                Some(_) => return Err("a reply does not end where it says".to_owned()),
            }
            visit(Reply::Bytes(text));
            *at = end + 2;
        }
        b'*' => {
            let Ok(count) = usize::try_from(number(line)?) else {
                visit(Reply::Null);
                return Ok(true);
            };
            if depth == 0 {
                return Err("replies are nested too deep".to_owned());
            }
            visit(Reply::Array(count));
            for _ in 0..count {
                if !walk(input, at, depth - 1, visit)? {
                    return Ok(false);
                }
            }
        }
        other => return Err(format!("byte {other} begins no reply: is it a Redis server?")),
    }
    Ok(true)
}

/// The kind and text of a line; moves behind it.
fn line<'a>(input: &'a [u8], at: &mut usize) -> Result<Option<(u8, &'a [u8])>, String> {
    let Some((kind, rest)) = input.get(*at..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'\r') else { return Ok(None) };
    match rest.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => {
            *at += 1 + end + 2;
            Ok(Some((*kind, rest.get(..end).unwrap_or_default())))
        }
        Some(_) => Err("a line of a reply does not end".to_owned()),
    }
}

fn number(line: &[u8]) -> Result<i64, String> {
    let text = str::from_utf8(line).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| "a number of a reply is none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of everything.
    const REPLIES: &[u8] =
        b"+OK\r\n:42\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n-ERR no\r\n*0\r\n*-1\r\n";

    #[test]
    fn commands_are_arrays_of_bytes() {
        let mut out = Vec::new();
        command(&mut out, &[b"HSET", b"k\r\n", b""]);
        assert_eq!(out, b"*3\r\n$4\r\nHSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
    }

    #[test]
    fn every_kind_of_reply_is_seen_in_order() {
        let mut seen = Vec::new();
        each(REPLIES, &mut |reply| seen.push(reply)).expect("well formed");
        assert_eq!(
            seen,
            [
                Reply::Text(b"OK"),
                Reply::Number(42),
                Reply::Bytes(b"a\r\n"),
                Reply::Null,
                Reply::Array(2),
                Reply::Array(1),
                Reply::Number(1),
                Reply::Bytes(b""),
                Reply::Error(b"ERR no"),
                Reply::Array(0),
                Reply::Null,
            ]
        );
    }

    #[test]
    fn a_reply_is_whole_at_its_last_byte_and_not_before() {
        let reply = b"*2\r\n$3\r\nabc\r\n*1\r\n:17\r\n";
        for cut in 0..reply.len() {
            assert_eq!(length(&reply[..cut]), Ok(None), "after {cut} bytes");
        }
        assert_eq!(length(&[reply.as_slice(), b"+more"].concat()), Ok(Some(reply.len())));
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for wrong in
            [&b"HTTP/1.1 400\r\n"[..], b"$x\r\n", b"+a\rb", b"$1\r\nabc", &b"*1\r\n".repeat(20)]
        {
            assert!(length(wrong).is_err(), "{wrong:?}");
        }
    }
}
