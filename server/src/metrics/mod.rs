//! What is counted while requests are served: by each thread for itself, added up when somebody asks.
//!
//! ```text
//! net-0 ──► meter 0 ┐                        requests, how long they took, bytes
//! net-1 ──► meter 1 ┼─► /metrics adds up
//! bulk-0 ─► meter 2 ┘
//!           lane 0, 1, 2 of each service     what was served: values by status
//! ```
//!
//! A thread writes its meter and its lanes with plain stores: no locked instruction, no line of memory that another thread writes, no
//! allocation. Not here: what the engine counts (its statistics), and how any of it looks as text (`admin`).

mod hot_keys;
mod meter;
mod served;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::limits::SERVICES_COUNTED_MAX;
use protocol::CallStatus;
use stdx::{histogram::Buckets, sync::Mutex};

pub(crate) use meter::{Begun, Meter, OPERATIONS_MAX, STATUSES_MAX, reply_status};
pub(crate) use served::Served;

/// The meters of all threads, and what was served of each service.
#[derive(Debug)]
pub(crate) struct Metrics {
    network: Vec<Arc<Meter>>,
    bulk: Vec<Arc<Meter>>,
    services: Mutex<BTreeMap<String, Arc<Served>>>,
}

impl Metrics {
    /// For so many network threads, and as many that read in bulk.
    pub(crate) fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let meters = |lanes: std::ops::Range<usize>| {
            lanes.map(|lane| Arc::new(Meter::new(lane))).collect::<Vec<_>>()
        };
        Self {
            network: meters(0..threads),
            bulk: meters(threads..2 * threads),
            services: Mutex::default(),
        }
    }

    /// The meter of network thread `index`; of the first when there is none.
    pub(crate) fn network(&self, index: usize) -> Arc<Meter> {
        Arc::clone(self.network.get(index).unwrap_or(&self.network[0]))
    }

    /// Requests that network threads answered as they should.
    pub(crate) fn succeeded(&self) -> u64 {
        let ok = usize::from(CallStatus::Ok.code());
        let of = |meter: &Arc<Meter>| -> u64 {
            (0..OPERATIONS_MAX).map(|operation| meter.requests(operation, ok)).sum()
        };
        self.network.iter().map(of).sum()
    }

    /// The meter of bulk thread `index`; of the first when there is none.
    pub(crate) fn bulk(&self, index: usize) -> Arc<Meter> {
        Arc::clone(self.bulk.get(index).unwrap_or(&self.bulk[0]))
    }

    /// Where to count what is served of service `name`; `None` when too many names were served already.
    pub(crate) fn service(&self, name: &str) -> Option<Arc<Served>> {
        let mut services = self.services.lock();
        if let Some(served) = services.get(name) {
            return Some(Arc::clone(served));
        }
        if services.len() >= SERVICES_COUNTED_MAX {
            return None;
        }
        let served = Arc::new(Served::new(name, self.network.len() + self.bulk.len()));
        services.insert(name.to_owned(), Arc::clone(&served));
        Some(served)
    }

    /// Every service that was prepared, by name.
    pub(crate) fn services(&self) -> Vec<Arc<Served>> {
        self.services.lock().values().map(Arc::clone).collect()
    }

    /// A number of all meters, added up.
    pub(crate) fn sum(&self, number: impl Fn(&Meter) -> u64) -> u64 {
        self.meters().map(number).sum()
    }

    /// How long requests of the operation with this code took, in ns.
    pub(crate) fn durations(&self, operation: usize) -> Buckets {
        let mut sum = Buckets::empty(&stdx::histogram::DURATIONS_NS);
        self.meters().filter_map(|meter| meter.durations(operation)).for_each(|one| sum.add(&one));
        sum
    }

    fn meters(&self) -> impl Iterator<Item = &Meter> {
        self.network.iter().chain(&self.bulk).map(|meter| &**meter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::status::Status;
    use protocol::{CallStatus, Header, Opcode};

    fn answered(meter: &Meter, status: CallStatus, took_ns: u64) {
        let begun = Begun::new(&Header::request(Opcode::Read, 1, 0), &[], 1_000, 1_000);
        meter.answered(&begun, status.code(), 1_000 + took_ns);
    }

    #[test]
    fn what_threads_counted_for_themselves_adds_up() {
        let metrics = Metrics::new(2);
        answered(&metrics.network(0), CallStatus::Ok, 9_000);
        answered(&metrics.network(1), CallStatus::Ok, 40_000);
        answered(&metrics.network(1), CallStatus::Invalid, 0);
        let read = usize::from(Opcode::Read.code());
        let count = |status: CallStatus| {
            metrics.sum(|meter| meter.requests(read, usize::from(status.code())))
        };
        assert_eq!((count(CallStatus::Ok), count(CallStatus::Invalid)), (2, 1));
        let durations = metrics.durations(read);
        assert_eq!((durations.count(), durations.sum), (3, 49_000));
    }

    #[test]
    fn a_service_keeps_its_counts_when_it_is_prepared_again() {
        let metrics = Metrics::new(1);
        let codes = [Status::Present, Status::Null, Status::Present].map(Status::code);
        metrics.service("a").expect("room").count(0, 1, &codes);
        metrics.service("a").expect("room").count(1, 3, &codes);
        let counts = metrics.services()[0].counts();
        assert_eq!((counts.requests, counts.vectors), (2, 4));
        assert_eq!(counts.values, [4, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn there_is_a_bound_to_services_that_are_counted() {
        let metrics = Metrics::new(1);
        let all_have_room =
            (0..SERVICES_COUNTED_MAX).all(|n| metrics.service(&n.to_string()).is_some());
        assert!(all_have_room && metrics.service("one more").is_none());
        assert!(metrics.service("0").is_some(), "known ones go on");
    }
}
