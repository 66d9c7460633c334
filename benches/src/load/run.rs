//! One measurement of one side: a warm-up, then the time that counts; and what it came to.

use std::sync::Arc;
use std::time::Duration;

use stdx::{
    clock::{Clock, SystemClock},
    sync::Mutex,
};

use super::{
    Error,
    arrivals::Turn,
    crew::{Crew, Task, share},
    operation::Draw,
    pace::Pace,
    server::Measured,
    stop::Stop,
    tally::Tally,
};
use crate::kernel;

/// Between the order to start and the first request, so that all generators start together.
const LEAD_NS: u64 = 5_000_000;
/// How often the one who watches is told.
const TICK: Duration = Duration::from_millis(250);

/// What is measured.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) side: usize,
    pub(super) pace: Pace,
    /// Sent, but not counted.
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    /// Of the random streams; two orders of one name send the same requests.
    pub(super) name: String,
    pub(super) seed: u64,
}

/// How it is going.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live {
    /// Seconds that counted so far; none during the warm-up.
    pub seconds: f64,
    /// Of so many.
    pub of_seconds: f64,
    /// Answers a second just now.
    pub rate: f64,
    /// Latencies of the current second, in µs.
    pub p50_us: u64,
    /// See [`Live::p50_us`].
    pub p99_us: u64,
    /// Failures so far.
    pub failed: u64,
}

/// What one measurement came to.
#[derive(Debug, Clone)]
pub struct Run {
    /// How requests were paced.
    pub pace: Pace,
    /// What came of them.
    pub tally: Tally,
    /// CPU time of the server meanwhile, in ns, when it is on this machine and lived to the end.
    pub server_cpu_ns: Option<u64>,
    /// CPU time of the generators meanwhile, in ns.
    pub generator_cpu_ns: u64,
    /// How many generators there were.
    pub generators: usize,
}

impl Run {
    /// CPU time of the server for one answer, in µs; both within the measured time.
    #[must_use]
    pub fn server_cpu_us(&self) -> Option<f64> {
        let answered = self.tally.answers_within();
        let ns = self.server_cpu_ns.filter(|_| answered > 0)?;
        Some(ns as f64 / 1e3 / answered as f64)
    }

    /// The share of one core that a generator used, from 0 to 1.
    #[must_use]
    pub fn generator_share(&self) -> f64 {
        self.generator_cpu_ns as f64 / 1e9 / self.tally.seconds().max(1e-9) / self.generators as f64
    }

    /// The share of requests that were sent more than a millisecond late.
    #[must_use]
    pub fn late_share(&self) -> f64 {
        let (late, _, sent) = self.tally.late_sends();
        late as f64 / sent.max(1) as f64
    }

    /// What the figures leave out, if it is much: requests that failed, and answers about nobody.
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        const FAILED_SHARE: f64 = 0.01;
        const REFUSED_SHARE: f64 = 0.1;
        let mut told = Vec::new();
        let tally = &self.tally;
        let (failed, ended) = (tally.failed(), tally.ended());
        if failed as f64 > FAILED_SHARE * ended as f64 {
            told.push(format!(
                "{failed} of {ended} requests failed: rate and latencies are of the others"
            ));
        }
        let (refused, units) = (tally.refused_units(), tally.units());
        if refused as f64 > REFUSED_SHARE * units as f64 {
            told.push(format!(
                "{refused} of {units} entities, rows or events were not found or not taken: that costs less than what is there; \
                 are the keys those of `larder get`?"
            ));
        }
        told
    }

    /// Why the figures say more of the generator than of the server, if they do.
    #[must_use]
    pub fn generator_limit(&self) -> Option<String> {
        const LATE_SHARE_MAX: f64 = 0.01;
        const BUSY_SHARE: f64 = 0.95;
        let (late, late_ns_max, sent) = self.tally.late_sends();
        if self.late_share() > LATE_SHARE_MAX {
            return Some(format!(
                "the generator could not keep up: {late} of {sent} requests were sent more than 1 ms after they were due (at \
                 most {:.1} ms); their latencies count from when they were due",
                late_ns_max as f64 / 1e6
            ));
        }
        let is_closed = matches!(self.pace, Pace::Closed { .. });
        (is_closed && self.generator_share() > BUSY_SHARE).then(|| {
            format!(
                "the generators used {:.0} % of a core each: the rate is theirs, and not the server's limit; more \
                 --generators help as long as cores are free for them",
                100.0 * self.generator_share()
            )
        })
    }
}

/// Makes the operations of a named stream.
pub(super) type Draws = Arc<dyn Fn(&str) -> Draw + Send + Sync>;

/// Measures.
pub(super) fn run(
    (crew, clock): (&Crew, &SystemClock),
    draws: &Draws,
    server: Option<Measured>,
    order: &Order,
    (watch, stop): (&mut dyn FnMut(&Live), &Stop),
) -> Result<Run, Error> {
    let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let start_ns = clock.mono_ns() + LEAD_NS;
    let from_ns = start_ns + ns(order.warm_up);
    let until_ns = from_ns + ns(order.duration);
    let tallies: Vec<_> = (0..crew.len())
        .map(|_| Arc::new(Mutex::new(Tally::by_second(from_ns, until_ns))))
        .collect();
    for (number, tally) in tallies.iter().enumerate() {
        let task = Task {
            side: order.side,
            pace: part(order.pace, crew.len(), number),
            turn: Turn { number, of: crew.len() },
            draws: Arc::clone(draws),
            name: format!("{}/{number}", order.name),
            seed: order.seed,
            start_ns,
            until_ns,
            tally: Arc::clone(tally),
        };
        crew.send(number, task)?;
    }
    let cpu = || (server.and_then(Measured::cpu_ns), kernel::process_ns());
    let mut watching = Watching {
        crew,
        clock,
        tallies: &tallies,
        stop,
        from_ns,
        until_ns,
        last: (0, 0),
        first_has_ended: false,
    };
    watching.until(from_ns, watch)?;
    let (server_before, own_before) = cpu();
    watching.until(until_ns, watch)?;
    let (server_after, own_after) = cpu();
    for number in usize::from(watching.first_has_ended)..crew.len() {
        while !crew.wait(number, TICK)? {
            stop.check()?;
        }
    }
    let mut tally = Tally::by_second(from_ns, until_ns);
    tallies.iter().for_each(|part| tally.add(&part.lock()));
    let spent = |(after, before): (u64, u64)| after.saturating_sub(before);
    Ok(Run {
        pace: order.pace,
        tally,
        server_cpu_ns: server_after.zip(server_before).map(spent),
        generator_cpu_ns: spent((own_after, own_before)),
        generators: crew.len(),
    })
}

/// The part of the pace that generator `number` has.
fn part(pace: Pace, generators: usize, number: usize) -> Pace {
    match pace {
        Pace::Closed { concurrency } => {
            Pace::Closed { concurrency: share(concurrency, generators, number) }
        }
        Pace::Open { rate, arrivals } => Pace::Open { rate: rate / generators as f64, arrivals },
    }
}

struct Watching<'a> {
    crew: &'a Crew,
    clock: &'a SystemClock,
    tallies: &'a [Arc<Mutex<Tally>>],
    stop: &'a Stop,
    from_ns: u64,
    until_ns: u64,
    /// Answers at the last look, and when that was.
    last: (u64, u64),
    /// The first generator's word has been heard: it comes once.
    first_has_ended: bool,
}

impl Watching<'_> {
    /// Waits until `end_ns`, and tells meanwhile.
    fn until(&mut self, end_ns: u64, watch: &mut dyn FnMut(&Live)) -> Result<(), Error> {
        loop {
            let now_ns = self.clock.mono_ns();
            let Some(left) = end_ns.checked_sub(now_ns).filter(|left| *left > 0) else {
                return Ok(());
            };
            self.stop.check()?;
            // A generator ends when the time is over and not before, unless it cannot go on, which is an error.
            self.first_has_ended |= self.crew.wait(0, TICK.min(Duration::from_nanos(left)))?;
            self.tell(watch);
        }
    }

    fn tell(&mut self, watch: &mut dyn FnMut(&Live)) {
        let now_ns = self.clock.mono_ns();
        let counted_ns = now_ns.saturating_sub(self.from_ns);
        let (mut answered, mut failed) = (0, 0);
        let mut latest: Option<hdrhistogram::Histogram<u64>> = None;
        for tally in self.tallies {
            let tally = tally.lock();
            answered += tally.answered();
            failed += tally.failed();
            let filled = tally.timeline().iter().rev().find(|part| !part.latencies_us.is_empty());
            if let Some(part) = filled {
                match &mut latest {
                    Some(all) => drop(all.add(&part.latencies_us)),
                    None => latest = Some(part.latencies_us.clone()),
                }
            }
        }
        let (answered_before, then_ns) = self.last;
        let passed = now_ns.saturating_sub(then_ns.max(self.from_ns)).max(1);
        self.last = (answered, now_ns);
        let quantile = |quantile| latest.as_ref().map_or(0, |all| all.value_at_quantile(quantile));
        watch(&Live {
            seconds: counted_ns as f64 / 1e9,
            of_seconds: self.until_ns.saturating_sub(self.from_ns) as f64 / 1e9,
            rate: answered.saturating_sub(answered_before) as f64 * 1e9 / passed as f64,
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            failed,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::load::{
        distribution::Distribution,
        pace::Arrivals,
        peer::{echo, sizes::Sizes},
        side::Target,
        workload::{Kind, Workload},
    };

    /// Bytes of a request and of its answer.
    const BYTES: usize = 16;

    /// A server that reads `held` requests before it answers the first: a stall, measured in requests and not in time.
    fn stalling_server(held: usize) -> SocketAddr {
        use std::io::{Read, Write};
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let addr = listener.local_addr().expect("it has one");
        let serve = move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut requests = vec![0; held * BYTES];
            stream.read_exact(&mut requests).expect("they come");
            stream.write_all(&requests).expect("the client reads");
            while stream.read_exact(&mut requests[..BYTES]).is_ok() {
                stream.write_all(&requests[..BYTES]).expect("the client reads");
            }
        };
        std::thread::Builder::new().name("server".into()).spawn(serve).expect("a thread");
        addr
    }

    /// The echo of this library, on a thread of its own.
    fn echo_server() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let addr = listener.local_addr().expect("it has one");
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                listener.set_nonblocking(true).expect("possible");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(echo::answer(stream));
                }
            });
        };
        std::thread::Builder::new().name("server".into()).spawn(serve).expect("a thread");
        addr
    }

    fn measured(addr: SocketAddr, size: (usize, usize), pace: Pace) -> Run {
        let duration = Duration::from_millis(400);
        attempt(addr, size, pace, duration, &mut |_| {}, &Stop::default()).expect("it runs")
    }

    fn attempt(
        addr: SocketAddr,
        size: (usize, usize),
        pace: Pace,
        duration: Duration,
        watch: &mut dyn FnMut(&Live),
        stop: &Stop,
    ) -> Result<Run, Error> {
        let sizes = Sizes::only(Kind::ReadRow, BYTES, BYTES);
        let targets = [Target::Echo { addr: addr.to_string(), sizes }];
        let clock = Arc::new(SystemClock::new());
        let timeout = Duration::from_secs(30);
        let crew = Crew::start(&targets, size, timeout, &clock);
        let crew = crew.expect("it connects");
        let workload = Workload::only(Kind::ReadRow);
        let draws: Draws = Arc::new(move |stream: &str| {
            Draw::new(&workload, (Distribution::Uniform, 10), 1, (1, stream))
        });
        let order = Order {
            side: 0,
            pace,
            warm_up: Duration::ZERO,
            duration,
            name: "test".into(),
            seed: 1,
        };
        run((&crew, &clock), &draws, None, &order, (watch, stop))
    }

    #[test]
    fn who_has_had_enough_does_not_wait_for_the_end() {
        let clock = SystemClock::new();
        for pace in [
            Pace::Closed { concurrency: 2 },
            Pace::Open { rate: 1.0, arrivals: Arrivals::Constant },
        ] {
            let stop = Stop::default();
            let hour = Duration::from_secs(3600);
            let stopped = attempt(echo_server(), (1, 1), pace, hour, &mut |_| stop.set(), &stop);
            assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        }
        assert!(clock.mono_ns() < 60_000_000_000);
    }

    #[test]
    fn a_stall_is_in_the_latencies_of_all_who_would_have_asked_meanwhile() {
        let pace = Pace::Open { rate: 1000.0, arrivals: Arrivals::Constant };
        let run = measured(stalling_server(300), (1, 1), pace);
        // Due a millisecond apart; the first waits for 300 of them, the 300th for none.
        let ms = |quantile| run.tally.quantile(quantile) / 1_000_000;
        assert!((380..=400).contains(&run.tally.answered()), "{}", run.tally.answered());
        assert!(ms(1.0) >= 280, "the slowest took {} ms", ms(1.0));
        assert!(ms(0.5) >= 80, "half of them took {} ms or less", ms(0.5));
    }

    #[test]
    fn generators_share_rate_and_callers_and_add_up() {
        let pace = Pace::Open { rate: 2000.0, arrivals: Arrivals::Poisson };
        let run = measured(echo_server(), (2, 3), pace);
        let answered = run.tally.answered();
        // 800 are expected; five standard deviations.
        assert!((660..=940).contains(&answered), "{answered}");
        assert_eq!((run.tally.failed(), run.generators), (0, 2));
        let closed = measured(echo_server(), (2, 3), Pace::Closed { concurrency: 5 });
        assert!(closed.tally.answered() > 5 && closed.tally.failed() == 0);
    }
}
