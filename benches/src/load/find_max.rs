//! The highest rate that holds an SLO: doubled until it is missed twice in a row, then bisected, then tried again.
//!
//! A step is as long as its percentiles need: each has at least a hundred requests beyond it. The result is no number without its
//! doubt: the rate that was held in every repetition and how often it was tried, the lowest that was missed, whether the search
//! came to its end, and which steps were too short for their percentiles.

use std::time::Duration;

use super::{
    Error,
    bench::Bench,
    pace::{Arrivals, Pace},
    run::{Live, Order, Run},
    slo::{Judgement, SAMPLES_BEYOND, Slo},
};

/// The search ends when the rates held and missed are this close.
const CLOSE: f64 = 1.05;
/// How often the result is tried again.
const REPETITIONS: usize = 2;
/// Most steps: a search that is not over by then says so.
const STEPS_MAX: usize = 60;
/// No rate below this is tried.
const RATE_MIN: f64 = 1.0;
/// Nor one below this part of the first: steps get longer as rates get lower, and a limit that is missed there is missed by each
/// request for itself.
const LOWEST_PART: f64 = 16.0;
/// A step longer than this is cut, and says that its percentile is not well founded.
const STEP_MAX: Duration = Duration::from_secs(60);
/// The sends that the generator may make late before a step says nothing of the server.
const LATE_SHARE_MAX: f64 = 0.01;

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every limit was held.
    Held,
    /// One was not.
    Missed,
    /// One was not, but requests were not sent when they were due: the generator may be to blame.
    GeneratorLate,
}

impl Verdict {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::GeneratorLate => "missed, generator late",
        }
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Requests a second that were due.
    pub rate: f64,
    /// What it found.
    pub verdict: Verdict,
    /// How each limit was held.
    pub judgements: Vec<Judgement>,
    /// What was measured.
    pub seconds: f64,
}

impl Step {
    /// True when every percentile had enough requests beyond it.
    #[must_use]
    pub fn is_well_founded(&self) -> bool {
        self.judgements.iter().all(Judgement::is_well_founded)
    }
}

/// What the search came to.
#[derive(Debug, Clone)]
pub struct Search {
    /// All steps, in order.
    pub steps: Vec<Step>,
    /// The highest rate that was held each time it was tried, but for a miss that the next try made good; `None` when none was.
    pub held: Option<f64>,
    /// How many steps at that rate held the limits.
    pub times: usize,
    /// Of so many steps at that rate.
    pub tried: usize,
    /// The lowest rate that was missed; `None` when none was.
    pub missed: Option<f64>,
    /// True when what was missed may be the generator's doing.
    pub is_generators: bool,
    /// False when the steps ran out before the result was sure.
    pub is_over: bool,
}

impl Search {
    /// The result in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let missed = match self.missed {
            Some(rate) => format!("{rate:.0}/s was missed"),
            None => "no higher rate was tried".to_owned(),
        };
        let generators = if self.is_generators {
            "; above it the generator did not keep up, the server may do more"
        } else {
            ""
        };
        match self.held {
            Some(rate) => {
                format!(
                    "{rate:.0} requests/s held it, {} of {} times; {missed}{generators}",
                    self.times, self.tried
                )
            }
            None => format!("no rate held it: {missed}{generators}"),
        }
    }

    /// What speaks against the result.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if !self.is_over {
            doubts.push(format!(
                "the search ended after {} steps and was not over: held and missed are further apart than they should be, or \
                 what was held was not tried again",
                self.steps.len()
            ));
        }
        let thin = self.steps.iter().filter(|step| !step.is_well_founded()).count();
        if thin > 0 {
            doubts.push(format!(
                "{thin} of {} steps had fewer than {SAMPLES_BEYOND} requests beyond a percentile: what they say of it is not \
                 well founded",
                self.steps.len()
            ));
        }
        doubts
    }
}

/// Searches from `start` requests a second; `measure` makes one step at a rate.
pub(super) fn search(
    start: f64,
    measure: &mut dyn FnMut(f64) -> Result<Step, Error>,
) -> Result<Search, Error> {
    let start = start.max(RATE_MIN);
    let lowest = (start / LOWEST_PART).max(RATE_MIN);
    let (steps, held) = (Vec::new(), Vec::new());
    let mut seeking = Seeking { steps, held, missed: None, lowest, is_over: false };
    let mut rate = Some(start);
    while let Some(tried) = rate {
        seeking.try_at(tried, measure)?;
        rate = seeking.next(measure)?;
    }
    Ok(seeking.finish())
}

/// A search on its way.
struct Seeking {
    steps: Vec<Step>,
    /// Rates that were held, ascending, all below the one missed.
    held: Vec<f64>,
    missed: Option<(f64, Verdict)>,
    /// No rate below this is tried.
    lowest: f64,
    is_over: bool,
}

impl Seeking {
    /// Measures at `rate`, once more when it is missed: a neighbour on the machine misses limits too, but seldom twice in a row.
    fn try_at(
        &mut self,
        rate: f64,
        measure: &mut dyn FnMut(f64) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        let mut verdict = self.step(rate, measure)?;
        if verdict != Verdict::Held {
            verdict = self.step(rate, measure)?;
        }
        match verdict {
            Verdict::Held => self.held.push(rate),
            missed => self.missed = Some((rate, missed)),
        }
        Ok(())
    }

    fn step(
        &mut self,
        rate: f64,
        measure: &mut dyn FnMut(f64) -> Result<Step, Error>,
    ) -> Result<Verdict, Error> {
        let step = measure(rate)?;
        let verdict = step.verdict;
        self.steps.push(step);
        Ok(verdict)
    }

    /// The rate to try next; `None` when the search is over, or has had all its steps.
    fn next(
        &mut self,
        measure: &mut dyn FnMut(f64) -> Result<Step, Error>,
    ) -> Result<Option<f64>, Error> {
        while self.steps.len() < STEPS_MAX {
            let missed = self.missed.map(|(rate, _)| rate);
            match (self.held.last().copied(), missed) {
                (Some(held), None) => return Ok(Some(held * 2.0)),
                (None, Some(missed)) if missed > self.lowest => {
                    return Ok(Some((missed / 2.0).max(self.lowest)));
                }
                (Some(held), Some(missed)) if missed / held > CLOSE => {
                    return Ok(Some((held * missed).sqrt()));
                }
                (Some(held), Some(_)) => {
                    if self.is_confirmed(held, measure)? {
                        self.is_over = true;
                        return Ok(None);
                    }
                }
                (None, _) => {
                    self.is_over = true;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// Tries `held` again. When it is missed now it had been luck, and what was held below it is looked at again.
    fn is_confirmed(
        &mut self,
        held: f64,
        measure: &mut dyn FnMut(f64) -> Result<Step, Error>,
    ) -> Result<bool, Error> {
        for _ in 0..REPETITIONS {
            let verdict = self.step(held, measure)?;
            if verdict != Verdict::Held {
                self.missed = Some((held, verdict));
                self.held.pop();
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn finish(self) -> Search {
        let held = self.held.last().copied();
        // The same bits: rates are kept as they were tried.
        let at_it = self.steps.iter().filter(|step| Some(step.rate) == held);
        let is_held = |step: &&Step| step.verdict == Verdict::Held;
        Search {
            times: at_it.clone().filter(is_held).count(),
            tried: at_it.count(),
            is_over: self.is_over,
            held,
            missed: self.missed.map(|(rate, _)| rate),
            is_generators: self
                .missed
                .is_some_and(|(_, verdict)| verdict == Verdict::GeneratorLate),
            steps: self.steps,
        }
    }
}

/// How long a step at `rate` is: `least`, or as long as the percentiles need.
fn step_length(slo: &Slo, rate: f64, least: Duration) -> Duration {
    // A little more: Poisson arrivals may be fewer than expected.
    let needed = slo.samples_needed() as f64 * 1.05 / rate;
    Duration::from_secs_f64(needed.clamp(0.0, STEP_MAX.as_secs_f64())).max(least)
}

fn verdict(judgements: &[Judgement], run: &Run) -> Verdict {
    if judgements.iter().all(Judgement::is_met) {
        return Verdict::Held;
    }
    if run.late_share() > LATE_SHARE_MAX { Verdict::GeneratorLate } else { Verdict::Missed }
}

/// Who hears how a search is going.
pub struct Watchers<'a> {
    /// Four times a second.
    pub live: &'a mut dyn FnMut(&Live),
    /// After each step.
    pub step: &'a mut dyn FnMut(&Step),
}

impl Bench {
    /// Searches the highest rate of an open loop that holds `slo`, from `start` on, steps of `least` at least.
    ///
    /// # Errors
    /// When a generator cannot go on.
    pub fn find_max(
        &self,
        slo: &Slo,
        (start, arrivals): (f64, Arrivals),
        (warm_up, least): (Duration, Duration),
        watchers: Watchers<'_>,
    ) -> Result<Search, Error> {
        let Watchers { live, step: told } = watchers;
        let mut number = 0;
        search(start, &mut |rate| {
            number += 1;
            let order = Order {
                side: 0,
                pace: Pace::Open { rate, arrivals },
                // The whole warm-up once; later steps follow on a warm server.
                warm_up: if number == 1 {
                    warm_up
                } else {
                    warm_up.min(Duration::from_millis(500))
                },
                duration: step_length(slo, rate, least),
                name: format!("step {number}"),
                seed: self.plan().seed,
            };
            let run = self.measure(&order, live)?;
            let judgements = slo.judge(&run.tally);
            let verdict = verdict(&judgements, &run);
            let step = Step { rate, verdict, judgements, seconds: run.tally.seconds() };
            told(&step);
            Ok(step)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Tally;
    use stdx::prng::Prng;

    const KNEE: f64 = 37_000.0;

    /// A server with one place: latencies are exponential, their mean is 1 / (knee' - rate), so that p99 is 1 ms at the knee.
    fn simulated(slo: &Slo, rate: f64, prng: &mut Prng) -> Step {
        let service = KNEE + 100.0_f64.ln() * 1000.0;
        let mut tally = Tally::by_second(0, 1_000_000_000);
        for _ in 0..slo.samples_needed() {
            let mean_s = if rate < service { 1.0 / (service - rate) } else { 1.0 };
            let latency = Duration::from_secs_f64(-mean_s * (1.0 - prng.unit()).ln());
            tally.answered_at(0, u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX), 1);
        }
        let run = Run {
            pace: Pace::Open { rate, arrivals: Arrivals::Poisson },
            tally,
            server_cpu_ns: None,
            generator_cpu_ns: 0,
            generators: 1,
        };
        let judgements = slo.judge(&run.tally);
        Step { rate, verdict: verdict(&judgements, &run), judgements, seconds: 1.0 }
    }

    #[test]
    fn the_knee_of_a_known_server_is_found_within_a_tenth_from_either_side() {
        let slo: Slo = "p99=1ms".parse().expect("valid");
        for (seed, start) in [(1, 1000.0), (2, 500_000.0), (3, 37_000.0), (4, 20.0)] {
            let mut prng = Prng::new(seed);
            let found =
                search(start, &mut |rate| Ok(simulated(&slo, rate, &mut prng))).expect("it ends");
            let held = found.held.expect("some rate holds it");
            assert!((KNEE * 0.9..KNEE * 1.05).contains(&held), "seed {seed}: {}", found.sentence());
            assert_eq!(found.times, 3, "{}", found.sentence());
            assert!(found.missed.is_some_and(|missed| missed > held && missed < held * 1.2));
            assert!(found.steps.len() < 40, "{} steps", found.steps.len());
        }
    }

    #[test]
    fn what_no_rate_holds_is_said() {
        let slo: Slo = "p99=1us".parse().expect("valid");
        let mut prng = Prng::new(9);
        let found =
            search(64.0, &mut |rate| Ok(simulated(&slo, rate, &mut prng))).expect("it ends");
        assert_eq!(found.held, None);
        assert!(found.sentence().starts_with("no rate held it"), "{}", found.sentence());
        assert_eq!(found.steps.last().map(|step| step.rate), Some(4.0));
        assert_eq!(found.steps.len(), 10, "each rate twice: 64, 32, 16, 8, 4");
    }

    #[test]
    fn a_step_is_as_long_as_its_percentile_needs() {
        let slo: Slo = "p50=1ms,p99.9=5ms".parse().expect("valid");
        let second = Duration::from_secs(1);
        assert_eq!(step_length(&slo, 1_000_000.0, second), second);
        assert!((step_length(&slo, 10_000.0, second).as_secs_f64() - 10.5).abs() < 1e-9);
        assert_eq!(step_length(&slo, 10.0, second), STEP_MAX);
    }

    #[test]
    fn luck_is_found_out_and_what_was_held_below_is_not_forgotten() {
        let mut tried = Vec::new();
        let found = search(1000.0, &mut |rate| {
            let is_first = !tried.contains(&rate);
            tried.push(rate);
            let is_held = rate <= 20_000.0 || (rate < 26_000.0 && is_first);
            let verdict = if is_held { Verdict::Held } else { Verdict::Missed };
            Ok(Step { rate, verdict, judgements: Vec::new(), seconds: 1.0 })
        });
        let found = found.expect("it ends");
        assert!(
            found.held.is_some_and(|held| (18_000.0..=20_000.0).contains(&held)),
            "{}",
            found.sentence()
        );
        assert!(found.steps.iter().skip(5).all(|step| step.rate >= 16_000.0), "{tried:?}");
        assert_eq!(found.times, 3);
    }

    #[test]
    fn a_miss_made_good_is_counted_and_a_search_without_end_says_so() {
        // The neighbour is busy during the first step; everything above 1000/s is too much.
        let mut is_first = true;
        let found = search(1000.0, &mut |rate| {
            let is_held = rate <= 1000.0 && !is_first;
            is_first = false;
            let verdict = if is_held { Verdict::Held } else { Verdict::Missed };
            Ok(Step { rate, verdict, judgements: Vec::new(), seconds: 1.0 })
        })
        .expect("it ends");
        assert_eq!((found.held, found.times, found.tried), (Some(1000.0), 3, 4));
        assert!(found.sentence().contains("3 of 4 times"), "{}", found.sentence());
        assert!(found.is_over && found.doubts().is_empty(), "{:?}", found.doubts());
        let endless = search(1.0, &mut |rate| {
            Ok(Step { rate, verdict: Verdict::Held, judgements: Vec::new(), seconds: 1.0 })
        })
        .expect("it ends");
        assert_eq!((endless.is_over, endless.times, endless.tried), (false, 1, 1));
        assert!(endless.doubts()[0].contains("was not over"), "{:?}", endless.doubts());
    }

    #[test]
    fn a_generator_that_was_late_is_named() {
        let found = search(1000.0, &mut |rate| {
            let verdict = if rate > 4000.0 { Verdict::GeneratorLate } else { Verdict::Held };
            Ok(Step { rate, verdict, judgements: Vec::new(), seconds: 1.0 })
        });
        let found = found.expect("it ends");
        assert!(found.held.is_some_and(|held| (3800.0..=4000.0).contains(&held)));
        assert!(found.sentence().contains("the server may do more"), "{}", found.sentence());
    }
}
