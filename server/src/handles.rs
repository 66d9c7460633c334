//! What was prepared, by handle: shared by all connections, and nobody can crowd out what others use.
//!
//! ```text
//! prepare ─► known already: the same handle for equal requests
//!         └► new: counted to its connection, whose own oldest leaves when it has too many
//! all     ─► the hand of a clock goes round: what was looked up since it passed stays, the first that was not leaves
//! ```
//!
//! Handles are bounded in number and, since a plan is as large as its columns are many, in columns. Who used a handle that has left
//! prepares again by itself. (The clock: Corbató, *A Paging Experiment with the Multics System*, 1968.)

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use model::limits::{HANDLE_COLUMNS_MAX, HANDLES_MAX, HANDLES_PER_CONNECTION_MAX};
use stdx::{prng::seed_from_os, sync::Mutex};

use crate::prepared::Prepared;

/// See the module.
pub(crate) struct Handles {
    /// Cold: looked up when a connection changes its handle, written when a client prepares.
    entries: DashMap<u64, Entry>,
    /// Handle of each prepared request, by the version of the definitions and its bytes.
    known: DashMap<Request, u64>,
    clock: Mutex<Clock>,
}

type Request = (u64, Arc<[u8]>);

struct Entry {
    prepared: Arc<Prepared>,
    request: Request,
    /// It was looked up since the hand passed.
    is_used: AtomicBool,
    /// Another connection has prepared the same.
    is_shared: AtomicBool,
    columns: usize,
}

#[derive(Default)]
struct Clock {
    /// What the hand comes to next is in front.
    dial: VecDeque<u64>,
    columns: usize,
}

/// The handles that one connection was the first to prepare, the oldest in front.
#[derive(Debug, Default)]
pub(crate) struct Made(VecDeque<u64>);

impl Handles {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { entries: DashMap::new(), known: DashMap::new(), clock: Mutex::default() }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// What `handle` stands for.
    pub(crate) fn get(&self, handle: u64) -> Option<Arc<Prepared>> {
        let entry = self.entries.get(&handle)?;
        entry.is_used.store(true, Ordering::Relaxed);
        Some(Arc::clone(&entry.prepared))
    }

    /// The handle of a request that was prepared before under these definitions; 0 when it was not.
    pub(crate) fn known(&self, (version, request): (u64, &[u8]), made: &Made) -> u64 {
        let Some(handle) = self.known.get(&(version, Arc::from(request))).map(|handle| *handle)
        else {
            return 0;
        };
        let Some(entry) = self.entries.get(&handle) else { return 0 };
        entry.is_used.store(true, Ordering::Relaxed);
        if !made.0.contains(&handle) {
            entry.is_shared.store(true, Ordering::Relaxed);
        }
        handle
    }

    /// A handle for `prepared`, which reads so many columns, to whoever has `made` others.
    pub(crate) fn add(
        &self,
        (version, request): (u64, &[u8]),
        (prepared, columns): (Prepared, usize),
        made: &mut Made,
    ) -> u64 {
        // Random: nobody guesses another's, and one of an earlier server is not taken for one of this. 0 is none.
        let handle = seed_from_os().max(1);
        let request = (version, Arc::from(request));
        let entry = Entry {
            prepared: Arc::new(prepared),
            request: (version, Arc::clone(&request.1)),
            // It has to earn its place: else all marks would go at once, and the oldest first.
            is_used: AtomicBool::new(false),
            is_shared: AtomicBool::new(false),
            columns,
        };
        self.entries.insert(handle, entry);
        self.known.insert(request, handle);
        if made.0.len() >= HANDLES_PER_CONNECTION_MAX {
            self.forget_oldest(made);
        }
        made.0.push_back(handle);
        let mut clock = self.clock.lock();
        clock.dial.push_back(handle);
        clock.columns += columns;
        self.turn(&mut clock);
        handle
    }

    /// A connection's oldest handle leaves, unless others have come to use it.
    fn forget_oldest(&self, made: &mut Made) {
        let Some(oldest) = made.0.pop_front() else { return };
        let is_shared =
            self.entries.get(&oldest).is_none_or(|entry| entry.is_shared.load(Ordering::Relaxed));
        if !is_shared {
            let mut clock = self.clock.lock();
            if let Some(place) = clock.dial.iter().position(|handle| *handle == oldest) {
                clock.dial.remove(place);
            }
            self.remove(oldest, &mut clock);
        }
    }

    /// Moves the hand until there are few enough.
    fn turn(&self, clock: &mut Clock) {
        // Twice round: the first time marks are taken away.
        let mut steps = 2 * clock.dial.len();
        while clock.dial.len() > HANDLES_MAX || clock.columns > HANDLE_COLUMNS_MAX {
            let Some(handle) = clock.dial.pop_front() else { return };
            let is_used = self
                .entries
                .get(&handle)
                .is_some_and(|entry| entry.is_used.swap(false, Ordering::Relaxed));
            steps = steps.saturating_sub(1);
            if is_used && steps > 0 {
                clock.dial.push_back(handle);
            } else {
                self.remove(handle, clock);
            }
        }
    }

    fn remove(&self, handle: u64, clock: &mut Clock) {
        if let Some((_, entry)) = self.entries.remove(&handle) {
            clock.columns -= entry.columns;
            self.known.remove_if(&entry.request, |_, known| *known == handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(handles: &Handles, made: &mut Made, number: usize, columns: usize) -> u64 {
        let request = (number as u64).to_le_bytes();
        match handles.known((1, &request), made) {
            0 => handles.add((1, &request), (Prepared::Stream(number), columns), made),
            known => known,
        }
    }

    #[test]
    fn equal_requests_share_a_handle_and_other_versions_do_not() {
        let handles = Handles::new();
        let (mut one, mut other) = (Made::default(), Made::default());
        let handle = add(&handles, &mut one, 5, 1);
        assert_eq!(add(&handles, &mut other, 5, 1), handle);
        assert_eq!(handles.known((2, &5_u64.to_le_bytes()), &one), 0);
        assert!(matches!(handles.get(handle).as_deref(), Some(Prepared::Stream(5))));
    }

    #[test]
    fn a_connection_that_makes_many_loses_its_own_oldest_that_nobody_shares() {
        let handles = Handles::new();
        let (mut greedy, mut quiet) = (Made::default(), Made::default());
        let theirs = add(&handles, &mut quiet, 1_000_000, 1);
        let first = add(&handles, &mut greedy, 0, 1);
        let second = add(&handles, &mut greedy, 1, 1);
        assert_eq!(add(&handles, &mut quiet, 1, 1), second, "shared");
        for number in 2..10 * HANDLES_PER_CONNECTION_MAX {
            add(&handles, &mut greedy, number, 1);
        }
        assert!(handles.get(first).is_none());
        assert!(handles.get(second).is_some() && handles.get(theirs).is_some());
        assert_eq!(handles.count(), HANDLES_PER_CONNECTION_MAX + 2);
        assert_eq!(handles.known.len(), handles.count());
    }

    #[test]
    fn what_is_used_stays_when_many_connections_make_more_than_there_is_room_for() {
        let handles = Handles::new();
        let mut quiet = Made::default();
        let (used, unused) =
            (add(&handles, &mut quiet, 1 << 40, 1), add(&handles, &mut quiet, 1 << 41, 1));
        let columns = HANDLE_COLUMNS_MAX / 1000;
        let mut number = 0;
        for _ in 0..8 {
            let mut greedy = Made::default();
            for _ in 0..500 {
                number += 1;
                add(&handles, &mut greedy, number, columns);
                assert!(handles.get(used).is_some());
                assert!(handles.clock.lock().columns <= HANDLE_COLUMNS_MAX);
            }
        }
        assert!(handles.get(unused).is_none() && handles.count() <= 1002);
        assert_eq!(handles.known.len(), handles.count());
    }
}
