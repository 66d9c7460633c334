//! The threads of a server: one current-thread runtime per network thread, the first of which accepts and deals
//! connections out; one more each for the admin port, the sweep, checkpoints, exports, verification, history and logged reads.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use export::reads::ReadSample;
use model::limits::CONNECTIONS_MAX;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
    task::LocalSet,
};

use crate::{Config, Error, checkpointer::Asked, connection, exporter, shared::Shared};

/// Connections that wait for one network thread to take them.
const HANDOVER_MAX: usize = 256;

/// Starts the network threads.
pub(crate) fn start(
    config: &Config,
    listener: TcpListener,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let mut threads = Vec::new();
    let mut seats = Vec::new();
    for index in 0..config.threads.max(1) {
        let (seat, arrivals) = mpsc::channel(HANDOVER_MAX);
        seats.push(seat);
        let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
        threads.push(spawn(&format!("larder-net-{index}"), move || {
            LocalSet::new().block_on(&runtime, take(arrivals, shared, stop));
        })?);
    }
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    threads.push(spawn("larder-accept", move || {
        runtime.block_on(accept(listener, seats, shared, stop));
    })?);
    Ok(threads)
}

/// Where the threads beside the network's get their work from: the admin port's listener, checkpoints and exports that are asked for,
/// reads to log.
type Ends = (
    TcpListener,
    mpsc::Receiver<Asked>,
    mpsc::Receiver<exporter::Asked>,
    mpsc::Receiver<ReadSample>,
);

/// Starts all other threads.
pub(crate) fn start_others(
    config: &Config,
    (admin, asked, wanted, logged): Ends,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    Ok(vec![
        start_admin(admin, shared, stop)?,
        start_sweeper(shared, stop)?,
        start_checkpointer(shared, asked, stop)?,
        start_exporter(shared, wanted, stop)?,
        start_verifier(config, shared, stop)?,
        start_historian(shared, stop)?,
        start_read_log(shared, logged, stop)?,
    ])
}

/// Starts the admin port's thread.
fn start_admin(
    listener: TcpListener,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-admin", move || runtime.block_on(crate::admin::serve(listener, shared, stop)))
}

/// Starts the sweeper's thread: its turns hold up no connection.
fn start_sweeper(
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-sweep", move || runtime.block_on(crate::sweeper::run(shared, stop)))
}

/// Starts the thread that makes checkpoints.
fn start_checkpointer(
    shared: &Arc<Shared>,
    asked: mpsc::Receiver<Asked>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-checkpoint", move || {
        runtime.block_on(crate::checkpointer::run(shared, asked, stop));
    })
}

/// Starts the thread that writes exports: they hold up no checkpoint.
fn start_exporter(
    shared: &Arc<Shared>,
    asked: mpsc::Receiver<exporter::Asked>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-export", move || runtime.block_on(exporter::run(shared, asked, stop)))
}

/// Starts the thread that writes logged reads.
fn start_read_log(
    shared: &Arc<Shared>,
    logged: mpsc::Receiver<ReadSample>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-reads", move || runtime.block_on(crate::read_log::run(shared, logged, stop)))
}

/// Starts the thread that verifies the snapshot: page faults of a large file hold up nobody else.
fn start_verifier(
    config: &Config,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    let rate = config.verify_bytes_per_second;
    spawn("larder-verify", move || runtime.block_on(crate::verifier::run(shared, rate, stop)))
}

/// Starts the thread that keeps history: its files hold up nobody else.
fn start_historian(
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-history", move || runtime.block_on(crate::historian::run(shared, stop)))
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::Threads)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(Error::Threads)
}

/// Accepts connections and deals them out in turn.
async fn accept(
    listener: TcpListener,
    seats: Vec<mpsc::Sender<std::net::TcpStream>>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "connections cannot be accepted"),
    };
    let mut turn = seats.iter().cycle();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, or the peer is gone already: others may still be served.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if shared.connections.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            tracing::warn!(limit = CONNECTIONS_MAX, "a connection was refused: too many are open");
            continue;
        }
        let Some(seat) = turn.next() else { return };
        if seat.send(stream).await.is_err() {
            return;
        }
    }
}

/// After a failed accept: long enough not to spin, short enough that nobody notices.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Runs the connections dealt to one network thread, until told to stop and all have drained.
async fn take(
    mut arrivals: mpsc::Receiver<std::net::TcpStream>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut running = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = running.join_next() => continue,
            arrival = arrivals.recv() => match arrival {
                Some(stream) => stream,
                None => break,
            },
        };
        let stream = stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream));
        match stream {
            Ok(stream) => {
                running.spawn_local(connection::serve(stream, Arc::clone(&shared), stop.clone()));
            }
            Err(error) => tracing::debug!(%error, "a connection was lost before it was served"),
        }
    }
    let drained = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.drain, drained).await.is_err() {
        tracing::warn!("connections were cut: their requests took longer than the drain time");
    }
}
