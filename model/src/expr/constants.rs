//! The constants of an aggregate: `lag(x, 3)`, `ema(x, '30m')`, `cusum(x, 10.5, 0.5)`.

use super::{Node, typed::Typed};
use crate::{
    definition::{AggregateFunction, CusumSide},
    limits::{DISTINCT_PRECISIONS, LAST_EVENTS_MAX, TOP_VALUES_MAX},
    time,
    value::{DataType, Value},
};

/// Billionths, what a quantile is kept in: nine decimal places.
const QUANTILE_SCALE: u8 = 9;

/// The aggregate called `name`, which exists and has as many `constants` as it takes. `input` is the type of what it is of.
///
/// # Errors
/// A message that names the constant and what is allowed.
pub(super) fn function(
    name: &str,
    input: Option<DataType>,
    constants: Vec<Typed>,
) -> Result<AggregateFunction, String> {
    use AggregateFunction as F;
    let mut constants = constants.into_iter();
    let mut next = |what: &'static str| Constant { name, what, value: constants.next() };
    let function = match name {
        "count" => F::Count,
        "sum" => F::Sum,
        "avg" => F::Avg,
        "min" => F::Min,
        "max" => F::Max,
        "variance" => F::Variance,
        "variance_pop" => F::VariancePop,
        "stddev" => F::Stddev,
        "stddev_pop" => F::StddevPop,
        "first" => F::First,
        "last" => F::Last,
        "lag" => F::Lag { n: next("n").whole(0, LAST_EVENTS_MAX - 1)? },
        "last_n" => F::LastN { n: next("n").whole(1, LAST_EVENTS_MAX)? },
        "time_since_last" => F::TimeSinceLast,
        "rate" => F::Rate,
        "approx_distinct" => F::ApproxDistinct { precision: next("precision").precision()? },
        "approx_quantile" => F::ApproxQuantile { q_ppb: next("q").quantile()? },
        "top_k" => F::TopK { k: next("k").whole(1, TOP_VALUES_MAX)? },
        "ema" => F::Ema { half_life_ms: next("half-life").span()? },
        _ => {
            let side = match name {
                "cusum_high" => CusumSide::High,
                "cusum_low" => CusumSide::Low,
                _ => CusumSide::Both,
            };
            let scale = scale_of(input).ok_or_else(|| format!("{name} needs a number"))?;
            let target = next("target").number(scale)?;
            let slack = next("slack").number(scale)?;
            // Both bounds of the let-through band are numbers themselves.
            if slack < 0 || target.checked_add(slack).zip(target.checked_sub(slack)).is_none() {
                return Err(format!(
                    "slack of {name} is 0 or more, and target ± slack fit into 64 bits"
                ));
            }
            F::Cusum { side, target, slack }
        }
    };
    Ok(function)
}

fn scale_of(input: Option<DataType>) -> Option<u8> {
    match input? {
        DataType::I64 => Some(0),
        DataType::Decimal(scale) => Some(scale),
        _ => None,
    }
}

/// One constant.
struct Constant<'a> {
    name: &'a str,
    what: &'static str,
    value: Option<Typed>,
}

impl Constant<'_> {
    fn refused<T>(&self, allowed: &str) -> Result<T, String> {
        Err(format!("{} of {} is a constant: {allowed}", self.what, self.name))
    }

    fn literal(&self) -> Option<&Value> {
        match &self.value.as_ref()?.expr.node {
            Node::Literal(Some(value)) => Some(value),
            _ => None,
        }
    }

    fn whole(&self, least: u16, most: u16) -> Result<u16, String> {
        match self.literal() {
            Some(Value::I64(number)) if (i64::from(least)..=i64::from(most)).contains(number) => {
                Ok(u16::try_from(*number).unwrap_or(most))
            }
            _ => self.refused(&format!("a whole number from {least} to {most}")),
        }
    }

    fn precision(&self) -> Result<u8, String> {
        let (least, default, most) = DISTINCT_PRECISIONS;
        if self.value.is_none() {
            return Ok(default);
        }
        let number = self.whole(least.into(), most.into())?;
        Ok(u8::try_from(number).unwrap_or(default))
    }

    fn quantile(&self) -> Result<u32, String> {
        let allowed = "a number from 0 to 1 with at most 9 decimal places, such as 0.95";
        let one = 10_i64.pow(u32::from(QUANTILE_SCALE));
        match self.unscaled(QUANTILE_SCALE) {
            Some(number) if (0..=one).contains(&number) => Ok(u32::try_from(number).unwrap_or(0)),
            _ => self.refused(allowed),
        }
    }

    fn number(&self, scale: u8) -> Result<i64, String> {
        self.unscaled(scale).map_or_else(
            || self.refused(&format!("a number with at most the input's {scale} decimal places")),
            Ok,
        )
    }

    /// An exact constant at `scale`.
    fn unscaled(&self, scale: u8) -> Option<i64> {
        let (unscaled, given) = match self.literal()? {
            Value::I64(number) => (*number, 0),
            Value::Decimal(number, given) => (*number, *given),
            _ => return None,
        };
        match scale.checked_sub(given) {
            Some(more) => unscaled.checked_mul(10_i64.checked_pow(more.into())?),
            None => {
                let factor = 10_i64.checked_pow((given - scale).into())?;
                (unscaled % factor == 0).then_some(unscaled / factor)
            }
        }
    }

    fn span(&self) -> Result<i64, String> {
        match self.literal() {
            Some(Value::String(text)) => time::parse_span(text).map_err(|error| error.to_string()),
            _ => self.refused("a quoted duration such as '30m'"),
        }
    }
}
