//! The HTTP port for operators, on a thread and runtime of its own: it shares no queue with the data port, and is open before there is
//! a database.

mod debug;
mod exposition;
mod figures;
mod health;
mod life;
mod local;
mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::{Router, middleware::from_fn, routing::get};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    Error,
    tls::{AdminListener, Tls},
};

pub(crate) use life::Life;

/// What answers under way have at the end in any case.
const LAST_ANSWERS: Duration = Duration::from_millis(250);

/// The admin port, open; closed when it is dropped.
pub(crate) struct Admin {
    pub(crate) life: Arc<Life>,
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Admin {
    /// Serves the port of `addr`, which `listener` has; when it is closed, answers under way have what is left of `drain`.
    ///
    /// # Errors
    /// [`Error::Threads`].
    pub(crate) fn open(
        listener: std::net::TcpListener,
        addr: SocketAddr,
        tls: Option<Arc<Tls>>,
        drain: Duration,
    ) -> Result<Self, Error> {
        let life = Life::new();
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Threads)?;
        let served = Arc::clone(&life);
        let thread = std::thread::Builder::new().name("larder-admin".to_owned()).spawn(move || {
            runtime.block_on(serve(listener, tls, served, drain, stopped));
        });
        Ok(Self { life, addr, stop, thread: Some(thread.map_err(Error::Threads)?) })
    }

    /// Where it is.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // Nobody listening any more means that the thread has ended already.
        let _ = self.stop.send(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the admin port's thread ended by a panic");
        }
    }
}

/// All pages; whoever serves them says where each connection comes from.
fn router(life: Arc<Life>) -> Router {
    let debug = Router::new()
        .route("/debug/slow", get(debug::slow))
        .route("/debug/hot-keys", get(debug::hot_keys))
        .route_layer(from_fn(local::only));
    debug
        .route("/health", get(health::health))
        .route("/ready", get(life::ready))
        .route("/metrics", get(metrics::metrics))
        .with_state(life)
}

async fn serve(
    listener: std::net::TcpListener,
    tls: Option<Arc<Tls>>,
    life: Arc<Life>,
    drain: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let router = router(Arc::clone(&life)).into_make_service_with_connect_info::<local::Origin>();
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => AdminListener::new(listener, tls, Arc::clone(&life)),
        Err(error) => return tracing::error!(%error, "the admin port cannot be served"),
    };
    let mut cut = stop.clone();
    let stopped = async move {
        // An error means that the server is gone: stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let cut = async move {
        let _ = cut.wait_for(|stop| *stop).await;
        // The other connections had this time already: nobody waits for it twice.
        tokio::time::sleep(life.left_of(drain).max(LAST_ANSWERS)).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stopped).into_future() => {
            if let Err(error) = served {
                tracing::error!(%error, "the admin port stopped");
            }
        }
        // A peer that never finishes its request does not hold up the end of the server.
        () = cut => tracing::warn!("connections of the admin port were cut"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use stdx::clock::{Clock, SystemClock};

    use super::*;

    /// What broke: a stop waited for the drain time, and then again for whoever had not finished a request to the admin port.
    #[test]
    fn what_is_unfinished_on_the_admin_port_is_not_waited_for_twice() {
        let drain = Duration::from_secs(3);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let addr = listener.local_addr().expect("it has one");
        let admin = Admin::open(listener, addr, None, drain).expect("a thread");
        let mut unfinished = TcpStream::connect(addr).expect("it listens");
        unfinished.write_all(b"GET /ready HTTP/1.1\r\n").expect("it reads");
        let clock = SystemClock::new();
        admin.life.drains();
        let mut stream = TcpStream::connect(addr).expect("it listens");
        stream
            .write_all(b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains("\"draining\""), "{answer}");
        // The time of all others is over when nothing has come of the other one for as long.
        unfinished.set_read_timeout(Some(drain)).expect("a socket");
        unfinished.read_exact(&mut [0]).expect_err("its request is not whole");
        let before_ns = clock.mono_ns();
        drop(admin);
        let took = Duration::from_nanos(clock.mono_ns() - before_ns);
        assert!(took < drain, "{took:?}");
    }
}
