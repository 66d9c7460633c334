//! A load from its plan: sides connected and filled, then measured as often as is asked.

use std::sync::Arc;
use std::time::Duration;

use stdx::clock::SystemClock;

use super::{
    Error,
    caller::Caller,
    crew::Crew,
    definitions,
    distribution::Distribution,
    fill::{Each, Filling, fill},
    greeting,
    larder::{Larder, Service},
    operation::Draw,
    pace::Pace,
    peer::{redis::Redis, sizes},
    run::{self, Draws, Live, Order, Run},
    server::{Measured, listening_process},
    side::Target,
    stop::Stop,
    workload::Workload,
};

/// What Larder is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// The Redis server at HOST:PORT.
    Redis(String),
    /// The echo at HOST:PORT.
    Echo(String),
}

impl Peer {
    fn addr(&self) -> &str {
        match self {
            Self::Redis(addr) | Self::Echo(addr) => addr,
        }
    }
}

/// What is asked, of whom, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// HOST:PORT of the server.
    pub addr: String,
    /// Who asks it.
    pub caller: Caller,
    /// Whom to compare it with.
    pub peer: Option<Peer>,
    /// What is asked.
    pub workload: Workload,
    /// The service of the user's, when it is that.
    pub service: Option<Service>,
    /// About whom.
    pub distribution: Distribution,
    /// Of so many.
    pub entities: u64,
    /// Events that each of them gets in each window group before.
    pub events: u64,
    /// Features of a row.
    pub features: usize,
    /// Entities of a batch.
    pub batch: usize,
    /// Connections to each side.
    pub connections: usize,
    /// Generator threads.
    pub generators: usize,
    /// After which a request has failed.
    pub timeout: Duration,
    /// Of everything random.
    pub seed: u64,
    /// Asked while it fills and measures.
    pub stop: Stop,
}

/// A load that is ready.
pub struct Bench {
    plan: Plan,
    crew: Crew,
    clock: Arc<SystemClock>,
    draws: Draws,
    servers: Vec<Option<Measured>>,
    peer_name: Option<String>,
}

/// How long a batch that fills Redis may take.
const FILL_TIMEOUT: Duration = Duration::from_secs(60);

impl Plan {
    fn draw(&self, workload: &Workload, stream: &str) -> Draw {
        let of = (self.distribution, self.entities);
        Draw::new(workload, of, self.batch, (self.seed, stream))
    }

    /// The peer as a side, and what it is called.
    fn peer_target(&self, peer: &Peer) -> Result<(Target, String), Error> {
        match peer {
            Peer::Redis(addr) if self.service.is_some() => Err(Error::Usage(format!(
                "redis://{addr}: a service of yours is not on Redis; compare it with echo"
            ))),
            Peer::Redis(addr) => {
                let name = runtime()?.block_on(async {
                    let redis = Redis::connect(addr, self.features, self.timeout).await?;
                    Ok::<_, Error>(redis.describe().await)
                })?;
                Ok((Target::Redis { addr: addr.clone(), features: self.features }, name))
            }
            Peer::Echo(addr) => {
                let draws = |workload: &Workload| self.draw(workload, "sizes");
                let what = (&self.workload, &draws as &dyn Fn(&Workload) -> Draw);
                let whom = (self.addr.as_str(), &self.caller);
                let counting = sizes::count(whom, self.service.as_ref(), what, self.timeout);
                let sizes = runtime()?.block_on(counting)?;
                let lengths: Vec<_> = sizes
                    .iter()
                    .map(|(kind, request, reply)| {
                        format!("{} {request} bytes in, {reply} out", kind.as_str())
                    })
                    .collect();
                let name = format!("echo ({})", lengths.join("; "));
                Ok((Target::Echo { addr: addr.clone(), sizes }, name))
            }
        }
    }
}

impl Bench {
    /// Makes sure that servers answer where `plan` says so, within seconds.
    ///
    /// # Errors
    /// When one cannot be reached, or is something else.
    pub fn greet(plan: &Plan) -> Result<(), Error> {
        greeting::greet(plan)
    }

    /// Defines on the server what the workload needs; the names of what is new there. Nothing for a service of the user's.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, as it does when rows of another width are defined already.
    pub fn define(plan: &Plan) -> Result<Vec<String>, Error> {
        definitions::define(plan)
    }

    /// Makes sure that what the workload needs is there already, instead: nothing is defined.
    ///
    /// # Errors
    /// When the server cannot be reached, or an earlier load left nothing, or rows of another width.
    pub fn find(plan: &Plan) -> Result<(), Error> {
        definitions::find(plan)
    }

    /// Fills the server; `progress` hears what is done, and of how much.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn fill(plan: &Plan, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        let tables = plan.workload.tables();
        if tables.is_empty() {
            return Ok(());
        }
        let what =
            (tables.as_slice(), Each { entities: plan.entities, events: plan.events }, plan.seed);
        runtime()?.block_on(async {
            let larder = Filling::Larder(
                Larder::connect_patient((&plan.addr, &plan.caller), &tables).await?,
            );
            fill(larder, what, (progress, &plan.stop)).await?;
            let Some(Peer::Redis(addr)) = &plan.peer else { return Ok(()) };
            let redis = Redis::connect(addr, plan.features, FILL_TIMEOUT).await?;
            fill(Filling::Redis(redis), what, (progress, &plan.stop)).await
        })
    }

    /// Connects.
    ///
    /// # Errors
    /// When a side cannot be reached.
    pub fn connect(plan: Plan) -> Result<Self, Error> {
        let mut targets = vec![Target::Larder {
            addr: plan.addr.clone(),
            caller: Box::new(plan.caller.clone()),
            tables: plan.workload.tables(),
            service: plan.service.clone(),
        }];
        let mut peer_name = None;
        if let Some(peer) = &plan.peer {
            let (target, name) = plan.peer_target(peer)?;
            targets.push(target);
            peer_name = Some(name);
        }
        let clock = Arc::new(SystemClock::new());
        let size = (plan.generators, plan.connections);
        let crew = Crew::start(&targets, size, plan.timeout, &clock)?;
        let addrs = std::iter::once(plan.addr.as_str()).chain(plan.peer.as_ref().map(Peer::addr));
        let servers =
            addrs.map(|addr| listening_process(addr).map(|pid| Measured { pid })).collect();
        let drawing = plan.clone();
        let draws: Draws = Arc::new(move |stream| drawing.draw(&drawing.workload, stream));
        Ok(Self { plan, crew, clock, draws, servers, peer_name })
    }

    /// The plan it follows.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the peer is, when there is one.
    #[must_use]
    pub fn peer_name(&self) -> Option<String> {
        self.peer_name.clone()
    }

    /// The process of the server, when it is on this machine.
    #[must_use]
    pub fn server(&self) -> Option<Measured> {
        self.servers.first().copied().flatten()
    }

    /// Measures once; `watch` hears how it is going, four times a second.
    ///
    /// # Errors
    /// When a generator cannot go on. What servers answer is counted, and no error.
    pub fn run(
        &self,
        pace: Pace,
        (warm_up, duration): (Duration, Duration),
        watch: &mut dyn FnMut(&Live),
    ) -> Result<Run, Error> {
        let order = Order {
            side: 0,
            pace,
            warm_up,
            duration,
            name: "run".to_owned(),
            seed: self.plan.seed,
        };
        self.measure(&order, watch)
    }

    pub(super) fn measure(
        &self,
        order: &Order,
        watch: &mut dyn FnMut(&Live),
    ) -> Result<Run, Error> {
        let server = self.servers.get(order.side).copied().flatten();
        run::run((&self.crew, &self.clock), &self.draws, server, order, (watch, &self.plan.stop))
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
