//! A load from its plan: sides connected and filled, then measured as often as is asked.

use std::sync::Arc;
use std::time::Duration;

use client::Client;
use stdx::clock::SystemClock;

use super::{
    Error,
    crew::Crew,
    distribution::Distribution,
    fill::fill_larder,
    larder::Service,
    operation::Draw,
    pace::Pace,
    run::{self, Draws, Live, Order, Run},
    server::{Measured, listening_process},
    side::Target,
    workload::{Workload, definitions},
};

/// What is asked, of whom, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// HOST:PORT of the server.
    pub addr: String,
    /// What is asked.
    pub workload: Workload,
    /// The service of the user's, when it is that.
    pub service: Option<Service>,
    /// About whom.
    pub distribution: Distribution,
    /// Of so many.
    pub entities: u64,
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
}

/// A load that is ready.
pub struct Bench {
    plan: Plan,
    crew: Crew,
    clock: Arc<SystemClock>,
    draws: Draws,
    servers: Vec<Option<Measured>>,
}

impl Bench {
    /// Defines on the server what the workload needs; the names of what is there now. Nothing for a service of the user's.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, as it does when rows of another width are defined already.
    pub fn define(plan: &Plan) -> Result<Vec<String>, Error> {
        if plan.service.is_some() {
            return Ok(Vec::new());
        }
        let client = Client::new(&plan.addr);
        let applied = runtime()?.block_on(async {
            client.apply("bench.toml", &definitions(plan.features), false).await
        })?;
        if !applied.applied {
            let why: Vec<_> = applied
                .changes
                .iter()
                .filter(|change| change.verb == model::definition::Verb::Refuse)
                .map(|change| format!("{} {}: {}", change.kind, change.name, change.detail))
                .collect();
            return Err(Error::Failed(format!(
                "the server has other definitions of these names: {}",
                why.join("; ")
            )));
        }
        Ok(applied.changes.iter().map(|change| change.name.clone()).collect())
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
        let what = (tables.as_slice(), plan.entities, plan.seed);
        runtime()?.block_on(fill_larder(&plan.addr, what, progress))
    }

    /// Connects.
    ///
    /// # Errors
    /// When a side cannot be reached.
    pub fn connect(plan: Plan) -> Result<Self, Error> {
        let targets = vec![Target::Larder {
            addr: plan.addr.clone(),
            tables: plan.workload.tables(),
            service: plan.service.clone(),
        }];
        let clock = Arc::new(SystemClock::new());
        let size = (plan.generators, plan.connections);
        let crew = Crew::start(&targets, size, plan.timeout, &clock)?;
        let servers = vec![listening_process(&plan.addr).map(|pid| Measured { pid })];
        let (workload, of) = (plan.workload.clone(), (plan.distribution, plan.entities));
        let (batch, seed) = (plan.batch, plan.seed);
        let draws: Draws = Arc::new(move |stream| Draw::new(&workload, of, batch, (seed, stream)));
        Ok(Self { plan, crew, clock, draws, servers })
    }

    /// The plan it follows.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
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
        run::run((&self.crew, &self.clock), &self.draws, server, order, watch)
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
