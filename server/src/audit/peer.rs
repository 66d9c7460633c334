//! One connection's side of the log: what it costs a request that is not told.

use std::sync::Arc;

use stdx::prng::Prng;

use super::{
    Audit,
    event::Who,
    tally::{Of, Tally},
};

/// See the module. By default nothing is logged.
#[derive(Debug, Default)]
pub(crate) struct AuditedPeer {
    /// `None`: nothing is logged.
    tally: Option<Arc<Tally>>,
    lots: Option<Lots>,
}

/// Which reads are told: each with the same chance, at the cost of one subtraction for those that are not.
#[derive(Debug)]
struct Lots {
    rate: f64,
    random: Prng,
    /// Reads until the next one that is told.
    left: u64,
}

impl AuditedPeer {
    pub(super) fn new(tally: Arc<Tally>, rate: f64, seed: u64) -> Self {
        Self { tally: Some(tally), lots: (rate > 0.0).then(|| Lots::new(rate, seed)) }
    }

    /// The same peer on another thread, with lots of its own.
    pub(crate) fn elsewhere(&self, audit: &Audit) -> Self {
        self.tally.as_ref().map_or_else(Self::default, |tally| {
            Self::new(Arc::clone(tally), audit.reads, audit.next_seed())
        })
    }

    /// Who reads, when the read that comes now is told.
    pub(crate) fn draw(&mut self) -> Option<Who> {
        if self.lots.as_mut().is_some_and(Lots::draw) { self.who() } else { None }
    }

    /// Who it is; `None` when nothing is logged.
    pub(crate) fn who(&self) -> Option<Who> {
        self.tally.as_ref().map(|tally| tally.who())
    }

    /// What its hello said that reads are for; empty when it said nothing, or nothing is logged.
    pub(crate) fn purpose(&self) -> Arc<str> {
        self.tally.as_ref().map_or_else(Arc::default, |tally| tally.purpose())
    }

    /// Its counts; `None` when nothing is logged.
    pub(crate) fn tally(&self) -> Option<Arc<Tally>> {
        self.tally.clone()
    }

    /// A request touched so many rows, for `purpose`; `name` is asked once a second.
    pub(crate) fn count(
        &self,
        (of, purpose): (Of, &str),
        rows: u64,
        name: impl FnOnce() -> Option<String>,
    ) {
        if let Some(tally) = &self.tally {
            tally.count((of, purpose), rows, name);
        }
    }
}

impl Lots {
    fn new(rate: f64, seed: u64) -> Self {
        let mut lots = Self { rate, random: Prng::new(seed), left: 0 };
        lots.left = lots.gap();
        lots
    }

    fn draw(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.left = self.gap();
        true
    }

    /// Reads that are not told before the next one that is: geometric, as if each had drawn for itself.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number that is not negative; one beyond u64 becomes its largest, which never comes"
    )]
    fn gap(&mut self) -> u64 {
        if self.rate >= 1.0 {
            return 0;
        }
        // In (0, 1]: the logarithm of 0 is no number.
        let uniform = ((self.random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        (uniform.ln() / (-self.rate).ln_1p()).floor() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_was_asked_for_is_told() {
        for (rate, reads) in [(0.01, 1_000_000_u32), (0.5, 10_000), (1.0, 1000)] {
            let mut lots = Lots::new(rate, 7);
            let told = (0..reads).filter(|_| lots.draw()).count();
            let expected = f64::from(reads) * rate;
            let spread = 5.0 * (expected * (1.0 - rate)).sqrt();
            assert!((told as f64 - expected).abs() <= spread, "{told} of {reads} at {rate}");
        }
    }

    #[test]
    fn nothing_is_told_when_nothing_is_logged() {
        let mut peer = AuditedPeer::default();
        assert!((0..1000).all(|_| peer.draw().is_none()));
        assert_eq!(peer.who(), None);
    }
}
