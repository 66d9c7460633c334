//! TLS handshakes: how many are under way, of everybody and of each address, and how fast an address begins them. Whoever makes one
//! has proved nothing yet, and it costs a thousand times what a request does.

use std::net::SocketAddr;

use model::limits::{
    HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_BURST_MAX, HANDSHAKES_PER_ADDRESS_MAX,
    HANDSHAKES_PER_ADDRESS_PER_SECOND_MAX,
};

use super::{census::Place, pace::Pace, places::Places, throttle::Throttle};

/// See the module.
#[derive(Debug)]
pub(crate) struct Handshakes {
    places: Places,
    pace: Pace,
    told: Throttle,
}

impl Handshakes {
    /// None is under way; `seed` decides which addresses share their pace.
    pub(crate) fn new(seed: u64) -> Self {
        let (per_second, burst) =
            (HANDSHAKES_PER_ADDRESS_PER_SECOND_MAX, HANDSHAKES_PER_ADDRESS_BURST_MAX);
        Self {
            places: Places::new("a TLS handshake", HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX),
            pace: Pace::new(per_second, burst, seed),
            told: Throttle::default(),
        }
    }

    /// The place of one that begins now; `None` when it may not, which the log tells.
    pub(crate) fn begin(&self, addr: SocketAddr, now_ns: u64) -> Option<Place> {
        let place = self.places.enter(addr, now_ns).ok()?;
        if self.pace.begins(addr.ip(), now_ns) {
            return Some(place);
        }
        if let Some(more) = self.told.pass(now_ns) {
            let limit = HANDSHAKES_PER_ADDRESS_PER_SECOND_MAX;
            tracing::warn!(limit, %addr, more, "a TLS handshake was refused: its address begins too many in a second");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().expect("an address"), 1)
    }

    #[test]
    fn one_address_has_a_quarter_of_the_places_and_nobody_more_than_all() {
        let handshakes = Handshakes::new(1);
        let mut held = Vec::new();
        for n in 1..=5 {
            let tries = 0..HANDSHAKES_MAX;
            let addr = addr(&format!("10.0.0.{n}"));
            let begun: Vec<_> = tries.filter_map(|_| handshakes.begin(addr, 1)).collect();
            assert_eq!(begun.len(), if n < 5 { HANDSHAKES_PER_ADDRESS_MAX } else { 0 });
            held.extend(begun);
        }
        held.clear();
        assert!(handshakes.begin(addr("10.0.0.5"), 1).is_some(), "places are given back");
    }

    #[test]
    fn an_address_that_begins_one_after_the_other_is_held_to_its_rate() {
        let handshakes = Handshakes::new(1);
        let begun = |now_ns| {
            let tries = 0..10 * HANDSHAKES_PER_ADDRESS_BURST_MAX;
            tries.filter(|_| handshakes.begin(addr("127.0.0.1"), now_ns).is_some()).count() as u64
        };
        assert_eq!(begun(1), HANDSHAKES_PER_ADDRESS_BURST_MAX);
        assert_eq!(begun(1_000_000_001), HANDSHAKES_PER_ADDRESS_PER_SECOND_MAX);
    }
}
