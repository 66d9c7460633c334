//! A judge that believes more was promised than was: every simulation with it must fail, and say so.

use sim::{Options, run};

#[test]
fn a_lost_promise_is_reported_with_its_seed() {
    for seed in 1..=20 {
        let found = run(seed, Options { is_canary: true, ..Options::default() });
        let found = found.expect_err("the judge was lied to").to_string();
        assert!(found.contains("were promised to be durable"), "{found}");
        assert!(found.contains(&format!("LARDER_SEED={seed}")), "{found}");
    }
}
