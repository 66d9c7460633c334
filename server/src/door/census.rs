//! How many connections there are, of everybody and of each address: one address does not take the places of all others.
//!
//! Looked at when a connection comes and goes, never by a request. Of IPv6 the first 64 bits count: whoever has one address there
//! has 2^64 of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stdx::sync::Mutex;

/// See the module.
#[derive(Debug)]
pub(super) struct Census {
    max: usize,
    per_address_max: usize,
    all: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection; given back when it is dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Place {
    census: Arc<Census>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The server has so many connections.
    Server(usize),
    /// The address has so many.
    Address(usize),
}

impl Census {
    /// For at most so many connections, and of one address.
    pub(crate) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        let (all, by_address) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
        Arc::new(Self { max, per_address_max, all, by_address })
    }

    /// Connections that are open.
    pub(crate) fn count(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// What there are too many of.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = counted_as(address);
        let mut by_address = self.by_address.lock();
        if self.count() >= self.max {
            return Err(Full::Server(self.max));
        }
        let count = by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            return Err(Full::Address(self.per_address_max));
        }
        *count += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
        Ok(Place { census: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.census.by_address.lock();
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
        self.census.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What counts as one address.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn places_are_limited_by_address_and_altogether_and_given_back() {
        let census = Census::new(3, 2);
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        let first = census.enter(one).expect("empty");
        let _second = census.enter(one).expect("one place left");
        assert_eq!(census.enter(one).expect_err("two"), Full::Address(2));
        let third = census.enter(other).expect("another address");
        assert_eq!(census.enter(other).expect_err("three"), Full::Server(3));
        drop(first);
        assert_eq!(census.count(), 2);
        let _again = census.enter(one).expect("a place came free");
        drop(third);
        assert_eq!(census.by_address.lock().len(), 1, "who is gone is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_mapped_ones_are_ipv4() {
        let census = Census::new(10, 1);
        let _one = census.enter(address("2001:db8:0:1::1")).expect("empty");
        assert!(census.enter(address("2001:db8:0:1:ffff::2")).is_err());
        assert!(census.enter(address("2001:db8:0:2::1")).is_ok());
        let _v4 = census.enter(address("192.0.2.7")).expect("empty");
        assert!(census.enter(address("::ffff:192.0.2.7")).is_err());
    }
}
