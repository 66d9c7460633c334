//! Hello: a client says who it is and learns what the server speaks and allows. Optional.
//!
//! ```text
//! request   protocol u16, client text
//! reply     protocol u16, server text, catalog version u64, frame bytes max u32, in flight max u32
//! ```

use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloRequest<'a> {
    /// The newest protocol the client speaks: [`crate::PROTOCOL_VERSION`].
    pub protocol: u16,
    /// Name and version of the client, for logs.
    pub client: &'a str,
}

impl<'a> HelloRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u16(self.protocol).block(self.client.as_bytes());
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Malformed`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let request = Self { protocol: input.u16()?, client: checked::text(&mut input)? };
        checked::end(&input)?;
        Ok(request)
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
