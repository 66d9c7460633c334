//! The memory limit while writes come, fail and are counted: what is allocated is never above the limit, what is said to be used
//! never below that, no difference wraps around, and a write that failed leaves nothing behind.
#![cfg(loom)]

use engine::memory_limit::Accountant;
use loom::thread;
use loom_tests::check;
use stdx::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Room for one write and a half.
const LIMIT: u64 = 96;
/// What a write says that it may need, and what it takes: no less, so that nobody is let in by a walk in between.
const WRITE: u64 = 64;

#[derive(Clone, Copy, PartialEq)]
enum Write {
    Correct,
    /// A planted bug: settled before it is applied, so that a walk in between takes the estimate for gone.
    SettlesFirst,
    /// A planted bug: asks whether there is room, then takes it.
    AsksThenTakes,
}

struct Database {
    memory: Accountant,
    allocated: AtomicU64,
    /// A planted bug's own count.
    asked: AtomicU64,
}

impl Database {
    fn walk(&self) -> u64 {
        self.allocated.load(Ordering::SeqCst)
    }

    fn allocate(&self) {
        let before = self.allocated.fetch_add(WRITE, Ordering::SeqCst);
        assert!(before + WRITE <= LIMIT, "{} bytes allocated, {LIMIT} allowed", before + WRITE);
    }

    /// Whether the write was applied; `fails` behind its admission.
    fn write(&self, write: Write, fails: bool) -> bool {
        if write == Write::AsksThenTakes {
            if self.asked.load(Ordering::SeqCst) + WRITE > LIMIT {
                return false;
            }
            self.asked.fetch_add(WRITE, Ordering::SeqCst);
            self.allocate();
            return true;
        }
        // The clock stands still: the first walk is as old as the last.
        let Ok(room) = self.memory.admit(WRITE, || 1, || self.walk()) else { return false };
        if fails {
            return false;
        }
        if write == Write::SettlesFirst {
            room.settle();
            self.allocate();
        } else {
            self.allocate();
            room.settle();
        }
        true
    }
}

/// A write that succeeds, one that fails or not, and a walk.
fn race(write: Write, fails: bool) {
    check(move || {
        let (allocated, asked) = (AtomicU64::new(0), AtomicU64::new(0));
        let memory = Accountant::new(Some(LIMIT));
        let database = Arc::new(Database { memory, allocated, asked });
        let writer = {
            let database = Arc::clone(&database);
            thread::spawn(move || database.write(write, false))
        };
        let other = {
            let database = Arc::clone(&database);
            thread::spawn(move || database.write(write, fails))
        };
        database.memory.measure(1, || database.walk());
        let (allocated, used) = (database.walk(), database.memory.used());
        let is_counted = write != Write::AsksThenTakes;
        assert!(used >= allocated || !is_counted, "{used} bytes used, {allocated} allocated");
        // A write that the walk found already, and that is not settled yet, counts twice.
        assert!(used <= LIMIT + WRITE, "{used} bytes used, {LIMIT} allowed");
        let applied = [writer, other].map(|writer| u64::from(writer.join().expect("a write ends")));
        assert_eq!(database.walk(), applied.iter().sum::<u64>() * WRITE);
        database.memory.measure(2, || database.walk());
        assert_eq!(database.memory.used(), database.walk(), "estimates that stay behind");
    });
}

#[test]
fn two_writes_never_take_room_for_one() {
    race(Write::Correct, false);
}

#[test]
fn a_write_that_fails_gives_its_room_back() {
    race(Write::Correct, true);
}

#[test]
#[should_panic(expected = "bytes allocated, 96 allowed")]
fn the_model_finds_an_estimate_settled_before_its_write() {
    race(Write::SettlesFirst, false);
}

#[test]
#[should_panic(expected = "bytes allocated, 96 allowed")]
fn the_model_finds_a_question_apart_from_its_answer() {
    race(Write::AsksThenTakes, false);
}
