//! What is exact and what is not: by aggregate.

use model::{
    definition::{Aggregate, AggregateFunction, WindowGroup},
    limits::{BY_VALUES_MAX, DISTINCT_EXACT_MAX, TOP_VALUES_MAX},
    value::DataType,
};

/// How exact the values of a feature are.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureAccuracy {
    /// Its name.
    pub feature: String,
    /// Its aggregate as written.
    pub text: String,
    /// How exact it is.
    pub accuracy: Accuracy,
}

/// How far a value may be from that of the events in its window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Accuracy {
    /// Not at all.
    Exact,
    /// The exact rational value, rounded once to f64.
    Rounded,
    /// Exact for each value of `by`, with so many told apart: the smallest; the others are one member.
    ByValue {
        /// Values told apart.
        values_max: usize,
    },
    /// `approx_distinct`
    Distinct {
        /// Exact for so many different values in the window.
        exact_max: usize,
        /// Above that, the relative standard error.
        standard_error: f64,
    },
    /// `approx_quantile`
    Quantile {
        /// Of the value whose rank it is, from one unscaled unit on; 0 is exact.
        relative_error: f64,
    },
    /// `top_k`
    Top {
        /// Exact for so many different values in the window.
        exact_max: usize,
        /// Above that, counts are never too low, and too high by at most this share of all events …
        error_share: f64,
        /// … with this probability.
        probability: f64,
        /// A value of share p is found with probability 1 − (1 − p) to the power of this.
        sample: u32,
    },
    /// `ema`
    Decayed {
        /// Relative error of an event's weight.
        weight_error: f64,
        /// Events so many half-lives old are left out.
        half_lives: u32,
    },
}

impl Accuracy {
    pub(super) fn of(aggregate: &Aggregate) -> Self {
        use AggregateFunction as F;
        if aggregate.by.is_some() {
            return Self::ByValue { values_max: BY_VALUES_MAX };
        }
        match aggregate.function {
            F::ApproxDistinct { precision } => Self::Distinct {
                exact_max: DISTINCT_EXACT_MAX,
                standard_error: 1.04 / f64::from(precision).exp2().sqrt(),
            },
            F::ApproxQuantile { .. } => Self::Quantile { relative_error: 0.01 },
            F::TopK { .. } => Self::Top {
                exact_max: TOP_VALUES_MAX.into(),
                error_share: std::f64::consts::E / 256.0,
                probability: 1.0 - (-4.0_f64).exp(),
                sample: 64,
            },
            F::Ema { .. } => Self::Decayed { weight_error: 1e-8, half_lives: 63 },
            _ if aggregate.output == DataType::F64 => Self::Rounded,
            _ => Self::Exact,
        }
    }
}

pub(super) fn of_features(group: &WindowGroup) -> Vec<FeatureAccuracy> {
    let features = group.features.iter();
    features
        .map(|feature| FeatureAccuracy {
            feature: feature.name.to_string(),
            text: feature.text.clone(),
            accuracy: Accuracy::of(&feature.aggregate),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::{groups, top_k};

    #[test]
    fn what_is_said_is_what_is_built() {
        assert_eq!(usize::from(TOP_VALUES_MAX), top_k::EXACT_MAX);
        assert_eq!(BY_VALUES_MAX, groups::GROUPS_MAX);
        assert!((1.0 - (-4.0_f64).exp() - 0.982).abs() < 0.001);
        assert!((1.04 / 12.0_f64.exp2().sqrt() - 0.01625).abs() < 1e-9);
    }
}
