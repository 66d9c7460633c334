//! `top`: where to look and how often.

use std::time::Duration;

use clap::Args;

use crate::output::Format;

/// See [`super::Command::Top`].
#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) admin: super::AdminAddr,
    /// Between two looks: 50ms to 1m.
    #[arg(long, default_value = "1s", value_name = "TIME")]
    pub(crate) interval: Interval,
    /// Print what two looks say, and end: needs no terminal.
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: table, json or csv; a table on a terminal, JSON elsewhere.
    #[arg(long, value_name = "FORMAT", requires = "once")]
    pub(crate) format: Option<Format>,
}

/// Time between two looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval(pub(crate) Duration);

impl std::str::FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = || format!("{text:?} is no interval: a number with ms, s or m, 50ms to 1m");
        let ms = model::time::parse_span(text).map_err(|_| allowed())?;
        let ms = u64::try_from(ms).map_err(|_| allowed())?;
        if (50..=60_000).contains(&ms) {
            Ok(Self(Duration::from_millis(ms)))
        } else {
            Err(allowed())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_make_no_sense_are_refused_with_what_is_allowed() {
        let parse = |text: &str| text.parse::<Interval>().map(|interval| interval.0.as_millis());
        assert_eq!((parse("1s"), parse("50ms")), (Ok(1000), Ok(50)));
        for wrong in ["", "fast", "0s", "1h", "-1s"] {
            assert!(parse(wrong).is_err_and(|error| error.contains("50ms to 1m")), "{wrong}");
        }
    }
}
