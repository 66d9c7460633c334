//! Hello: a client says who it is and learns what the server speaks and allows. Optional, unless the server wants to know who asks.
//!
//! ```text
//! request   protocol u16, client text; from protocol 2 on also token text, purpose text (each empty for none)
//! reply     protocol u16, server text, catalog version u64, frame bytes max u32, in flight max u32
//! ```

use std::fmt;

use model::limits::{PURPOSE_BYTES_MAX, TOKEN_BYTES_MAX};
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// From this protocol on a hello says who asks and what for.
const WITH_TOKEN: u16 = 2;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct HelloRequest<'a> {
    /// The newest protocol the client speaks, [`crate::PROTOCOL_VERSION`]; 1 has neither token nor purpose.
    pub protocol: u16,
    /// Name and version of the client, for logs.
    pub client: &'a str,
    /// What proves who asks; empty for none.
    pub token: &'a str,
    /// What the connection's reads are for; empty when it does not say.
    pub purpose: &'a str,
}

/// Without the token: what is printed ends up in logs.
impl fmt::Debug for HelloRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HelloRequest")
            .field("protocol", &self.protocol)
            .field("client", &self.client)
            .field("has_token", &!self.token.is_empty())
            .field("purpose", &self.purpose)
            .finish()
    }
}

impl<'a> HelloRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u16(self.protocol).block(self.client.as_bytes());
        if self.protocol >= WITH_TOKEN {
            out.block(self.token.as_bytes()).block(self.purpose.as_bytes());
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`], or [`Error::TooMany`] for a token or purpose that is too long.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let (protocol, client) = (input.u16()?, checked::text(&mut input)?);
        let (mut token, mut purpose) = ("", "");
        if protocol >= WITH_TOKEN {
            token = checked::short_text(&mut input, "bytes of a token", TOKEN_BYTES_MAX)?;
            purpose = checked::short_text(&mut input, "bytes of a purpose", PURPOSE_BYTES_MAX)?;
        }
        checked::end(&input)?;
        Ok(Self { protocol, client, token, purpose })
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloReply {
    /// The protocol to speak: the older of both sides' newest.
    pub protocol: u16,
    /// Version of the server, for logs.
    pub server: String,
    /// Version of the definitions.
    pub catalog_version: u64,
    /// Longest frame the server takes, in bytes.
    pub frame_bytes_max: u32,
    /// Most requests it takes on one connection before it answered one.
    pub in_flight_max: u32,
}

impl HelloReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u16(self.protocol).block(self.server.as_bytes()).u64(self.catalog_version);
        out.u32(self.frame_bytes_max).u32(self.in_flight_max);
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Malformed`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let reply = Self {
            protocol: input.u16()?,
            server: checked::string(&mut input)?,
            catalog_version: input.u64()?,
            frame_bytes_max: input.u32()?,
            in_flight_max: input.u32()?,
        };
        checked::end(&input)?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &HelloRequest<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        request.encode(&mut Writer::new(&mut body));
        body
    }

    #[test]
    fn tokens_and_purposes_have_limits_and_are_not_printed() {
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        let request = |token, purpose| HelloRequest { protocol: 2, client: "c", token, purpose };
        for (token, purpose) in [(long.as_str(), ""), ("", &long)] {
            let refused = HelloRequest::decode(&body(&request(token, purpose))).map(drop);
            assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
        }
        let shown = format!("{:?}", request("secret", "scoring"));
        assert!(!shown.contains("secret") && shown.contains("scoring"), "{shown}");
    }

    #[test]
    fn an_older_client_says_less() {
        let old = HelloRequest { protocol: 1, client: "c", token: "", purpose: "" };
        assert_eq!(body(&old).len(), 7);
        assert_eq!(HelloRequest::decode(&body(&old)), Ok(old));
    }
}
