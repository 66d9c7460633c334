//! Limits that are sizes.

pub(crate) use model::size::parse;

/// The least that a server can do something with: its buffers take some of it.
const MEMORY_BYTES_MIN: u64 = 64 << 20;

/// Bytes of a memory limit.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(crate) fn memory_limit(text: &str) -> Result<u64, String> {
    let bytes = parse(text)?;
    if bytes < MEMORY_BYTES_MIN {
        return Err(format!(
            "{bytes} bytes are too little: give 64MiB ({MEMORY_BYTES_MIN} bytes) or more"
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_limit_is_not_too_little() {
        assert_eq!(memory_limit("64MiB"), Ok(64 << 20));
        assert!(memory_limit("1MiB").expect_err("too little").contains("64MiB"));
    }
}
