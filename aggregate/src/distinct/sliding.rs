//! A HyperLogLog for every window at once: of each register the ranks that some window can still see.
//!
//! Y. Chabchoub and G. Hébrail, "Sliding HyperLogLog" (2010), with tiles for times and general insertion: a register keeps
//! the Pareto frontier of (tile, rank). An older tile stays only with a greater rank; the register of a window is the
//! greatest rank whose tile is inside. The frontier of a set does not depend on the order in which it was built.

/// A rank that a register reached in a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) register: u16,
    pub(crate) tile: i64,
    pub(crate) rank: u8,
}

/// Merges marks into a frontier, both in any order, forgets tiles before `first_live_tile`, and leaves the frontier in
/// canonical order: by register, newest tile first.
pub(crate) fn merge(frontier: &mut Vec<Mark>, added: &[Mark], first_live_tile: i64) {
    frontier.extend_from_slice(added);
    frontier.retain(|mark| mark.tile >= first_live_tile);
    let order = |mark: &Mark| (mark.register, std::cmp::Reverse((mark.tile, mark.rank)));
    // The frontier comes sorted: a stable sort finds that run and merges the new marks into it.
    frontier.sort_by_key(order);
    let mut best: Option<(u16, u8)> = None;
    frontier.retain(|mark| {
        let is_above = best.is_none_or(|best| mark.register != best.0 || mark.rank > best.1);
        if is_above {
            best = Some((mark.register, mark.rank));
        }
        is_above
    });
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;

    fn registers(marks: &[Mark], first: i64) -> [u8; 8] {
        let mut registers = [0; 8];
        for mark in marks.iter().filter(|mark| mark.tile >= first) {
            let register = &mut registers[usize::from(mark.register)];
            *register = mark.rank.max(*register);
        }
        registers
    }

    #[test]
    fn the_frontier_of_any_order_gives_the_registers_of_every_window() {
        let mut random = Prng::new(12);
        let mut small = |bound| u8::try_from(random.below(bound)).expect("small");
        let mut all: Vec<Mark> = (0..600)
            .map(|_| Mark { register: small(8).into(), tile: small(50).into(), rank: small(30) })
            .collect();
        let mut whole = Vec::new();
        merge(&mut whole, &all, 3);
        for first in 3..50 {
            assert_eq!(registers(&whole, first), registers(&all, first));
        }
        for _ in 0..50 {
            random.shuffle(&mut all);
            let mut frontier = Vec::new();
            for batch in all.chunks(37) {
                merge(&mut frontier, batch, random.between(0, 3));
            }
            merge(&mut frontier, &[], 3);
            assert_eq!(frontier, whole);
        }
    }
}
