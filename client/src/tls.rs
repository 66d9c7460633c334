//! TLS 1.3 to the server: whom to believe, under which name, and who the client is.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::{CallStatus, Failure, frame};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::Error;

/// First bytes from the server that are kept while the handshake lasts: what it says when it speaks no TLS, or has no place.
const HEARD_BYTES_MAX: usize = 1024;

/// How a client speaks TLS: see [`crate::ClientBuilder::tls`].
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use client::{Client, TlsOptions};
///
/// let tls = TlsOptions::with_authorities(&std::fs::read("ca.pem")?)?
///     .identity(&std::fs::read("fraud-model.pem")?, &std::fs::read("fraud-model.key")?)?;
/// let client = Client::builder("features.internal:7440").tls(tls).build();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TlsOptions {
    roots: Arc<RootCertStore>,
    config: Arc<ClientConfig>,
    /// The host of the address when not given.
    server_name: Option<ServerName<'static>>,
}

impl TlsOptions {
    /// Believes the authorities that the machine does.
    ///
    /// # Errors
    /// [`Error::Tls`] when there are none.
    pub fn of_the_machine() -> Result<Self, Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Some bundles hold old ones that nobody can use.
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reason = found.errors.first().map_or_else(String::new, |why| format!(" ({why})"));
            return Err(Error::Tls(format!(
                "this machine has no certificates of authorities{reason}: give those of the server (--tls-ca FILE)"
            )));
        }
        Self::new(roots)
    }

    /// Believes the authorities in `pem` alone.
    ///
    /// # Errors
    /// [`Error::Tls`] when there is no certificate in it.
    pub fn with_authorities(pem: &[u8]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots.add(certificate).map_err(|error| {
                Error::Tls(format!("the file of authorities holds something else: {error}"))
            })?;
        }
        Self::new(roots)
    }

    /// Expects the server's certificate to be for `name`, whatever the address is.
    ///
    /// # Errors
    /// [`Error::Tls`] when it is no name of a host, and no IP address.
    pub fn server_name(mut self, name: &str) -> Result<Self, Error> {
        self.server_name = Some(parse_name(name)?);
        Ok(self)
    }

    /// Expects the server's certificate to be for the host of `addr` (HOST:PORT) wherever connections go, as they do through a relay;
    /// a name that was given stays.
    ///
    /// # Errors
    /// As [`TlsOptions::server_name`].
    pub fn server_at(self, addr: &str) -> Result<Self, Error> {
        if self.server_name.is_some() { Ok(self) } else { self.server_name(host(addr)) }
    }

    /// Shows a certificate to servers that ask for one: its chain and its key, both PEM.
    ///
    /// # Errors
    /// [`Error::Tls`] when they cannot be read, or do not belong together.
    pub fn identity(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            Error::Tls(format!(
                "no private key can be read ({error}): a PEM block PRIVATE KEY that is not encrypted is needed"
            ))
        })?;
        let config = builder()?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(certificates(chain)?, key)
            .map_err(|error| {
                Error::Tls(format!("the certificate does not go with its key: {error}"))
            })?;
        self.config = Arc::new(config);
        Ok(self)
    }

    /// Makes the handshake on `stream`, which is connected to `addr` (HOST:PORT): for other protocols than Larder's own, such as
    /// the HTTP of a server's admin port.
    ///
    /// # Errors
    /// Why not, with what to change.
    pub async fn open(
        &self,
        stream: TcpStream,
        addr: &str,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        self.connect(stream, addr).await.map_err(io::Error::other)
    }

    /// What an error of a connection means that [`TlsOptions::open`] made, with what to change: a server says behind the handshake
    /// that it wants a certificate.
    #[must_use]
    pub fn reason(error: &io::Error) -> String {
        reason(error)
    }

    fn new(roots: RootCertStore) -> Result<Self, Error> {
        let roots = Arc::new(roots);
        let config = builder()?.with_root_certificates(Arc::clone(&roots)).with_no_client_auth();
        Ok(Self { roots, config: Arc::new(config), server_name: None })
    }

    /// Makes the handshake on `stream`, which is connected to `addr`. Why not, in words, when it fails.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        addr: &str,
    ) -> Result<TlsStream<Heard>, String> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => parse_name(host(addr)).map_err(|error| error.to_string())?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let heard = Heard { stream, head: Vec::new() };
        connector.connect(name, heard).into_fallible().await.map_err(|(error, heard)| {
            told(&heard.head).unwrap_or_else(|| format!("TLS: {}", reason(&error)))
        })
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("authorities", &self.roots.len())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Error::Tls(error.to_string()))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => {
            Err(Error::Tls("there is no certificate: PEM blocks CERTIFICATE are needed".into()))
        }
        Err(error) => Err(Error::Tls(format!("a certificate is not PEM: {error}"))),
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        Error::Tls(format!(
            "{name:?} is no name of a host: give the one in the server's certificate"
        ))
    })
}

/// The host of `HOST:PORT`, without the brackets of IPv6.
fn host(addr: &str) -> &str {
    let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// What a server said in plain words instead of a handshake.
fn told(head: &[u8]) -> Option<String> {
    let frame = frame::first(head).ok()??;
    let status = frame.header.status().unwrap_or(CallStatus::Internal);
    let failure = Failure::decode(status, frame.body).ok()?;
    Some(format!("it answered without TLS: {}", failure.message))
}

/// Why there is no connection, or no more: with TLS 1.3 a client hears only behind the handshake that its certificate is missing. With
/// what to change, to whoever configures a client.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let hint = if text.contains("UnknownIssuer") {
        "; give the authority of the server's certificate (--tls-ca FILE)"
    } else if text.contains("NotValidForName") || text.contains("not valid for name") {
        "; connect to a name in the server's certificate, or give one (--tls-server-name)"
    } else if text.contains("CertificateRequired") {
        "; the server wants a certificate (--tls-cert FILE, --tls-key FILE)"
    } else if text.contains("InvalidMessage") || text.contains("corrupt message") {
        "; the server does not speak TLS on this port"
    } else {
        ""
    };
    format!("{text}{hint}")
}

/// A socket that remembers the first bytes it heard.
pub(crate) struct Heard {
    stream: TcpStream,
    head: Vec<u8>,
}

impl AsyncRead for Heard {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        let room = HEARD_BYTES_MAX - this.head.len();
        if room > 0 {
            let new = into.filled().get(before..).unwrap_or_default();
            this.head.extend_from_slice(new.get(..room).unwrap_or(new));
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_what_stands_before_the_port() {
        for (addr, expected) in
            [("a.b:7440", "a.b"), ("10.0.0.1:1", "10.0.0.1"), ("[::1]:7440", "::1"), ("a", "a")]
        {
            assert_eq!(host(addr), expected);
            assert!(parse_name(host(addr)).is_ok(), "{addr}");
        }
        let error = parse_name("not a name").expect_err("spaces").to_string();
        assert!(error.contains("not a name"), "{error}");
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        let error = TlsOptions::with_authorities(b"hello").expect_err("no PEM").to_string();
        assert!(error.contains("CERTIFICATE"), "{error}");
    }
}
