//! What was compared: so many values prove little unless the hard ones are among them.

use std::ops::AddAssign;

use model::value::Value;

use crate::oracle::Expected;

/// Numbers of values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) values: usize,
    pub(crate) nulls: usize,
    pub(crate) overflows: usize,
    /// Distinct counts beyond those that are exact.
    pub(crate) estimated_counts: usize,
    /// Frequencies of more values than are counted exactly.
    pub(crate) estimated_tops: usize,
    pub(crate) decayed_means: usize,
    /// Texts with more values of `by` than are told apart.
    pub(crate) others: usize,
    /// Read both ways: see `EntityView::read_numbers`.
    pub(crate) of_numbers: usize,
    /// Distinct counts that were read without anything else.
    pub(crate) of_distinct: usize,
}

impl Tally {
    pub(crate) fn note(&mut self, expected: &Expected) {
        self.values += 1;
        match expected {
            Expected::Exact(Ok(None)) => self.nulls += 1,
            Expected::Exact(Err(_)) => self.overflows += 1,
            Expected::Exact(Ok(Some(Value::String(text)))) => {
                self.others += usize::from(text.contains(",\"(other)\":"));
            }
            Expected::Exact(Ok(Some(_))) => {}
            Expected::Count { .. } => self.estimated_counts += 1,
            Expected::Top(_) => self.estimated_tops += 1,
            Expected::Near { .. } => self.decayed_means += 1,
        }
    }

    /// The fewest of any hard kind.
    pub(crate) fn rarest(&self) -> usize {
        let kinds = [self.nulls, self.overflows, self.estimated_counts, self.estimated_tops];
        kinds
            .into_iter()
            .min()
            .unwrap_or(0)
            .min(self.decayed_means)
            .min(self.others)
            .min(self.of_numbers)
            .min(self.of_distinct)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.values += other.values;
        self.nulls += other.nulls;
        self.overflows += other.overflows;
        self.estimated_counts += other.estimated_counts;
        self.estimated_tops += other.estimated_tops;
        self.decayed_means += other.decayed_means;
        self.others += other.others;
        self.of_numbers += other.of_numbers;
        self.of_distinct += other.of_distinct;
    }
}
