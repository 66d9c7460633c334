//! What stands in front of a row's cells: whose row it is, and of when. All of it in one place: to find a row is to look there.

use super::slot::Times;

/// Keys up to this length lie in the head itself.
const SHORT_MAX: usize = 22;

/// An entity's key. Most are short, and then comparing one takes no way to somewhere else in memory.
#[derive(Debug)]
enum Key {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Box<[u8]>),
}

impl Default for Key {
    fn default() -> Self {
        Self::Short { len: 0, bytes: [0; SHORT_MAX] }
    }
}

/// A time for each feature, behind a thin pointer: almost every row has one time and needs none.
pub(super) type OwnTimes = Option<Box<Box<[i64]>>>;

/// The head of a row; that of a slot without a row has an empty key.
#[derive(Debug, Default)]
pub(super) struct Head {
    key: Key,
    /// Event time of every feature without one of its own, in ms.
    pub(super) time: i64,
    /// Event times of single features; fewer than there are, when the last of them came later.
    pub(super) times: OwnTimes,
}

const _: () = assert!(size_of::<Head>() == 40, "a key of 24 bytes, a time, and a pointer");

impl Head {
    /// Of a row whose features all have `time`.
    pub(super) fn new(key: &[u8], time: i64) -> Self {
        let mut bytes = [0; SHORT_MAX];
        let key = match (bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(key);
                Key::Short { len, bytes }
            }
            _ => Key::Long(key.into()),
        };
        Self { key, time, times: None }
    }

    /// Canonical entity key.
    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        match &self.key {
            Key::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Key::Long(bytes) => bytes,
        }
    }

    /// Times of single features.
    #[inline]
    pub(super) fn own_times(&self) -> Times<'_> {
        self.times.as_deref().map_or(Times::One, |times| Times::Own(times))
    }
}

/// Bytes that a key takes beside its head.
pub(super) fn key_heap_bytes(key: &[u8]) -> usize {
    if key.len() > SHORT_MAX { key.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_are_what_they_were() {
        for length in 0..=300 {
            let key: Vec<u8> = (0..=255).cycle().take(length).collect();
            let head = Head::new(&key, -7);
            assert_eq!((head.key(), head.time), (key.as_slice(), -7));
            let is_beside = matches!(head.key, Key::Long(_));
            assert_eq!(key_heap_bytes(&key), if is_beside { length } else { 0 });
        }
        assert!(Head::default().key().is_empty(), "a free slot holds no row");
    }
}
