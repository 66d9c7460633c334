//! How far distinct counts are off, as a table: `docs/accuracy.md` shows what the long run prints.
//!
//! The root of the mean squared relative error over independent sets of values, against 1.04 / √m for m registers.

use model::value::ValueRef;

use super::{counter::Counter, state::DistinctState, token};

/// Tiles that the values are spread over.
const TILES: i64 = 720;

/// The relative errors of one set of values as it grows to each of `sizes`.
fn errors(precision: u8, sizes: &[i64], seed: i64) -> Vec<f64> {
    let mut state = DistinctState::new(precision);
    let mut counter = Counter::default();
    let mut counts = Vec::new();
    let last = sizes.last().copied().unwrap_or(1);
    let mut inserted = 0;
    let error = |n: &i64| {
        for number in inserted..*n {
            let token = token::of_value(ValueRef::I64(seed << 32 | number));
            state.insert(number * TILES / last, token);
        }
        inserted = *n;
        counter.reset(precision);
        counter.counts(Some(&state), None, &[0], &mut counts);
        counts[0] as f64 / *n as f64 - 1.0
    };
    sizes.iter().map(error).collect()
}

/// Measures, prints a line of the table for each size, and checks it against theory.
fn measure(precision: u8, sizes: &[i64], trials: i64, first_seed: i64) {
    let theory = 1.04 / f64::from(1 << precision).sqrt();
    let mut squares = vec![0.0; sizes.len()];
    let mut worst = vec![0.0_f64; sizes.len()];
    for seed in first_seed..first_seed + trials {
        for (place, error) in errors(precision, sizes, seed).into_iter().enumerate() {
            squares[place] += error * error;
            worst[place] = worst[place].max(error.abs());
        }
    }
    // A root mean square of T values has a standard error of 1 / √(2T) of itself.
    let slack = 1.0 + 4.0 / (2.0 * trials as f64).sqrt();
    for ((n, squares), worst) in sizes.iter().zip(squares).zip(worst) {
        let rmse = (squares / trials as f64).sqrt();
        println!(
            "| {precision} | {n} | {trials} | {:.2} % | {:.2} % | {:.2} % |",
            100.0 * rmse,
            100.0 * worst,
            100.0 * theory
        );
        let limit = if *n <= 512 { 0.0 } else { theory * slack };
        assert!(rmse <= limit, "p {precision}, n {n}: {rmse}, seeds from {first_seed}");
    }
}

#[test]
fn errors_are_within_theory() {
    for precision in [10, 12, 14, 16] {
        measure(precision, &[10, 100, 500, 1000, 3000, 30_000], 12, 1);
    }
}

#[test]
#[ignore = "minutes: `cargo test --release -p larder-aggregate --lib accuracy -- --ignored --nocapture`"]
fn errors_are_within_theory_to_ten_million() {
    let sizes = [10, 100, 512, 1000, 10_000, 100_000, 1_000_000];
    for precision in [12, 14] {
        measure(precision, &sizes, 100, 1);
        measure(precision, &[10_000_000], 8, 1);
    }
}
