//! The client: one method for each operation; cheap to clone, shared by any number of tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::{
    ApplyReply, ApplyRequest, CheckpointReply, CheckpointRequest, DescribeReply, DescribeRequest,
    Frame, HelloReply, HelloRequest, Opcode, PROTOCOL_VERSION, PrepareRequest, StatValue,
    StatsReply, Target,
};
use stdx::{cursor::Writer, prng::seed_from_os};

use crate::{
    ClientBuilder, Error, GroupWriter, Hedge, ServiceReader, StreamWriter, TlsOptions,
    budget::Budget, endpoint::Endpoints, introduction::Introduction, prepared::Handle,
    retry::Retries, sequence::Sequences,
};

/// How long a checkpoint may take at least: its server writes all of its memory, and perhaps a copy.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(3600);
/// Reads that earn one hedge: 5 % more requests at most.
const READS_PER_HEDGE: u32 = 20;

/// What a builder sets.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) addr: String,
    /// More addresses, for reads of vectors.
    pub(crate) read_addrs: Vec<String>,
    pub(crate) connections: usize,
    /// `None`: without TLS.
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) hedge: Hedge,
    /// By default depends on the number of addresses.
    pub(crate) breaker_after: Option<u32>,
    pub(crate) producer: u128,
    pub(crate) first_sequence: u64,
    pub(crate) introduction: Introduction,
}

/// What all clones of a client share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) endpoints: Endpoints,
    pub(crate) retries: Retries,
    pub(crate) hedges: Budget,
    pub(crate) sequences: Sequences,
    request_ids: AtomicU64,
}

impl Inner {
    pub(crate) fn next_request_id(&self) -> u64 {
        self.request_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// As [`Inner::call`], with a body that is written here.
    pub(crate) async fn call_with(
        &self,
        operation: Opcode,
        encode: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Frame, Error> {
        let mut body = Vec::new();
        encode(&mut Writer::new(&mut body));
        self.call(operation, body).await
    }

    /// The body of a reply of the first address, decoded.
    pub(crate) fn decoded<T>(&self, decoded: Result<T, protocol::Error>) -> Result<T, Error> {
        self.decoded_from(0, decoded)
    }

    /// The body of a reply of the `index`-th address, decoded.
    pub(crate) fn decoded_from<T>(
        &self,
        index: usize,
        decoded: Result<T, protocol::Error>,
    ) -> Result<T, Error> {
        let addr = || self.endpoints.addr(index).to_owned();
        decoded.map_err(|source| Error::Protocol { addr: addr(), source })
    }
}

/// A client of one server. Clones share connections, retry budget and write numbers.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Client {
    /// A builder of a client of the server at `addr`, as `HOST:PORT`.
    pub fn builder(addr: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(addr)
    }

    /// A client with default settings. Nothing connects until the first call.
    #[must_use]
    pub fn new(addr: impl Into<String>) -> Self {
        Self::builder(addr).build()
    }

    pub(crate) fn with(config: Config) -> Self {
        let inner = Inner {
            endpoints: Endpoints::new(&config),
            retries: Retries::new(seed_from_os()),
            hedges: Budget::one_in(READS_PER_HEDGE),
            sequences: Sequences::starting_at(config.first_sequence),
            request_ids: AtomicU64::new(1),
            config,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The address of the server, as given; the first when there are several.
    #[must_use]
    pub fn addr(&self) -> &str {
        self.inner.endpoints.addr(0)
    }

    /// Asks the server who it is and what it allows.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hello(&self) -> Result<HelloReply, Error> {
        let request = HelloRequest {
            protocol: PROTOCOL_VERSION,
            client: concat!("larder-client ", env!("CARGO_PKG_VERSION")),
            // The connection has said already who asks.
            token: "",
            purpose: "",
        };
        let reply = self.inner.call_with(Opcode::Hello, |out| request.encode(out)).await?;
        self.inner.decoded(HelloReply::decode(reply.body()))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ping(&self) -> Result<(), Error> {
        let reply = self.inner.call(Opcode::Ping, Vec::new()).await?;
        self.inner.decoded(protocol::op::ping::decode(reply.body()))
    }

    /// Plans `definitions` (TOML, called `file` in messages) and, unless `dry_run`, makes them so. Never sent twice: after
    /// [`Error::Lost`] or [`Error::Timeout`], look with [`Client::describe`].
    ///
    /// # Errors
    /// [`Error::Fix`] names every mistake with file and line; others see [`Error`].
    pub async fn apply(
        &self,
        file: &str,
        definitions: &str,
        dry_run: bool,
    ) -> Result<ApplyReply, Error> {
        let request = ApplyRequest { file, definitions, dry_run };
        let reply = self.inner.call_with(Opcode::Apply, |out| request.encode(out)).await?;
        self.inner.decoded(ApplyReply::decode(reply.body()))
    }

    /// Describes everything, or what is called `name`.
    ///
    /// # Errors
    /// [`Error::Fix`] when nothing has that name; others see [`Error`].
    pub async fn describe(&self, name: Option<&str>) -> Result<DescribeReply, Error> {
        let request = DescribeRequest { name };
        let reply = self.inner.call_with(Opcode::Describe, |out| request.encode(out)).await?;
        self.inner.decoded(DescribeReply::decode(reply.body()))
    }

    /// The server's figures: name (with its unit) and value.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stats(&self) -> Result<Vec<(String, StatValue)>, Error> {
        let reply = self.inner.call(Opcode::Stats, Vec::new()).await?;
        self.inner.decoded(StatsReply::decode(reply.body())).map(|reply| reply.figures)
    }

    /// Has the server write a snapshot of everything, while it goes on; returns when it is on the disk, an hour at most (or the
    /// request timeout, if that is longer). With a name (1 to 64 of A-Z, a-z, 0-9, `_` and `-`) also a backup: a consistent
    /// directory beside the server's files, whose path is in the reply. Never sent twice: after [`Error::Lost`] the checkpoint
    /// may go on; [`Client::stats`] tells.
    ///
    /// # Errors
    /// [`Error::Fix`] for a name that is none or taken, [`Error::Retry`] when others wait for a checkpoint already,
    /// [`Error::Operator`] when the disk is full or fails; others see [`Error`].
    pub async fn checkpoint(&self, backup: Option<&str>) -> Result<CheckpointReply, Error> {
        let mut body = Vec::new();
        CheckpointRequest { backup }.encode(&mut Writer::new(&mut body));
        let timeout = self.inner.config.request_timeout.max(CHECKPOINT_TIMEOUT);
        let reply = self.inner.call_within(timeout, Opcode::Checkpoint, body).await?;
        self.inner.decoded(CheckpointReply::decode(reply.body()))
    }

    /// Prepares to read the vectors of a service.
    ///
    /// # Errors
    /// [`Error::Fix`] when there is no such service; others see [`Error`].
    pub async fn service(&self, name: &str) -> Result<ServiceReader, Error> {
        self.prepare(Target::Service(name.to_owned())).await.map(ServiceReader::new)
    }

    /// Prepares to read single features: `group:feature`, or `group:*` for all of a group.
    ///
    /// # Errors
    /// [`Error::Fix`] when a reference names nothing; others see [`Error`].
    pub async fn features(&self, references: &[&str]) -> Result<ServiceReader, Error> {
        let references = references.iter().map(|reference| (*reference).to_owned()).collect();
        self.prepare(Target::Features(references)).await.map(ServiceReader::new)
    }

    /// Prepares to put rows into a group, to delete from it or to scan it.
    ///
    /// # Errors
    /// [`Error::Fix`] when there is no such group; others see [`Error`].
    pub async fn group(&self, name: &str) -> Result<GroupWriter, Error> {
        self.prepare(Target::Group(name.to_owned())).await.map(GroupWriter::new)
    }

    /// Prepares to push events into a stream, or to retract some.
    ///
    /// # Errors
    /// [`Error::Fix`] when there is no such stream; others see [`Error`].
    pub async fn stream(&self, name: &str) -> Result<StreamWriter, Error> {
        self.prepare(Target::Stream(name.to_owned())).await.map(StreamWriter::new)
    }

    /// As [`Client::service`], for reads that serve `purpose`, whatever the client's other reads are for.
    ///
    /// # Errors
    /// As [`Client::service`]; [`Error::Fix`] also when whoever asks may not read it for that.
    pub async fn service_for(&self, name: &str, purpose: &str) -> Result<ServiceReader, Error> {
        let (target, purpose) = (Target::Service(name.to_owned()), Some(purpose.to_owned()));
        self.prepare_for(PrepareRequest { target, purpose }).await.map(ServiceReader::new)
    }

    /// As [`Client::features`], for reads that serve `purpose`, whatever the client's other reads are for.
    ///
    /// # Errors
    /// As [`Client::features`]; [`Error::Fix`] also when whoever asks may not read them for that.
    pub async fn features_for(
        &self,
        references: &[&str],
        purpose: &str,
    ) -> Result<ServiceReader, Error> {
        let references = references.iter().map(|reference| (*reference).to_owned()).collect();
        let (target, purpose) = (Target::Features(references), Some(purpose.to_owned()));
        self.prepare_for(PrepareRequest { target, purpose }).await.map(ServiceReader::new)
    }

    async fn prepare(&self, target: Target) -> Result<Arc<Handle>, Error> {
        self.prepare_for(PrepareRequest { target, purpose: None }).await
    }

    async fn prepare_for(&self, request: PrepareRequest) -> Result<Arc<Handle>, Error> {
        Handle::prepare(Arc::clone(&self.inner), request).await.map(Arc::new)
    }
}
