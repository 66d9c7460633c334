//! The server that a command talks to: a client and the runtime it runs on.

use std::future::Future;
use std::io::Read;
use std::path::Path;

use client::{Client, ClientBuilder, TlsOptions};
use stdx::checksum::crc64;

use crate::{args, cmd::Patience, error::CliError};

/// A client of the server in `args`.
///
/// # Errors
/// When a certificate cannot be used.
pub(crate) fn client(args: &args::Server) -> Result<ClientBuilder, CliError> {
    // One connection: a command's requests arrive in the order it sent them.
    let builder = Client::builder(&args.addr).connections(1);
    let builder = match tls(&args.tls)? {
        Some(options) => builder.tls(options),
        None => builder,
    };
    let builder = match args.identity.token() {
        Some(token) => builder.token(token),
        None => builder,
    };
    Ok(match &args.identity.purpose {
        Some(purpose) => builder.purpose(purpose),
        None => builder,
    })
}

/// Nothing when none of its options is given.
///
/// # Errors
/// When a certificate cannot be used.
pub(crate) fn tls(args: &args::Tls) -> Result<Option<TlsOptions>, CliError> {
    let read = |path: &Path| {
        let failed = |error| CliError::failed(format!("{}: {error}", path.display()));
        std::fs::read(path).map_err(failed)
    };
    let is_wanted = args.tls || args.tls_cert.is_some() || args.tls_server_name.is_some();
    let mut options = match &args.tls_ca {
        Some(path) => TlsOptions::with_authorities(&read(path)?)?,
        None if is_wanted => TlsOptions::of_the_machine()?,
        None => return Ok(None),
    };
    if let Some(name) = &args.tls_server_name {
        options = options.server_name(name)?;
    }
    if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
        options = options.identity(&read(cert)?, &read(key)?)?;
    }
    Ok(Some(options))
}

/// The client of a load, under the name it was given. The name holds for one content: another file is another load.
/// Batches are always cut the same way then (the arguments exclude each other).
pub(crate) fn loading(args: &args::Load) -> Result<Client, CliError> {
    let call_timeout = Patience::new(args.retry_for).call_timeout();
    let builder = client(&args.server)?.request_timeout(call_timeout);
    let Some(name) = &args.producer else { return Ok(builder.build()) };
    let digest = digest(&args.file)?;
    Ok(builder.producer(&format!("{}/{name}/{digest:016x}", args.target), 1).build())
}

/// Bytes of a file summed at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// A checksum of the file's bytes.
fn digest(path: &Path) -> Result<u64, CliError> {
    if path.as_os_str() == "-" {
        let message =
            "--producer needs a file: standard input cannot be read twice to know it again";
        return Err(CliError::usage(message));
    }
    let mut file = export::file::open_file(path)?;
    let (mut chunk, mut digest) = (Vec::new(), 0);
    loop {
        chunk.clear();
        // Whole chunks, whatever single reads give: the digest depends on their cuts.
        if (&mut file).take(CHUNK_BYTES).read_to_end(&mut chunk)? == 0 {
            return Ok(digest);
        }
        digest = crc64(digest, &[&chunk]);
    }
}

/// Runs `work` to its end on a runtime of its own.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}
