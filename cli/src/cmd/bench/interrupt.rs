//! Somebody has had enough: SIGINT, SIGTERM and SIGHUP end a load in order, a second one at once.
//!
//! They are heard before the first server is started, so that no process and no directory is left behind.

use larder_benches::load::stop::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::CliError;

/// The signals, heard from the moment this was made.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// To be made within a runtime.
    fn listen() -> Result<Self, CliError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns on the next of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Set when somebody interrupts; a second time ends the process at once.
pub(super) fn stop_on_signal() -> Result<Stop, CliError> {
    let stop = Stop::default();
    let asked = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut signals = Signals::listen()?;
    drop(entered);
    let wait = move || {
        runtime.block_on(signals.next());
        asked.set();
        runtime.block_on(signals.next());
        std::process::exit(1);
    };
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(wait)?;
    Ok(stop)
}
