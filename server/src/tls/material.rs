//! From files to what a handshake needs. Nothing is taken over by half: an error leaves everything as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::limits::TLS_FILE_BYTES_MAX;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

use crate::{Error, read_at_most::read_at_most};

/// Where certificates and keys are. PEM, each file at most 1 MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that lead to its authority.
    pub cert: PathBuf,
    /// The key of the first of them.
    pub key: PathBuf,
    /// Authorities of client certificates; `None`: no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// A client without a certificate is turned away.
    pub client_required: bool,
}

impl TlsFiles {
    /// All files there are.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    /// Reads them all.
    ///
    /// # Errors
    /// [`Error::Tls`] names the file, what is wrong and what to do.
    pub(super) fn load(&self) -> Result<Arc<ServerConfig>, Error> {
        let chain = certificates(&self.cert)?;
        let key = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| {
            let reason = format!("no private key can be read ({error}): a PEM block PRIVATE KEY that is not encrypted is needed");
            Error::tls(&self.key, reason)
        })?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| Error::tls(&self.cert, error.to_string()))?;
        let builder = match &self.client_ca {
            Some(path) => builder.with_client_cert_verifier(self.verifier(path, provider)?),
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key).map_err(|error| {
            let key = self.key.display();
            Error::tls(&self.cert, format!("it does not go with the key in {key}: {error}"))
        });
        let mut config = config?;
        // Connections live long. Without tickets, a client whose authority was taken away is never let in by an earlier handshake.
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    fn verifier(
        &self,
        path: &Path,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| {
                Error::tls(path, format!("it is no certificate of an authority: {error}"))
            })?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.client_required { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| Error::tls(path, error.to_string()))
    }
}

/// All certificates in a file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => {
            let reason = "there is no certificate in it: PEM blocks CERTIFICATE are needed";
            Err(Error::tls(path, reason.to_owned()))
        }
        Err(error) => Err(Error::tls(path, format!("it is not PEM: {error}"))),
    }
}

/// The bytes of a file that is not too large.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::tls(path, format!("it cannot be read: {error}"));
    read_at_most(path, TLS_FILE_BYTES_MAX).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_is_no_certificate() {
        let error = certificates(Path::new("/dev/zero")).expect_err("it is too large").to_string();
        assert!(error.contains("/dev/zero") && error.contains("larger than"), "{error}");
    }
}
