//! Generators: a thread each, with connections of its own to every side, that sends what it is told for as long as it is told.
//!
//! In an open loop a timer of the kernel wakes the generator for each due time, to the microsecond: the runtime's own timers
//! count milliseconds, and what they add would be taken for the server's.

mod timer;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
    sync::Mutex,
};
use tokio::task::JoinSet;

use super::{
    Error,
    arrivals::{Schedule, Turn},
    operation::Draw,
    pace::Pace,
    side::{Connection, Outcome, Target},
    tally::Tally,
};
use timer::Timer;

/// Most requests of one generator that are waiting for an answer; what is due beyond that is counted as never sent.
const OUTSTANDING_MAX: usize = 20_000;
/// A caller whose request failed waits so long before the next: a refusal costs nothing, and would be sent as fast as can be.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(1);

/// All generators.
pub(super) struct Crew {
    members: Vec<Member>,
}

struct Member {
    tasks: tokio::sync::mpsc::Sender<Task>,
    /// One word for having connected, then one for each task that ended.
    ended: Receiver<Result<(), Error>>,
    thread: Option<JoinHandle<()>>,
}

/// What a generator does next.
pub(super) struct Task {
    /// The side, in the order of the targets.
    pub(super) side: usize,
    /// This generator's part of the pace.
    pub(super) pace: Pace,
    /// Which generator it is for.
    pub(super) turn: Turn,
    /// Makes the operations of stream `name`.
    pub(super) draws: Arc<dyn Fn(&str) -> Draw + Send + Sync>,
    /// Whose streams they are; the same words give the same requests again.
    pub(super) name: String,
    /// Seed of the arrivals.
    pub(super) seed: u64,
    /// When the first request may be due.
    pub(super) start_ns: u64,
    /// From when on no request is due.
    pub(super) until_ns: u64,
    /// Where it is counted.
    pub(super) tally: Arc<Mutex<Tally>>,
}

impl Crew {
    /// Connects `generators` threads to all `targets`, with `connections` to each of them in all.
    pub(super) fn start(
        targets: &[Target],
        (generators, connections): (usize, usize),
        timeout: Duration,
        clock: &Arc<SystemClock>,
    ) -> Result<Self, Error> {
        let generators = generators.clamp(1, connections.max(1));
        let mut members = Vec::with_capacity(generators);
        for number in 0..generators {
            let share = share(connections.max(1), generators, number);
            let (targets, clock) = (targets.to_vec(), Arc::clone(clock));
            let (tasks, queue) = tokio::sync::mpsc::channel(1);
            let (report, ended) = sync_channel(1);
            let thread = std::thread::Builder::new()
                .name(format!("generator-{number}"))
                .spawn(move || live(&targets, share, timeout, &clock, queue, &report))?;
            members.push(Member { tasks, ended, thread: Some(thread) });
        }
        let crew = Self { members };
        for member in &crew.members {
            member.ended.recv().map_err(|_| gone())??;
        }
        Ok(crew)
    }

    /// How many generators there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Gives generator `number` its task.
    pub(super) fn send(&self, number: usize, task: Task) -> Result<(), Error> {
        let member = self.members.get(number).ok_or_else(gone)?;
        member.tasks.try_send(task).map_err(|_| gone())
    }

    /// Waits until generator `number` has ended its task, `timeout` at most; false when it has not.
    pub(super) fn wait(&self, number: usize, timeout: Duration) -> Result<bool, Error> {
        let member = self.members.get(number).ok_or_else(gone)?;
        match member.ended.recv_timeout(timeout) {
            Ok(ended) => ended.map(|()| true),
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for mut member in self.members.drain(..) {
            drop(member.tasks);
            if let Some(thread) = member.thread.take() {
                // One that panicked has said so.
                let _ = thread.join();
            }
        }
    }
}

/// The part of `whole` that member `number` of `members` gets; the parts add up.
pub(super) fn share(whole: usize, members: usize, number: usize) -> usize {
    whole / members + usize::from(number < whole % members)
}

fn gone() -> Error {
    Error::Failed("a generator thread ended".to_owned())
}

/// The life of a generator.
fn live(
    targets: &[Target],
    connections: usize,
    timeout: Duration,
    clock: &Arc<SystemClock>,
    mut queue: tokio::sync::mpsc::Receiver<Task>,
    report: &SyncSender<Result<(), Error>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _nobody_listens = report.send(Err(error.into()));
            return;
        }
    };
    runtime.block_on(async {
        let sides = match connect(targets, connections, timeout).await {
            Ok(sides) => sides,
            Err(error) => {
                let _nobody_listens = report.send(Err(error));
                return;
            }
        };
        let mut word = Ok(());
        while report.send(word).is_ok() {
            let Some(task) = queue.recv().await else { break };
            let side = sides.get(task.side).map_or(&[] as &[_], Vec::as_slice);
            let work = async {
                match task.pace {
                    Pace::Closed { concurrency } => closed(side, concurrency, &task, clock).await,
                    Pace::Open { rate, arrivals } => {
                        let prng = Prng::stream(task.seed, &task.name);
                        let schedule = Schedule::new(rate, arrivals, task.turn, prng);
                        open(side, schedule, &task, clock).await
                    }
                }
            };
            word = tokio::select! {
                word = work => word,
                // Nobody sends another task before this one has ended: whoever gave it is gone.
                _ = queue.recv() => break,
            };
        }
    });
}

type Connections = Vec<Arc<Connection>>;

async fn connect(
    targets: &[Target],
    connections: usize,
    timeout: Duration,
) -> Result<Vec<Connections>, Error> {
    let mut sides = Vec::with_capacity(targets.len());
    for target in targets {
        let mut side = Vec::with_capacity(connections);
        for _ in 0..connections {
            side.push(Arc::new(target.connect(timeout).await?));
        }
        sides.push(side);
    }
    Ok(sides)
}

/// So many callers, each asks again when it was answered.
async fn closed(
    side: &[Arc<Connection>],
    callers: usize,
    task: &Task,
    clock: &Arc<SystemClock>,
) -> Result<(), Error> {
    wait_until(task.start_ns, &Timer::new()?, clock).await?;
    let mut asking = JoinSet::new();
    for (caller, connection) in (0..callers).zip(side.iter().cycle()) {
        let mut draw = (task.draws)(&format!("{}/{caller}", task.name));
        let (connection, clock) = (Arc::clone(connection), Arc::clone(clock));
        let (tally, until_ns) = (Arc::clone(&task.tally), task.until_ns);
        asking.spawn(async move {
            loop {
                let due_ns = clock.mono_ns();
                if due_ns >= until_ns {
                    break;
                }
                tally.lock().sent_at(due_ns, due_ns);
                let outcome = connection.call(&draw.advance()).await;
                if record(&tally, due_ns, clock.mono_ns(), &outcome).is_err() {
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        });
    }
    while let Some(ended) = asking.join_next().await {
        ended.map_err(|_| gone())?;
    }
    Ok(())
}

/// Sends what is due when it is due, whatever was answered.
async fn open(
    side: &[Arc<Connection>],
    mut schedule: Schedule,
    task: &Task,
    clock: &Arc<SystemClock>,
) -> Result<(), Error> {
    let timer = Timer::new()?;
    let mut draw = (task.draws)(&task.name);
    let mut asking = JoinSet::new();
    for connection in side.iter().cycle() {
        let due_ns = task.start_ns + schedule.advance();
        if due_ns >= task.until_ns {
            break;
        }
        let mut now_ns = clock.mono_ns();
        while now_ns < due_ns {
            timer.wait(due_ns - now_ns).await?;
            now_ns = clock.mono_ns();
        }
        if now_ns >= task.until_ns + OVERTIME_NS {
            // The time is long over, and more was due than could be sent in it.
            task.tally.lock().failed_at(due_ns, "never sent: the generator was too slow");
            continue;
        }
        while asking.try_join_next().is_some() {}
        if asking.len() >= OUTSTANDING_MAX {
            task.tally.lock().failed_at(due_ns, "never sent: too many waiting");
            // Answers must be read even when what is due never ends.
            tokio::task::yield_now().await;
            continue;
        }
        task.tally.lock().sent_at(due_ns, now_ns);
        let operation = draw.advance();
        let (connection, clock) = (Arc::clone(connection), Arc::clone(clock));
        let tally = Arc::clone(&task.tally);
        asking.spawn(async move {
            let outcome = connection.call(&operation).await;
            let _counted = record(&tally, due_ns, clock.mono_ns(), &outcome);
        });
        if now_ns > due_ns + YIELD_NS {
            // Behind: those that were spawned must be sent, and answers read, before more is piled up.
            tokio::task::yield_now().await;
        }
    }
    while asking.join_next().await.is_some() {}
    // The last request may be due long before the time is over; who waits for the end is told at the end.
    wait_until(task.until_ns, &timer, clock).await
}

async fn wait_until(ns: u64, timer: &Timer, clock: &SystemClock) -> Result<(), Error> {
    if let Some(left) = ns.checked_sub(clock.mono_ns()).filter(|left| *left > 0) {
        timer.wait(left).await?;
    }
    Ok(())
}

/// A generator that is late goes on for so long when the time is over; what is left then is never sent.
const OVERTIME_NS: u64 = 2_000_000_000;
/// A generator that is behind its schedule by more than this lets its requests go before it makes more.
const YIELD_NS: u64 = 50_000;

/// Counts an outcome; an error when it was a failure.
fn record(tally: &Mutex<Tally>, due_ns: u64, now_ns: u64, outcome: &Outcome) -> Result<(), ()> {
    let mut tally = tally.lock();
    match outcome {
        Outcome::Answered { units, refused } => {
            tally.answered_at(due_ns, now_ns, *units);
            tally.refused_at(due_ns, *refused);
            Ok(())
        }
        Outcome::Failed(why) => {
            tally.failed_at(due_ns, why);
            Err(())
        }
    }
}
