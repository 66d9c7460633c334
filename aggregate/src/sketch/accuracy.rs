//! How far quantiles are off, as a table for `docs/accuracy.md`. Run by hand: it prints, and asserts the bound.

use stdx::prng::Prng;

use super::quantile::Quantile;

/// A number drawn from a distribution.
type Draw = fn(&mut Prng) -> f64;

/// The sum of twelve uniforms, less its mean: close to a normal variable.
fn normal(random: &mut Prng) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}

const DISTRIBUTIONS: [(&str, Draw); 4] = [
    ("uniform from 0 to 10,000.00", |random| random.unit() * 1e6),
    ("log-normal, σ = 1.5", |random| (normal(random) * 1.5 + 9.0).exp()),
    ("exponential, mean 400.00", |random| -(1.0 - random.unit()).ln() * 40_000.0),
    ("two peaks, at -500.00 and 3.00", |random| {
        let peak = if random.chance(0.4) { -50_000.0 } else { 300.0 };
        peak + normal(random) * 200.0
    }),
];
const PERMILLES: [u32; 7] = [10, 250, 500, 750, 950, 990, 999];

#[test]
#[ignore = "four million draws, for the table of docs/accuracy.md"]
fn quantiles_are_within_a_hundredth_in_four_distributions() {
    println!(
        "| distribution | events | p1 | p25 | p50 | p75 | p95 | p99 | p99.9 |\n|---|---|---|---|---|---|---|---|---|"
    );
    for (name, draw) in DISTRIBUTIONS {
        for count in [100_usize, 10_000, 1_000_000] {
            let mut random = Prng::stream(1, name);
            #[expect(clippy::cast_possible_truncation, reason = "draws are cut off to integers")]
            let mut numbers: Vec<i64> = (0..count).map(|_| draw(&mut random) as i64).collect();
            let mut sketch = Quantile::default();
            numbers.iter().for_each(|number| sketch.update(*number));
            numbers.sort_unstable();
            let errors = PERMILLES.map(|permille| {
                let rank = (count - 1) * permille as usize / 1000;
                let truth = numbers[rank] as f64;
                let value = sketch.value(permille * 1_000_000, 1).expect("there are events");
                if truth == 0.0 { value } else { (value / truth - 1.0) * 100.0 }
            });
            assert!(errors.iter().all(|error| error.abs() <= 1.000_001), "{name}: {errors:?}");
            let shown: Vec<_> = errors.iter().map(|error| format!("{error:+.2} %")).collect();
            println!("| {name} | {count} | {} |", shown.join(" | "));
        }
    }
}
