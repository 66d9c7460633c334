//! The policy in force, and its generation: a number that changes whenever something that was allowed may not be any more, because
//! the file was read again or a token has ended. Connections remember decisions for one generation, and those that ask for nothing are
//! told that there is another one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use protocol::StatValue;
use stdx::sync::RwLock;
use tokio::sync::watch;

use super::policy::Policy;

/// See the module.
pub(crate) struct Access {
    path: PathBuf,
    policy: RwLock<Arc<Policy>>,
    generation: AtomicU64,
    /// The same, for connections that wait.
    news: watch::Sender<u64>,
    /// When the next token ends, seen from the time of the last look.
    next_expiry_ms: AtomicI64,
    /// The time of the last look.
    looked_ms: AtomicI64,
    /// How often the file could not be read again.
    failed: AtomicU64,
}

impl Access {
    /// The policy in the file at `path`.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub(crate) fn open(path: PathBuf, now_ms: i64) -> Result<Self, String> {
        let policy = Policy::load(&path)?;
        tell(&policy, now_ms);
        Ok(Self {
            path,
            next_expiry_ms: AtomicI64::new(policy.next_expiry_ms(now_ms)),
            looked_ms: AtomicI64::new(now_ms),
            policy: RwLock::new(Arc::new(policy)),
            // Connections begin with 0: they have decided nothing.
            generation: AtomicU64::new(1),
            news: watch::Sender::new(1),
            failed: AtomicU64::new(0),
        })
    }

    /// Changes when decisions have to be made again.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The policy, and its generation: decisions by the one hold as long as the other.
    pub(crate) fn policy(&self) -> (u64, Arc<Policy>) {
        // In this order: a policy that is newer than its number is asked again soon.
        let generation = self.generation.load(Ordering::Acquire);
        (generation, Arc::clone(&self.policy.read()))
    }

    /// Reads the file again. The policy stays as it was when something is wrong with it.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub(crate) fn reload(&self, now_ms: i64) -> Result<(), String> {
        let policy = Policy::load(&self.path).inspect_err(|error| {
            self.failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "the access policy could not be read again: the one in force stays");
        })?;
        tell(&policy, now_ms);
        let mut current = self.policy.write();
        self.look(&policy, now_ms);
        *current = Arc::new(policy);
        self.next_generation();
        Ok(())
    }

    /// Looks, some times a second, whether a token has ended: live connections are to notice.
    pub(crate) fn tick(&self, now_ms: i64) {
        let is_back = now_ms < self.looked_ms.swap(now_ms, Ordering::Relaxed);
        let has_ended = self.next_expiry_ms.load(Ordering::Relaxed) <= now_ms;
        if !has_ended && !is_back {
            return;
        }
        // Nobody reads the file again meanwhile.
        let policy = self.policy.write();
        // A clock that was set back has tokens before it that had ended already.
        self.look(&policy, now_ms);
        if has_ended {
            self.next_generation();
        }
    }

    /// Is told whenever there is another generation.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn look(&self, policy: &Policy, now_ms: i64) {
        self.looked_ms.store(now_ms, Ordering::Relaxed);
        self.next_expiry_ms.store(policy.next_expiry_ms(now_ms), Ordering::Relaxed);
    }

    fn next_generation(&self) {
        let generation = self.generation.fetch_add(1, Ordering::Release) + 1;
        self.news.send_replace(generation);
    }

    /// How often the file could not be read again.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        std::iter::once(("access_generation".to_owned(), StatValue::U64(self.generation())))
    }
}

fn tell(policy: &Policy, now_ms: i64) {
    let (subjects, tokens) = (policy.subjects.len(), policy.tokens.len());
    let expired = policy.tokens.iter().filter(|token| token.expires_ms <= now_ms).count();
    tracing::info!(subjects, tokens, expired, "an access policy is in force");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NewToken;

    const POLICY: &str = "[role.r]\nread = [\"*\"]\n[subject.s]\nroles = [\"r\"]\n";

    /// A policy of tokens that end at these times.
    fn policy(ends_ms: &[i64]) -> String {
        ends_ms.iter().fold(POLICY.to_owned(), |text, end_ms| {
            let token = NewToken::generate().expect("the system has randomness").sha256();
            let expires = model::time::format_timestamp(*end_ms);
            text + &format!("[[subject.s.token]]\nsha256 = \"{token}\"\nexpires = \"{expires}\"\n")
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a policy is an operator's file")]
    fn write(path: &std::path::Path, bytes: &[u8]) {
        std::fs::write(path, bytes).expect("a temporary directory");
    }

    /// What broke: with the clock far ahead for a moment the next end that was waited for lay far ahead, too, and tokens that ended
    /// before it lived on in connections that were open.
    #[test]
    fn tokens_end_at_their_time_also_when_the_clock_was_ahead_for_a_while() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("access.toml");
        write(&path, policy(&[10_000, 20_000, 30_000]).as_bytes());
        let access = Access::open(path, 1_000).expect("it is good");
        let mut news = access.news();
        let mut ends = |now_ms| {
            access.tick(now_ms);
            let is_told = news.has_changed().expect("it is there");
            news.mark_unchanged();
            is_told
        };
        assert!(!ends(9_999) && ends(25_000), "two have ended, by a clock that is wrong");
        assert!(!ends(2_000) && !ends(9_999), "they have not");
        assert!(ends(10_000) && !ends(19_999) && ends(20_000) && !ends(29_999) && ends(30_000));
        assert!(!ends(1_000_000), "there are no more");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a policy is an operator's file")]
    fn a_policy_that_cannot_be_read_again_is_counted_and_the_one_in_force_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("access.toml");
        let good = policy(&[10_000]);
        write(&path, good.as_bytes());
        let access = Access::open(path.clone(), 0).expect("it is good");
        let (_, first) = access.policy();
        let is_refused = |what: &str, count: u64| {
            let error = access.reload(0).expect_err(what);
            assert!(error.contains("access.toml"), "{what}: {error}");
            let (generation, policy) = access.policy();
            assert!(generation == 1 && Arc::ptr_eq(&policy, &first), "{what}: it stays");
            assert_eq!(access.failed(), count, "{what}: it is counted");
        };
        // As a copy leaves it that is not finished: cut in the middle of a token.
        write(&path, &good.as_bytes()[..good.len() / 2]);
        is_refused("half written", 1);
        write(&path, &[b'#', 0xff, b'\n']);
        is_refused("no text", 2);
        write(&path, &vec![b'#'; model::limits::ACCESS_BYTES_MAX + 1]);
        is_refused("too large", 3);
        // A directory has its name: nobody can read that, whoever it is.
        std::fs::remove_file(&path).and_then(|()| std::fs::create_dir(&path)).expect("it is ours");
        is_refused("unreadable", 4);
        std::fs::remove_dir(&path).expect("it is empty");
        write(&path, policy(&[10_000, 20_000]).as_bytes());
        access.reload(0).expect("it is good");
        let (generation, policy) = access.policy();
        assert_eq!((generation, policy.tokens.len()), (2, 2), "the new one is in force");
    }
}
