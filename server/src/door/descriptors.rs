//! How many files and sockets the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept for everything that is no connection: segments, snapshots, exports, the admin port.
const KEPT: usize = 256;

/// Raises the limit as far as the process may, and says how many of `wanted` connections there is room for.
pub(crate) fn room_for(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current =
        if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let current =
        current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX));
    // Of a very low limit connections get half.
    wanted.min(current.saturating_sub(KEPT).max(current / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_do_not_take_the_last_descriptor() {
        let limit = getrlimit(Resource::Nofile).maximum;
        let room = room_for(usize::MAX);
        assert!(limit.is_none_or(|limit| (room as u64) < limit), "{room} of {limit:?}");
        assert_eq!(room_for(3), 3);
    }
}
