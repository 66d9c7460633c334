//! Locks and atomics: parking_lot and std, or loom's models under `--cfg loom`.
//!
//! Everything that is to be model-checked takes its primitives from here. The two sides have one shape: `lock()`,
//! `read()` and `write()` return the guard itself (a poisoned lock is a programmer error and panics).

#[cfg(not(loom))]
pub use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(loom))]
pub use std::sync::{Arc, atomic};
#[cfg(not(loom))]
pub use std::thread;

/// A condition variable that works on the guard in place.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

#[cfg(not(loom))]
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
pub use loom::{
    sync::{Arc, MutexGuard, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};
#[cfg(loom)]
pub use modelled::{Condvar, Mutex, RwLock};

/// loom's locks in parking_lot's shape.
#[cfg(loom)]
mod modelled {
    use super::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    /// See the module.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread panicked while it held this lock")
        }
    }

    /// See the module.
    #[derive(Debug)]
    pub struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        /// Waits for a shared lock.
        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect("no thread panicked while it held this lock")
        }

        /// Waits for the exclusive lock.
        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect("no thread panicked while it held this lock")
        }
    }

    /// See the module. Under loom a timed wait is a plain wait: models do not depend on time passing.
    #[derive(Debug)]
    pub struct Condvar(loom::sync::Condvar);

    impl Default for Condvar {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Condvar {
        /// A condition nobody waits for yet.
        pub fn new() -> Self {
            Self(loom::sync::Condvar::new())
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
