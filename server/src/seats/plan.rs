//! How many network threads are used, decided from how much they work, what is free of the machine, and what came of the last decision.
//!
//! * A core is spent to answer sooner: when a thread works for more than half of the time and a core is free, threads become more.
//! * It is not spent to wake up more often: what a quarter of the time of fewer threads is enough for is done by fewer, after a while.
//! * On a machine that is full more threads may be worse: they take the core from those who ask, and each wakes up for fewer requests.
//!   Whether it is so depends on the requests, and is tried: fewer threads for some tenths of a second, and back if less was done.
//!
//! A trial that failed is repeated after a time that doubles.

use std::collections::VecDeque;

/// A thread that works for more of the time than this has more to do than it should.
const MUCH: f64 = 0.5;
/// What fewer threads would work on average for them to be enough.
const LITTLE: f64 = 0.25;
/// So often in a row little must have been done.
const LITTLE_TIMES: u32 = 30;
/// As much of a core is free.
const FREE: f64 = 0.25;
/// So often in a row it must have been: in the first moment of a load the machine is always half free.
const FREE_TIMES: u32 = 2;
/// As little of a machine is free that is full.
const FULL: f64 = 0.1;
/// So often in a row it must have been.
const FULL_TIMES: u32 = 5;
/// Moments that are compared.
const COMPARED: usize = 5;
/// Moments of a trial that do not count: connections are on their way.
const ON_THE_WAY: usize = 3;
/// Moments until a trial that failed is repeated, at first and at most: 10 s and 10 minutes.
const REST: (u32, u32) = (100, 6_000);
/// What is left of a load that has gone.
const GONE: f64 = 0.5;
/// How much more must be done for more threads to be kept on a machine that is full.
const MORE: f64 = 1.05;
/// How much may be lost for fewer threads to be kept, and how much better answers and CPU time together must become.
const FEWER: (f64, f64) = (0.97, 1.08);

/// What a moment was like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// Which part of the time each of the threads worked, 0 to 1.
    pub(super) worked: &'a [f64],
    /// Cores of the machine that had nothing to do; `None` when that is not known.
    pub(super) idle: Option<f64>,
    /// Requests that were answered as they should be.
    pub(super) answered: f64,
    /// Somebody was turned away.
    pub(super) has_shed: bool,
}

/// What of it is compared.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    worked: f64,
    idle: f64,
    answered: f64,
}

/// Another number of threads, to see what it is good for.
#[derive(Debug)]
struct Trial {
    /// How many were used before, and what that was like.
    from: usize,
    before: Look,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    threads: usize,
    used: usize,
    /// The last moments with so many.
    looks: VecDeque<Look>,
    /// How many of those there were.
    since: usize,
    trial: Option<Trial>,
    /// How often in a row little was done, a core was free for one who has much to do, and the machine was full.
    little: u32,
    free: u32,
    full: u32,
    /// Moments until the next trial, and how many failed in a row.
    rest: u32,
    failed: u32,
}

impl Plan {
    /// For so many threads, of which so many are used now.
    pub(super) fn new(threads: usize, used: usize) -> Self {
        let looks = VecDeque::with_capacity(COMPARED + 1);
        Self {
            threads,
            used,
            looks,
            since: 0,
            trial: None,
            little: 0,
            free: 0,
            full: 0,
            rest: 0,
            failed: 0,
        }
    }

    /// How many are used after this moment.
    pub(super) fn next(&mut self, moment: Moment<'_>) -> usize {
        let worked: f64 = moment.worked.iter().sum();
        let idle = moment.idle.unwrap_or(f64::INFINITY);
        self.looks.push_back(Look { worked, idle, answered: moment.answered });
        if self.looks.len() > COMPARED {
            self.looks.pop_front();
        }
        (self.since, self.rest) = (self.since + 1, self.rest.saturating_sub(1));
        match self.trial.take() {
            Some(trial)
                if self.used > trial.from && self.grows(worked / self.used as f64, idle) =>
            {
                // All of them have much to do: it stays a trial.
                self.uses(self.more(worked));
                self.trial = Some(trial);
            }
            Some(trial) if self.has_gone(&trial, worked, idle) => {
                // Nothing is known of what was tried, and fewer are enough.
                self.uses(trial.from.min(self.used));
            }
            Some(trial) if self.lasts(&trial, moment.has_shed) => self.trial = Some(trial),
            Some(trial) => self.ends(&trial, moment.has_shed),
            None => self.decides(moment.worked, worked, idle),
        }
        self.used
    }

    /// Uses so many from now on.
    fn uses(&mut self, used: usize) {
        self.used = used;
        (self.little, self.free, self.full, self.since) = (0, 0, 0, 0);
        self.looks.clear();
    }

    fn tries(&mut self, used: usize) {
        self.trial = Some(Trial { from: self.used, before: self.mean() });
        self.uses(used);
    }

    /// What the last moments were like.
    fn mean(&self) -> Look {
        let mean = |part: fn(&Look) -> f64| {
            self.looks.iter().map(part).sum::<f64>() / self.looks.len().max(1) as f64
        };
        Look {
            worked: mean(|look| look.worked),
            idle: mean(|look| look.idle),
            answered: mean(|look| look.answered),
        }
    }

    /// Whoever asked for so much has gone while it was tried what is best for that.
    fn has_gone(&self, trial: &Trial, worked: f64, idle: f64) -> bool {
        // Fewer threads cannot do more than all the time.
        let could = trial.before.worked.min(self.used as f64);
        self.since > 1 && idle >= FREE && worked < GONE * could
    }

    /// It is not known yet what came of a trial. Of fewer threads it is, when they have to turn somebody away.
    fn lasts(&self, trial: &Trial, has_shed: bool) -> bool {
        self.since < ON_THE_WAY + COMPARED && !(has_shed && self.used < trial.from)
    }

    fn ends(&mut self, trial: &Trial, has_shed: bool) {
        let (now, before) = (self.mean(), trial.before);
        let answered = now.answered / before.answered.max(1.0);
        let is_better = if self.used > trial.from {
            now.idle >= FULL || answered >= MORE
        } else {
            let work = now.worked / before.worked.max(f64::MIN_POSITIVE);
            let thrift = answered * answered / work.max(f64::MIN_POSITIVE);
            !has_shed && answered >= FEWER.0 && thrift >= FEWER.1
        };
        if is_better {
            (self.failed, self.rest) = (0, 0);
        } else {
            self.rest = REST.0.saturating_mul(1 << self.failed.min(16)).min(REST.1);
            self.failed += 1;
            self.uses(trial.from);
        }
    }

    fn decides(&mut self, threads: &[f64], worked: f64, idle: f64) {
        let fewer = self.used - 1;
        let is_little = fewer > 0 && most(threads) <= MUCH && worked <= LITTLE * fewer as f64;
        self.little = if is_little { self.little + 1 } else { 0 };
        let is_full = fewer > 0 && self.mean().idle < FULL;
        self.full = if is_full { self.full + 1 } else { 0 };
        let is_free = self.grows(most(threads), idle);
        self.free = if is_free { self.free + 1 } else { 0 };
        let may_try = self.rest == 0;
        // Where much is free a trial that failed was another one.
        if self.free >= FREE_TIMES && (may_try || idle >= 2.0 * FREE) {
            self.tries(self.more(worked));
        } else if self.little >= LITTLE_TIMES {
            self.uses(fewer);
        } else if self.full >= FULL_TIMES && may_try {
            self.tries(fewer);
        }
    }

    /// Somebody works for so much of the time that another thread helps, and there is a core for it.
    fn grows(&self, works: f64, idle: f64) -> bool {
        works > MUCH && idle >= FREE && self.used < self.threads
    }

    /// How many are used next when it is more: all of them have much to do, or one connection has, which is not helped by many.
    fn more(&self, worked: f64) -> usize {
        let more = if worked > MUCH * self.used as f64 { self.used } else { 1 };
        (self.used + more).min(self.threads)
    }
}

/// What the busiest of them does.
fn most(threads: &[f64]) -> f64 {
    threads.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests;
