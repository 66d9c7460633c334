//! One partition or a thousand, one thread or three, all in memory or nearly nothing: the same rows.

use export::replay::{ReplayOptions, ReplayOrder};

use crate::generated::History;

#[test]
fn partitions_threads_and_memory_change_nothing() {
    let history = History::new(11, 6_000, 66_000, 300);
    for order in [ReplayOrder::Event { delay_ms: 0 }, ReplayOrder::Arrival] {
        let options = |partition_bits, threads, memory_bytes| ReplayOptions {
            order,
            partition_bits,
            threads,
            memory_bytes,
            ..ReplayOptions::default()
        };
        let expected = history.replayed(options(0, 1, u64::MAX));
        for (bits, threads, memory) in [(1, 1, 0), (6, 3, u64::MAX), (10, 2, 100_000)] {
            let given = history.replayed(options(bits, threads, memory));
            assert!(
                given == expected,
                "{order:?}, 2^{bits} partitions, {threads} threads, {memory} bytes"
            );
        }
    }
}
