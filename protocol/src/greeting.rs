//! Recognises what other programs say first, so that a wrong port is told apart from a broken client.

/// What `bytes` look like and what to do, for the first bytes of a connection that are no frame.
pub(crate) fn describe(bytes: &[u8]) -> String {
    let starts = |prefixes: &[&str]| {
        prefixes.iter().any(|prefix| {
            bytes
                .get(..prefix.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
        })
    };
    if starts(&["GET ", "POST", "HEAD", "PUT ", "DELE", "OPTI", "PATC", "HTTP", "PRI "]) {
        return "this looks like HTTP; health and metrics are on the admin port".to_owned();
    }
    // A TLS record: type handshake, major version 3.
    if bytes.starts_with(&[0x16, 0x03]) {
        return "this looks like TLS; this port speaks the native protocol without it".to_owned();
    }
    let resp_array = matches!(bytes, [b'*' | b'$', b'0'..=b'9', ..]);
    if resp_array || starts(&["PING", "AUTH", "INFO", "HELL", "QUIT"]) {
        return "this looks like the Redis protocol (RESP); use a Larder client".to_owned();
    }
    if starts(&["SSH-"]) {
        return "this looks like SSH".to_owned();
    }
    let shown: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("it begins with {}, expected are a length and the bytes 4c 52", shown.join(" "))
}
