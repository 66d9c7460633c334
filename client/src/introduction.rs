//! What a connection says before anything else, when the client has a token or a purpose: hello.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use model::limits::{PURPOSE_BYTES_MAX, TOKEN_BYTES_MAX};
use protocol::{CallStatus, Failure, Header, HelloRequest, Opcode, PROTOCOL_VERSION, frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::tls;

/// Of the one request on a connection that nobody else has yet; replies are matched by ids, and callers' begin at 1.
const REQUEST_ID: u64 = u64::MAX;

/// Who asks, and what for; both may be empty.
#[derive(Clone, Default)]
pub(crate) struct Introduction {
    pub(crate) token: Arc<str>,
    pub(crate) purpose: Arc<str>,
}

/// Without the token: what is printed ends up in logs.
impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introduction")
            .field("has_token", &!self.token.is_empty())
            .field("purpose", &self.purpose)
            .finish()
    }
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) enum NotConnected {
    /// Nobody answers, or not in time: as the system said it.
    Unreachable(String),
    /// The server does not want this client.
    Refused(Failure),
}

impl From<std::io::Error> for NotConnected {
    fn from(error: std::io::Error) -> Self {
        Self::Unreachable(tls::reason(&error))
    }
}

impl Introduction {
    /// Says hello on a new connection, and hears what the server says to it. Silent without token and purpose.
    pub(crate) async fn make(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<(), NotConnected> {
        if self.token.is_empty() && self.purpose.is_empty() {
            return Ok(());
        }
        self.check()?;
        let request = HelloRequest {
            protocol: PROTOCOL_VERSION,
            client: concat!("larder-client ", env!("CARGO_PKG_VERSION")),
            token: &self.token,
            purpose: &self.purpose,
        };
        let mut output = Vec::new();
        let header = Header::request(Opcode::Hello, REQUEST_ID, 0);
        frame::write(&mut output, header, |out| request.encode(out)).map_err(nonsense)?;
        stream.write_all(&output).await?;
        // The server says nothing unasked: what comes is the one reply.
        let mut input = BytesMut::new();
        let reply = loop {
            if let Some(reply) = frame::split(&mut input).map_err(nonsense)? {
                break reply;
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Err(NotConnected::Unreachable("the server closed it".to_owned()));
            }
        };
        match reply.header().status().unwrap_or(CallStatus::Internal) {
            CallStatus::Ok => Ok(()),
            status => {
                let failure = Failure::decode(status, reply.body()).map_err(nonsense)?;
                Err(NotConnected::Refused(failure))
            }
        }
    }

    fn check(&self) -> Result<(), NotConnected> {
        for (what, length, max) in [
            ("token", self.token.len(), TOKEN_BYTES_MAX),
            ("purpose", self.purpose.len(), PURPOSE_BYTES_MAX),
        ] {
            if length > max {
                let message = format!("the {what} has {length} bytes: at most {max} are allowed");
                let status = CallStatus::Invalid;
                return Err(NotConnected::Refused(Failure { status, detail: 0, message }));
            }
        }
        Ok(())
    }
}

fn nonsense(error: protocol::Error) -> NotConnected {
    NotConnected::Unreachable(error.to_string())
}
