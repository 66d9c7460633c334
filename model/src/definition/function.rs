//! The aggregates there are, with their constants.

use std::fmt;

/// What an aggregate computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `count(*)`, `count(x)`
    Count,
    /// `sum(x)`
    Sum,
    /// `avg(x)`
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `variance(x)`: sample.
    Variance,
    /// `variance_pop(x)`
    VariancePop,
    /// `stddev(x)`: sample.
    Stddev,
    /// `stddev_pop(x)`
    StddevPop,
    /// `first(x)`: of the earliest event that has one.
    First,
    /// `last(x)`: of the latest event that has one.
    Last,
    /// `lag(x, n)`: of the n-th event before the latest.
    Lag {
        /// 0 is the latest.
        n: u16,
    },
    /// `last_n(x, n)`: of the n latest events, newest first, as a JSON array.
    LastN {
        /// At least 1.
        n: u16,
    },
    /// `time_since_last()`: ms between the latest event and the end of the window.
    TimeSinceLast,
    /// `rate()`: events per second.
    Rate,
    /// `approx_distinct(x)`, `approx_distinct(x, precision)`
    ApproxDistinct {
        /// 2^precision registers.
        precision: u8,
    },
    /// `approx_quantile(x, q)`
    ApproxQuantile {
        /// q in billionths: 0 to 1,000,000,000.
        q_ppb: u32,
    },
    /// `top_k(x, k)`: the most frequent values with their counts, as a JSON object.
    TopK {
        /// At least 1.
        k: u16,
    },
    /// `ema(x, 'half-life')`: the time-decayed mean.
    Ema {
        /// After which an event weighs half, in ms.
        half_life_ms: i64,
    },
    /// `cusum(x, target, slack)`, `cusum_high`, `cusum_low`: cumulative sum of deviations from a target.
    Cusum {
        /// Which deviations count.
        side: CusumSide,
        /// The baseline, unscaled, at the input's scale.
        target: i64,
        /// The deviation that is let pass, unscaled, at the input's scale.
        slack: i64,
    },
}

/// Sides of a cumulative sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CusumSide {
    /// Whichever is greater.
    Both,
    /// Above the target.
    High,
    /// Below the target.
    Low,
}

impl AggregateFunction {
    /// Every name in SQL, with what it takes.
    pub const SIGNATURES: [(&str, &str); 22] = [
        ("count", "(*) or (x)"),
        ("sum", "(x)"),
        ("avg", "(x)"),
        ("min", "(x)"),
        ("max", "(x)"),
        ("variance", "(x)"),
        ("variance_pop", "(x)"),
        ("stddev", "(x)"),
        ("stddev_pop", "(x)"),
        ("first", "(x)"),
        ("last", "(x)"),
        ("lag", "(x, n)"),
        ("last_n", "(x, n)"),
        ("time_since_last", "()"),
        ("rate", "()"),
        ("approx_distinct", "(x) or (x, precision)"),
        ("approx_quantile", "(x, q)"),
        ("top_k", "(x, k)"),
        ("ema", "(x, 'half-life')"),
        ("cusum", "(x, target, slack)"),
        ("cusum_high", "(x, target, slack)"),
        ("cusum_low", "(x, target, slack)"),
    ];

    /// The name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Variance => "variance",
            Self::VariancePop => "variance_pop",
            Self::Stddev => "stddev",
            Self::StddevPop => "stddev_pop",
            Self::First => "first",
            Self::Last => "last",
            Self::Lag { .. } => "lag",
            Self::LastN { .. } => "last_n",
            Self::TimeSinceLast => "time_since_last",
            Self::Rate => "rate",
            Self::ApproxDistinct { .. } => "approx_distinct",
            Self::ApproxQuantile { .. } => "approx_quantile",
            Self::TopK { .. } => "top_k",
            Self::Ema { .. } => "ema",
            Self::Cusum { side: CusumSide::Both, .. } => "cusum",
            Self::Cusum { side: CusumSide::High, .. } => "cusum_high",
            Self::Cusum { side: CusumSide::Low, .. } => "cusum_low",
        }
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
