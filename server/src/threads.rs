//! The threads of a server: one current-thread runtime per network thread, one that accepts connections and deals them out to those, as
//! many for requests that take long; one more each for definitions, the sweep, checkpoints, exports, verification, history, logged reads,
//! certificates and the audit log. (That of the admin port is older than the database: `admin`.)

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use export::reads::ReadSample;
use stdx::clock::Clock;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
};

use crate::{
    Config, Error,
    admission::Admission,
    bulk::{self, BulkEnds},
    checkpointer::Asked,
    connection::{self, Here},
    door, exporter,
    seats::{self, Arrival, Deal},
    shared::{Ends, Shared},
};

/// Of a thread that serves no values.
const NO_LANE: usize = usize::MAX;

/// Starts the network threads.
pub(crate) fn start(
    config: &Config,
    (listener, ends): (TcpListener, &mut Ends),
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let (mut threads, mut admissions) = (Vec::new(), Vec::new());
    for (index, arrivals) in ends.arrivals.drain(..).enumerate() {
        let admission = Arc::new(Admission::new(config.turn_max));
        admissions.push(Arc::clone(&admission));
        let runtime = network_runtime(shared, &admission)?;
        let meter = shared.metrics.network(index);
        let here = Here { shared: Arc::clone(shared), admission, meter };
        let stop = stop.clone();
        threads.push(spawn(&format!("larder-net-{index}"), move || {
            runtime.block_on(take(arrivals, here, stop));
        })?);
    }
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    threads.push(spawn("larder-accept", move || {
        let watch = seats::watch(Arc::clone(&shared), admissions, stop.clone());
        runtime.block_on(async { tokio::join!(door::accept(listener, shared, stop), watch) });
    })?);
    Ok(threads)
}

/// Starts all other threads.
pub(crate) fn start_others(
    config: &Config,
    ends: Ends,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let mut threads = start_bulk(ends.long, shared, stop)?;
    threads.extend([
        start_sweeper(shared, stop)?,
        start_checkpointer(shared, ends.asked, stop)?,
        start_exporter(shared, ends.wanted, stop)?,
        start_verifier(config, shared, stop)?,
        start_historian(shared, stop)?,
        start_read_log(shared, ends.logged, stop)?,
        start_certificates(shared, stop)?,
    ]);
    if let Some(audited) = ends.audited {
        let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
        let run = move || runtime.block_on(crate::audit::run(shared, audited, stop));
        threads.push(spawn("larder-audit", run)?);
    }
    Ok(threads)
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

/// Starts the thread that looks whether certificates were replaced; it ends at once when there are none.
fn start_certificates(
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-tls", move || runtime.block_on(crate::tls::watch(shared, stop)))
}

/// Starts the thread that keeps history: its files hold up nobody else.
fn start_historian(
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    spawn("larder-history", move || runtime.block_on(crate::historian::run(shared, stop)))
}

/// Starts the threads for requests that take long, and the one for definitions.
fn start_bulk(
    ends: BulkEnds,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let start = |(index, asked)| {
        let lane = shared.metrics.bulk(index).lane();
        let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
        spawn(&format!("larder-bulk-{index}"), move || {
            runtime.block_on(bulk::run(shared, (asked, lane), stop));
        })
    };
    let mut threads: Vec<_> =
        ends.threads.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
    let (shared, stop, runtime) = (Arc::clone(shared), stop.clone(), runtime()?);
    threads.push(spawn("larder-define", move || {
        runtime.block_on(bulk::run(shared, (ends.definitions, NO_LANE), stop));
    })?);
    Ok(threads)
}

/// The runtime of a network thread: `admission` learns when it has nothing to do.
fn network_runtime(shared: &Arc<Shared>, admission: &Arc<Admission>) -> Result<Runtime, Error> {
    let (parking, unparking) = (Arc::clone(admission), Arc::clone(admission));
    let (here, there) = (Arc::clone(shared), Arc::clone(shared));
    Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || parking.parks(here.clock.mono_ns()))
        .on_thread_unpark(move || unparking.unparks(&there.clock))
        .build()
        .map_err(Error::Threads)
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::Threads)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(Error::Threads)
}

/// Runs the connections dealt to one network thread, until told to stop and all have drained.
async fn take(mut arrivals: mpsc::Receiver<Arrival>, here: Here, mut stop: watch::Receiver<bool>) {
    let Shared { load, seats, drain, .. } = &*here.shared;
    let mut running = tokio::task::JoinSet::new();
    loop {
        let arrival = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = running.join_next() => match ended {
                Ok(None) => continue,
                // It goes on elsewhere; or here, when there is no way at the moment.
                Ok(Some((to, arrival))) => match seats.hand_over(to, arrival) {
                    Ok(()) => continue,
                    Err(back) => Arrival { deal: Deal::NONE, ..back },
                },
                Err(_) => {
                    load.panicked(1);
                    continue;
                }
            },
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => arrival,
                None => break,
            },
        };
        running.spawn(connection::serve(arrival, here.clone(), stop.clone()));
    }
    let drained = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(*drain, drained).await.is_err() {
        tracing::warn!("connections were cut: their requests took longer than the drain time");
    }
}
