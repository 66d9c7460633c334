//! Addresses of servers as they are written: a host, or an IP address, with a port.

/// HOST:PORT, whatever the host is: names are looked up when somebody connects.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let is_host =
        !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    if is_host && is_port && !text.contains(char::is_whitespace) {
        return Ok(text.to_owned());
    }
    let example = if is_host && port.is_empty() { host } else { "localhost" };
    let port = model::limits::PORT_DEFAULT;
    Err(format!(
        "`{text}` is no HOST:PORT: write {example}:{port}, 10.0.0.7:{port} or [::1]:{port}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for right in ["localhost:7440", "10.0.0.7:1", "[::1]:7440", "features.internal:65535"] {
            assert_eq!(host_port(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "localhost",
            ":7440",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "::1",
            "a b:1",
        ] {
            let told = host_port(wrong).expect_err(wrong);
            assert!(told.contains("HOST:PORT") && told.contains(wrong), "{told}");
        }
        assert!(host_port("features").expect_err("no port").contains("features:7440"));
    }
}
