//! A budget of extra requests: every call puts in a share of a token, every extra request takes a whole one.
//!
//! So a server in trouble sees at most that share more requests, not a multiple of them, and a few at once all the same.

use std::sync::atomic::{AtomicU32, Ordering};

/// Tokens that the bucket holds and starts with.
const TOKENS_MAX: u32 = 10;

/// A token bucket, counted in shares.
pub(crate) struct Budget {
    shares: AtomicU32,
    shares_per_token: u32,
}

impl Budget {
    /// One extra request for each `calls` calls, and ten at the start.
    pub(crate) fn one_in(calls: u32) -> Self {
        Self { shares: AtomicU32::new(TOKENS_MAX * calls), shares_per_token: calls }
    }

    /// Counts a call.
    pub(crate) fn earn(&self) {
        let most = TOKENS_MAX * self.shares_per_token;
        let earned = |shares: u32| (shares < most).then(|| shares + 1);
        // Full: nothing to remember.
        let _full = self.shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earned);
    }

    /// Takes the price of one extra request; false when the budget is used up.
    pub(crate) fn spend(&self) -> bool {
        let spent = |shares: u32| shares.checked_sub(self.shares_per_token);
        self.shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_are_free_and_as_many_calls_as_agreed_earn_another() {
        for calls in [10, 20] {
            let budget = Budget::one_in(calls);
            assert_eq!((0..20).filter(|_| budget.spend()).count(), 10);
            (1..calls).for_each(|_| budget.earn());
            assert!(!budget.spend(), "{calls} calls are not over yet");
            budget.earn();
            assert_eq!((0..20).filter(|_| budget.spend()).count(), 1);
        }
    }

    #[test]
    fn quiet_times_do_not_pile_up_more_than_ten() {
        let budget = Budget::one_in(20);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
    }
}
