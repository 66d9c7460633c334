//! The functions of [`Node::Call`](super::Node::Call): null in, null out, whatever the argument.

use std::fmt;

/// A function of a fixed number of arguments. `x` is f64 where nothing else is said; a decimal `d` stands for i64 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `ln(x)`
    Ln,
    /// `exp(x)`
    Exp,
    /// `sqrt(x)`
    Sqrt,
    /// `power(x, y)`
    Power,
    /// `round(d, n)`: half away from zero, to the places of the result. `round(x)`: half to even.
    Round,
    /// `floor(x)`, `floor(d)`: a float stays one, a decimal becomes one without places.
    Floor,
    /// `ceil(x)`, `ceil(d)`: as [`Function::Floor`].
    Ceil,
    /// `sign(x)`, `sign(d)`: -1, 0 or 1, an i64.
    Sign,
    /// `extract(part from t)`: i64.
    Extract(DatePart),
    /// `date_trunc('part', t)`: the start of the part, a timestamp; never of a part that [`DatePart::has_start`] denies.
    DateTrunc(DatePart),
    /// `s like pattern`: `%` any characters, `_` one, `\` takes the next as it is.
    Like {
        /// `ilike`: A to Z equal a to z; other letters keep their case.
        ignores_case: bool,
    },
    /// `length(s)`: characters of a string, bytes of bytes; i64.
    Length,
    /// `starts_with(s, prefix)`
    StartsWith,
    /// `haversine(lat1, lon1, lat2, lon2)`: degrees to metres on the sphere of the earth's mean radius.
    Haversine,
}

impl Function {
    /// True for a pattern of [`Function::Like`] whose last `\` has nothing to take: it ends in an odd number of them.
    #[must_use]
    pub fn ends_in_escape(pattern: &str) -> bool {
        pattern.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
    }
}

/// What [`Function::Extract`] and [`Function::DateTrunc`] take of a time: UTC, proleptic Gregorian, numbered as in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatePart {
    /// Astronomical: 0 is 1 BC.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// Of ISO 8601: 1 to 53, Monday first; week 1 has the year's first Thursday.
    Week,
    /// Of the month: 1 to 31.
    Day,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59, whole.
    Second,
    /// Day of the week: Sunday is 0.
    Dow,
    /// Day of the week: Monday is 1, Sunday 7.
    Isodow,
    /// Day of the year: 1 to 366.
    Doy,
    /// Whole seconds since 1970, rounded down.
    Epoch,
}

impl DatePart {
    /// Every part.
    pub const ALL: [Self; 12] = [
        Self::Year,
        Self::Quarter,
        Self::Month,
        Self::Week,
        Self::Day,
        Self::Hour,
        Self::Minute,
        Self::Second,
        Self::Dow,
        Self::Isodow,
        Self::Doy,
        Self::Epoch,
    ];

    /// The name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::Dow => "dow",
            Self::Isodow => "isodow",
            Self::Doy => "doy",
            Self::Epoch => "epoch",
        }
    }

    /// True for the parts that a time can be cut off to.
    #[must_use]
    pub fn has_start(self) -> bool {
        !matches!(self, Self::Dow | Self::Isodow | Self::Doy | Self::Epoch)
    }
}

impl fmt::Display for DatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
