//! The policy in force, and its generation: a number that changes whenever something that was allowed may not be any more, because
//! the file was read again or a token has ended. Connections remember decisions for one generation.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use protocol::StatValue;
use stdx::sync::RwLock;

use super::policy::Policy;

/// See the module.
pub(crate) struct Access {
    path: PathBuf,
    policy: RwLock<Arc<Policy>>,
    generation: AtomicU64,
    /// When the next token ends.
    next_expiry_ms: AtomicI64,
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
            policy: RwLock::new(Arc::new(policy)),
            // Connections begin with 0: they have decided nothing.
            generation: AtomicU64::new(1),
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
        self.next_expiry_ms.store(policy.next_expiry_ms(now_ms), Ordering::Relaxed);
        *current = Arc::new(policy);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Looks, some times a second, whether a token has ended: live connections are to notice.
    pub(crate) fn tick(&self, now_ms: i64) {
        if self.next_expiry_ms.load(Ordering::Relaxed) > now_ms {
            return;
        }
        // Nobody reads the file again meanwhile.
        let policy = self.policy.write();
        let next_ms = policy.next_expiry_ms(now_ms);
        self.next_expiry_ms.store(next_ms, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        let figures = [
            ("access_generation", self.generation()),
            ("access_reloads_failed_count", self.failed.load(Ordering::Relaxed)),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), StatValue::U64(value)))
    }
}

fn tell(policy: &Policy, now_ms: i64) {
    let (subjects, tokens) = (policy.subjects.len(), policy.tokens.len());
    let expired = policy.tokens.iter().filter(|token| token.expires_ms <= now_ms).count();
    tracing::info!(subjects, tokens, expired, "an access policy is in force");
}
