//! How fast requests are made: as fast as answers come, or at a rate whatever comes.

use std::fmt;
use std::str::FromStr;

/// What decides when the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many callers, each with one request at a time: measures throughput. Its latencies leave out whoever would have asked
    /// while all callers waited.
    Closed {
        /// Requests in flight.
        concurrency: usize,
    },
    /// Requests are due at times that no answer moves; a latency counts from the due time.
    Open {
        /// Requests a second.
        rate: f64,
        /// How the due times are spread.
        arrivals: Arrivals,
    },
}

/// How due times are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// As independent callers come: exponential gaps.
    #[default]
    Poisson,
    /// Evenly.
    Constant,
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "poisson" => Ok(Self::Poisson),
            "constant" => Ok(Self::Constant),
            _ => Err(format!("`{text}` is no arrival process: write poisson or constant")),
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        })
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { concurrency } => write!(f, "closed loop, {concurrency} in flight"),
            Self::Open { rate, arrivals } => {
                write!(f, "open loop, {rate:.0} requests/s, {arrivals} arrivals")
            }
        }
    }
}
