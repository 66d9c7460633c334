//! Locks and atomics: parking_lot and std; loom's under `--cfg loom`, which tries every interleaving of a small model; shuttle's
//! under `--cfg shuttle`, which tries many of a large one at random.
//!
//! Everything that is to be model-checked takes its primitives from here. All sides have one shape: `lock()`,
//! `read()` and `write()` return the guard itself (a poisoned lock is a programmer error and panics).

#[cfg(not(any(loom, shuttle)))]
pub use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(any(loom, shuttle)))]
pub use std::sync::{Arc, atomic};
#[cfg(not(any(loom, shuttle)))]
pub use std::thread;

/// A condition variable that works on the guard in place.
#[cfg(not(any(loom, shuttle)))]
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

#[cfg(not(any(loom, shuttle)))]
impl Condvar {
    /// A condition nobody waits for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Releases the lock, waits for a notification, takes the lock again.
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(&mut guard);
        guard
    }

    /// As [`Condvar::wait`], but at most `timeout`.
    pub fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: std::time::Duration,
    ) -> MutexGuard<'a, T> {
        let _timed_out = self.0.wait_for(&mut guard, timeout);
        guard
    }

    /// Wakes one waiter.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes every waiter.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[cfg(loom)]
use loom as checker;
#[cfg(shuttle)]
use shuttle as checker;

#[cfg(any(loom, shuttle))]
pub use checker::{
    sync::{Arc, MutexGuard, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};
#[cfg(any(loom, shuttle))]
pub use modelled::{Condvar, Mutex, RwLock};

/// The checker's locks in parking_lot's shape.
#[cfg(any(loom, shuttle))]
mod modelled {
    use super::{MutexGuard, RwLockReadGuard, RwLockWriteGuard, checker::sync};

    /// See the module.
    #[derive(Debug)]
    pub struct Mutex<T>(sync::Mutex<T>);

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread panicked while it held this lock")
        }
    }

    /// See the module.
    #[derive(Debug)]
    pub struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Self {
            Self(sync::RwLock::new(value))
        }

        /// Waits for a shared lock.
        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect("no thread panicked while it held this lock")
        }

        /// A shared lock, if nobody has to be waited for.
        pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
            self.0.try_read().ok()
        }

        /// Waits for the exclusive lock.
        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect("no thread panicked while it held this lock")
        }
    }

    /// See the module. A timed wait is a plain wait: models do not depend on time passing.
    #[derive(Debug)]
    pub struct Condvar(sync::Condvar);

    impl Default for Condvar {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Condvar {
        /// A condition nobody waits for yet.
        pub fn new() -> Self {
            Self(sync::Condvar::new())
        }

        /// Releases the lock, waits for a notification, takes the lock again.
        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).expect("no thread panicked while it held this lock")
        }

        /// A plain wait.
        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _timeout: std::time::Duration,
        ) -> MutexGuard<'a, T> {
            self.wait(guard)
        }

        /// Wakes one waiter.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes every waiter.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
