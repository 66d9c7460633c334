//! Producers as the engine knows them: those of each subject are its own, so that nobody takes the sequences of another's.

use sha2::{Digest as _, Sha256};

/// What the engine calls `producer` of the subject with this name. Names of producers can be guessed; who could choose what they come
/// to would have another's writes taken for repetitions.
pub(super) fn of_subject(name: &str, producer: u128) -> u128 {
    let mut hash = Sha256::new();
    hash.update(b"larder producer");
    hash.update(producer.to_le_bytes());
    hash.update(name.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    // Nobody's writes have producer 0.
    u128::from_le_bytes(half).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_producers_are_all_told_apart_and_none_is_nobody() {
        let all = ["a", "b", "ab"].map(|name| [1, 2, u128::MAX].map(|it| of_subject(name, it)));
        let distinct: std::collections::BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!((distinct.len(), distinct.contains(&0)), (9, false));
        assert_eq!(of_subject("a", 1), all[0][0], "the same again");
    }
}
