//! How fast one address may begin what costs the server much more than the peer.
//!
//! Each address has a bucket of tokens that fills at a steady rate, kept as the one time when it will be full again (the generic cell
//! rate algorithm of ATM, ITU-T I.371). There are [`BUCKETS`] of them, and a hash that nobody outside knows says which is
//! whose: whoever comes from thousands of addresses takes no more memory, and whoever shares a bucket by chance shares its rate.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use stdx::hash::KeyHasher;

use super::census::counted_as;

/// 32 KiB.
const BUCKETS: usize = 4096;
const SECOND_NS: u64 = 1_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    hasher: KeyHasher,
    /// When each bucket is full again, on the monotonic clock, in ns.
    full_at_ns: Box<[AtomicU64]>,
    /// A token comes back in so long.
    token_ns: u64,
    /// An empty bucket is full after so long.
    bucket_ns: u64,
}

impl Pace {
    /// For so many a second, and `burst` at once; `seed` decides who shares a bucket.
    pub(super) fn new(per_second: u64, burst: u64, seed: u64) -> Self {
        let token_ns = SECOND_NS / per_second.max(1);
        Self {
            hasher: KeyHasher::new(seed),
            full_at_ns: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            token_ns,
            bucket_ns: token_ns.saturating_mul(burst),
        }
    }

    /// True when `address` may begin one more now, which is counted; else nothing is.
    pub(super) fn begins(&self, address: IpAddr, now_ns: u64) -> bool {
        let hash = match counted_as(address) {
            IpAddr::V4(v4) => self.hasher.hash(&v4.octets()),
            IpAddr::V6(v6) => self.hasher.hash(&v6.octets()),
        };
        let bucket = usize::try_from(hash % BUCKETS as u64).unwrap_or(0);
        let take = |full_at_ns: u64| {
            let full_at_ns = full_at_ns.max(now_ns).saturating_add(self.token_ns);
            (full_at_ns - now_ns <= self.bucket_ns).then_some(full_at_ns)
        };
        let bucket = self.full_at_ns.get(bucket);
        bucket.is_some_and(|it| it.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 1;

    fn begun(pace: &Pace, address: &str, tries: u64, now_ns: u64) -> u64 {
        let address = address.parse().expect("an address");
        (0..tries).filter(|_| pace.begins(address, now_ns)).count() as u64
    }

    #[test]
    fn an_address_has_its_burst_and_then_its_rate_whatever_it_tries() {
        let pace = Pace::new(10, 30, SEED);
        assert_eq!(begun(&pace, "10.0.0.1", 1000, 5), 30);
        // A hundred tries in each of a thousand milliseconds: refused tries cost no token.
        let in_a_second: u64 =
            (1..=1000).map(|ms| begun(&pace, "10.0.0.1", 100, 5 + ms * 1_000_000)).sum();
        assert_eq!(in_a_second, 10);
        assert_eq!(begun(&pace, "10.0.0.1", 1000, 100 * SECOND_NS), 30, "no more is saved up");
    }

    #[test]
    fn addresses_have_buckets_of_their_own_and_a_network_of_ipv6_has_one() {
        let pace = Pace::new(10, 30, SEED);
        assert_eq!(begun(&pace, "2001:db8:0:1::1", 1000, 0), 30);
        assert_eq!(begun(&pace, "2001:db8:0:1::2", 1000, 0), 0);
        assert_eq!(begun(&pace, "2001:db8:0:2::1", 1000, 0), 30);
        let of_many: Vec<_> =
            (0..100).map(|n| begun(&pace, &format!("10.0.1.{n}"), 31, 0)).collect();
        let own = of_many.iter().filter(|begun| **begun == 30).count();
        assert!(own > 80, "seed {SEED}: {of_many:?}");
    }
}
