//! Parts of times: UTC, proleptic Gregorian calendar, numbered as PostgreSQL does. Times are ms since 1970 and may be
//! negative: every division rounds down.

use model::{
    expr::DatePart,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, civil_from_days, days_from_civil},
};

/// `extract(part from time)`
pub(super) fn extract(part: DatePart, time: i64) -> i64 {
    let (days, ms) = (time.div_euclid(DAY_MS), time.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    match part {
        DatePart::Year => year,
        DatePart::Quarter => (month + 2) / 3,
        DatePart::Month => month,
        DatePart::Week => week(days),
        DatePart::Day => day,
        DatePart::Hour => ms / HOUR_MS,
        DatePart::Minute => ms / MINUTE_MS % 60,
        DatePart::Second => ms / SECOND_MS % 60,
        DatePart::Dow => isodow(days) % 7,
        DatePart::Isodow => isodow(days),
        DatePart::Doy => day_of_year(days),
        DatePart::Epoch => time.div_euclid(SECOND_MS),
    }
}

/// The start of the part that `time` lies in; `None` when that is before the first i64, or the part has no start.
pub(super) fn truncate(part: DatePart, time: i64) -> Option<i64> {
    let days = time.div_euclid(DAY_MS);
    let (year, month, _) = civil_from_days(days);
    let first_day = match part {
        DatePart::Second => return floor(time, SECOND_MS),
        DatePart::Minute => return floor(time, MINUTE_MS),
        DatePart::Hour => return floor(time, HOUR_MS),
        DatePart::Day => days,
        DatePart::Week => days - (isodow(days) - 1),
        DatePart::Month => days_from_civil(year, month, 1),
        DatePart::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        DatePart::Year => days_from_civil(year, 1, 1),
        DatePart::Dow | DatePart::Isodow | DatePart::Doy | DatePart::Epoch => return None,
    };
    first_day.checked_mul(DAY_MS)
}

fn floor(time: i64, step: i64) -> Option<i64> {
    time.div_euclid(step).checked_mul(step)
}

/// Monday is 1, Sunday 7: 1970-01-01 was a Thursday.
fn isodow(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// 1 to 366.
fn day_of_year(days: i64) -> i64 {
    let (year, ..) = civil_from_days(days);
    days - days_from_civil(year, 1, 1) + 1
}

/// A week belongs to the year of its Thursday, which is in week 1 when it is one of the year's first seven days.
fn week(days: i64) -> i64 {
    let thursday = days - isodow(days) + 4;
    (day_of_year(thursday) - 1) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A calendar that only knows how to go to the next day.
    struct Walk {
        year: i64,
        month: i64,
        day: i64,
        day_of_year: i64,
        /// Monday is 1.
        weekday: i64,
        week: i64,
    }

    fn is_leap(year: i64) -> bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    impl Walk {
        /// 1600-01-01, a Saturday, in the last week of 1599.
        fn start() -> Self {
            Self { year: 1600, month: 1, day: 1, day_of_year: 1, weekday: 6, week: 52 }
        }

        fn month_days(&self) -> i64 {
            match self.month {
                2 if is_leap(self.year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            }
        }

        fn next(&mut self) {
            self.day_of_year += 1;
            self.day += 1;
            if self.day > self.month_days() {
                (self.day, self.month) = (1, self.month + 1);
            }
            if self.month > 12 {
                (self.month, self.year, self.day_of_year) = (1, self.year + 1, 1);
            }
            self.weekday = self.weekday % 7 + 1;
            if self.weekday == 1 {
                // The week that holds 4 January is the first.
                let in_december = self.month == 12 && self.day >= 29;
                let in_january = self.month == 1 && self.day <= 4;
                self.week = if in_december || in_january { 1 } else { self.week + 1 };
            }
        }
    }

    /// 1600-01-01 in days since 1970.
    const FIRST_DAY: i64 = -135_140;
    /// 800 years.
    const DAYS: i64 = 2 * 146_097;

    #[test]
    fn every_day_of_eight_centuries_has_the_parts_of_a_calendar_that_walks() {
        let mut walk = Walk::start();
        for days in FIRST_DAY..FIRST_DAY + DAYS {
            // Another time of each day, its first and last millisecond among them.
            let ms = match days.rem_euclid(3) {
                0 => 0,
                1 => DAY_MS - 1,
                _ => (days * 7_919_333).rem_euclid(DAY_MS),
            };
            let time = days * DAY_MS + ms;
            let found = DatePart::ALL.map(|part| extract(part, time));
            let expected = [
                walk.year,
                (walk.month - 1) / 3 + 1,
                walk.month,
                walk.week,
                walk.day,
                ms / 3_600_000,
                ms / 60_000 % 60,
                ms / 1000 % 60,
                walk.weekday % 7,
                walk.weekday,
                walk.day_of_year,
                (time - time.rem_euclid(1000)) / 1000,
            ];
            assert_eq!(found, expected, "day {days} + {ms} ms");
            walk.next();
        }
        assert_eq!((walk.year, walk.month, walk.day), (2400, 1, 1));
    }

    #[test]
    fn a_time_is_cut_to_the_last_moment_whose_finer_parts_are_zero() {
        // Within one part all times have one start, which is the first of them; the next part starts later.
        for days in (FIRST_DAY..FIRST_DAY + DAYS).step_by(13) {
            let time = days * DAY_MS + (days * 7_919_333).rem_euclid(DAY_MS);
            for part in DatePart::ALL.into_iter().filter(|part| part.has_start()) {
                let start = truncate(part, time).expect("within i64");
                assert!(start <= time, "{part} of {time}");
                assert_eq!(truncate(part, start), Some(start), "{part} of {time}");
                let before = truncate(part, start - 1).expect("within i64");
                assert!(before < start, "{part} of {time}");
                let label = |time| {
                    (
                        extract(DatePart::Year, time),
                        extract(part, time),
                        extract(DatePart::Doy, time),
                    )
                };
                match part {
                    DatePart::Week => assert_eq!(extract(DatePart::Isodow, start), 1),
                    DatePart::Year => assert_eq!(label(start).2, 1),
                    DatePart::Quarter | DatePart::Month => {
                        assert_eq!(extract(DatePart::Day, start), 1);
                        assert_eq!(
                            (label(start).0, label(start).1),
                            (label(time).0, label(time).1)
                        );
                    }
                    _ => assert_eq!(label(start), label(time)),
                }
                assert_ne!(label(start - 1), label(start), "{part} of {time}");
            }
        }
    }

    #[test]
    fn the_ends_of_i64_have_parts_and_no_start_outside() {
        for time in [i64::MIN, i64::MAX] {
            for part in DatePart::ALL {
                extract(part, time);
            }
        }
        assert_eq!(extract(DatePart::Year, i64::MAX), 292_278_994);
        assert_eq!(extract(DatePart::Year, i64::MIN), -292_275_055);
        assert_eq!(truncate(DatePart::Second, i64::MIN), None);
        assert_eq!(truncate(DatePart::Year, i64::MIN), None);
        assert!(truncate(DatePart::Year, i64::MAX).is_some());
        assert_eq!(truncate(DatePart::Dow, 0), None);
    }
}
