//! What a server tells of itself, and how.

use std::time::Duration;

use clap::Args;

use crate::{logging::LogFormat, trigger};

/// See the module.
#[derive(Debug, Args)]
pub(crate) struct Telling {
    /// How lines of the log look, which goes to standard error: text, json. LARDER_LOG says what is told: error, warn, info, debug.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Requests that take so long or longer are told in the log, and kept with where their time went: `/debug/slow` on the admin
    /// port. 500us, 10ms, 1s.
    #[arg(long, default_value = "10ms", value_name = "TIME", value_parser = trigger::slow)]
    pub(crate) slow: Duration,
    #[command(flatten)]
    pub(crate) otel: Otel,
}

/// Where spans go.
#[derive(Debug, Args)]
pub(crate) struct Otel {
    /// Collector of OpenTelemetry: a span of each request of the sample is sent there, by OTLP over HTTP. The URL is its base, as
    /// http://127.0.0.1:4318: spans go to /v1/traces below it.
    #[arg(long = "otel-endpoint", value_name = "URL", value_parser = endpoint)]
    pub(crate) endpoint: Option<Endpoint>,
    /// The part of requests that become spans, 0 to 1.
    #[arg(long = "otel-sample", default_value = "0.01", value_name = "PART", value_parser = super::audit::part)]
    pub(crate) sample: f64,
}

/// The base of a collector's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `https`: over TLS.
    pub(crate) is_tls: bool,
    /// HOST:PORT.
    pub(crate) addr: String,
    /// What stands before `/v1/traces`.
    pub(crate) path: String,
}

impl Endpoint {
    fn parse(url: &str) -> Result<Self, String> {
        let refused = || {
            format!("`{url}` is no address of a collector: write http://HOST:4318 or https://HOST")
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(refused)?;
        let (is_tls, port) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return Err(refused()),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, given) = match authority.rsplit_once(':') {
            // Of `[::1]` the last colon is the address's own.
            Some((host, given)) if !given.ends_with(']') => (host, given.parse().ok()),
            _ => (authority, Some(port)),
        };
        let Some(port) = given.filter(|port: &u16| *port > 0) else { return Err(refused()) };
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        // Secrets do not belong on a command line: headers come from the environment.
        let is_wrong = host.is_empty() || authority.contains('@') || path.contains(['?', '#']);
        if is_wrong || !is_plain(rest) {
            return Err(refused());
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { is_tls, addr: format!("{host}:{port}"), path })
    }
}

/// An endpoint, where there is somebody to send spans there.
fn endpoint(url: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::parse(url)?;
    if cfg!(feature = "otel") {
        return Ok(endpoint);
    }
    Err("this binary was built without OpenTelemetry: build one with `cargo build --release --package larder-cli --features otel`, or \
         leave the option out"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collectors_address_is_read_as_it_is_written_elsewhere() {
        let read = |url: &str| Endpoint::parse(url).map(|of| (of.is_tls, of.addr, of.path));
        let of = |is_tls, addr: &str, path: &str| Ok((is_tls, addr.to_owned(), path.to_owned()));
        assert_eq!(read("http://127.0.0.1:4318"), of(false, "127.0.0.1:4318", ""));
        assert_eq!(read("http://[::1]:4318/"), of(false, "[::1]:4318", ""));
        assert_eq!(read("http://[::1]/"), of(false, "[::1]:80", ""));
        assert_eq!(read("https://otel.example.com/in/"), of(true, "otel.example.com:443", "/in"));
        for wrong in [
            "",
            "127.0.0.1:4318",
            "grpc://a:4317",
            "http://",
            "http://:1",
            "http://a:0",
            "http://a b",
        ] {
            assert!(read(wrong).is_err_and(|error| error.contains("http://HOST:4318")), "{wrong}");
        }
        assert!(read("https://user:secret@a").is_err(), "no secret on a command line");
    }

    #[test]
    #[cfg(not(feature = "otel"))]
    fn a_binary_without_opentelemetry_says_how_to_get_one() {
        let told = endpoint("http://127.0.0.1:4318").expect_err("nobody would send anything");
        assert!(told.contains("--features otel"), "{told}");
    }
}
