//! One request before anybody's protocol: what and about whom, drawn from a seed, so that each side gets the same work.

use stdx::prng::Prng;

use super::{
    distribution::{Distribution, Entities},
    workload::{Kind, Workload},
};

/// What one request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its kind.
    pub kind: Kind,
    /// The entities it is about, one or a batch.
    pub entities: Vec<u64>,
    /// The seed of the values that it writes or sends along.
    pub seed: u64,
}

/// Draws operations.
#[derive(Debug, Clone)]
pub struct Draw {
    workload: Workload,
    entities: Entities,
    batch: usize,
    prng: Prng,
}

impl Draw {
    /// Operations of `workload` about `count` entities; those of batches about `batch` at once. `stream` names whose they are.
    #[must_use]
    pub fn new(
        workload: &Workload,
        (distribution, count): (Distribution, u64),
        batch: usize,
        (seed, stream): (u64, &str),
    ) -> Self {
        Self {
            workload: workload.clone(),
            entities: Entities::new(distribution, count),
            batch: batch.max(1),
            prng: Prng::stream(seed, stream),
        }
    }

    /// The next one.
    pub fn advance(&mut self) -> Operation {
        let kind = match self.workload.shares() {
            [(only, _)] => *only,
            _ => self.workload.at(self.prng.below(100)),
        };
        let count = if kind.is_batch() { self.batch } else { 1 };
        let entities = (0..count).map(|_| self.entities.draw(&mut self.prng)).collect();
        Operation { kind, entities, seed: self.prng.next_u64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(workload: &Workload, seed: u64, stream: &str) -> Vec<Operation> {
        let mut draw = Draw::new(workload, (Distribution::Zipf(1.1), 1000), 7, (seed, stream));
        (0..1000).map(|_| draw.advance()).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_work() {
        let mixed = Workload::mixed();
        assert_eq!(drawn(&mixed, 3, "a"), drawn(&mixed, 3, "a"));
        assert_ne!(drawn(&mixed, 3, "a"), drawn(&mixed, 3, "b"));
        assert_ne!(drawn(&mixed, 3, "a"), drawn(&mixed, 4, "a"));
    }

    #[test]
    fn batches_have_their_size_and_mixes_their_shares() {
        let batches = drawn(&Workload::only(Kind::ReadBatch), 1, "a");
        assert!(batches.iter().all(|operation| operation.entities.len() == 7));
        let mixed = drawn(&Workload::mixed(), 1, "a");
        let reads = mixed.iter().filter(|operation| operation.kind.is_read()).count();
        assert!((750..850).contains(&reads), "{reads} of 1000, 800 are expected");
        assert!(mixed.iter().all(|operation| operation.entities.len() == 1));
    }
}
