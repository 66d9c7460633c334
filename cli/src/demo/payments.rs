//! A generated history of card payments: heavy-tailed, a few percent late, a few sent twice, some fraud bursts.
//!
//! One seed gives one history. Cards and merchants are drawn from a bounded Pareto law, amounts from a log-normal one.

use model::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use stdx::prng::Prng;

/// One payment as its stream declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Payment {
    pub(crate) payment_id: String,
    pub(crate) card: String,
    pub(crate) merchant: String,
    /// In hundredths.
    pub(crate) amount: i64,
    /// Event time in ms.
    pub(crate) at: i64,
}

/// Shape of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Payments, repeated ones included.
    pub(crate) events: u64,
    pub(crate) cards: u64,
    pub(crate) merchants: u64,
    /// Event time of the first, in ms.
    pub(crate) start: i64,
    /// Span of the whole, in ms.
    pub(crate) span: i64,
}

impl Shape {
    /// Ten days of `events` payments.
    pub(crate) fn of(events: u64) -> Self {
        Self {
            events,
            cards: (events / 10).max(100),
            merchants: (events / 100).max(20),
            // 2026-01-05T00:00:00Z, a Monday.
            start: 1_767_571_200_000,
            span: 10 * DAY_MS,
        }
    }
}

const LATE: f64 = 0.03;
const REPEATED: f64 = 0.02;
/// Chance that a payment opens a burst: one card, many merchants, seconds apart.
const BURST: f64 = 0.0005;
const BURST_PAYMENTS: u64 = 25;
/// Tail of the laws of cards and merchants.
const PARETO: f64 = 1.1;

/// The history, in order of arrival.
pub(crate) struct Payments {
    prng: Prng,
    shape: Shape,
    sent: u64,
    made: u64,
    last: Option<Payment>,
    burst: Option<(String, u64)>,
}

impl Payments {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let prng = Prng::stream(seed, "payments");
        Self { prng, shape, sent: 0, made: 0, last: None, burst: None }
    }

    fn make(&mut self) -> Payment {
        self.made += 1;
        let part = u128::from(self.shape.span.unsigned_abs()) * u128::from(self.sent);
        let since = i64::try_from(part / u128::from(self.shape.events.max(1))).unwrap_or(0);
        let on_time = self.shape.start + since;
        let late =
            if self.prng.chance(LATE) { self.prng.between(SECOND_MS, 30 * MINUTE_MS) } else { 0 };
        let (card, amount) = match self.burst.take() {
            Some((card, left)) => {
                if left > 1 {
                    self.burst = Some((card.clone(), left - 1));
                }
                (card, self.prng.between(40_000, 200_000))
            }
            None => {
                let card = card_name(self.heavy(self.shape.cards));
                if self.prng.chance(BURST) {
                    self.burst = Some((card.clone(), BURST_PAYMENTS));
                }
                (card, self.amount())
            }
        };
        Payment {
            payment_id: format!("p{:07}", self.made),
            card,
            merchant: merchant_name(self.heavy(self.shape.merchants)),
            amount,
            at: on_time - late,
        }
    }

    /// A number from 0 to `count` - 1, small ones far likelier (bounded Pareto by inversion).
    fn heavy(&mut self, count: u64) -> u64 {
        let top = (count as f64).powf(1.0 - PARETO);
        let drawn = (1.0 - self.prng.unit() * (1.0 - top)).powf(1.0 / (1.0 - PARETO));
        // At least 1 and at most `count`; the fraction is cut off.
        self.clamp_index(drawn, count)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the float lies between 0 and count, and its fraction is meant to go"
    )]
    fn clamp_index(&self, drawn: f64, count: u64) -> u64 {
        ((drawn - 1.0).max(0.0) as u64).min(count - 1)
    }

    /// Around 30.00, one in a hundred above 300.00 (sum of twelve uniforms for the normal law).
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an amount stays far below 2^63 hundredths"
    )]
    fn amount(&mut self) -> i64 {
        let normal: f64 = (0..12).map(|_| self.prng.unit()).sum::<f64>() - 6.0;
        (3000.0 * normal.exp()).round() as i64 + 1
    }
}

/// The card of rank `rank`; 0 is the busiest.
pub(crate) fn card_name(rank: u64) -> String {
    format!("card-{rank:06}")
}

/// The merchant of rank `rank`; 0 is the busiest.
pub(crate) fn merchant_name(rank: u64) -> String {
    format!("merchant-{rank:04}")
}

impl Iterator for Payments {
    type Item = Payment;

    fn next(&mut self) -> Option<Payment> {
        if self.sent == self.shape.events {
            return None;
        }
        self.sent += 1;
        let repeated = self.prng.chance(REPEATED);
        if let Some(last) = self.last.take().filter(|_| repeated) {
            return Some(last);
        }
        let payment = self.make();
        self.last = Some(payment.clone());
        Some(payment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn one_seed_gives_one_history_with_late_repeated_and_hot_parts() {
        let history: Vec<_> = Payments::new(1, Shape::of(20_000)).collect();
        assert_eq!(history, Payments::new(1, Shape::of(20_000)).collect::<Vec<_>>());
        assert_ne!(history, Payments::new(2, Shape::of(20_000)).collect::<Vec<_>>());
        let repeated =
            history.windows(2).filter(|pair| pair[0].payment_id == pair[1].payment_id).count();
        assert!((200..800).contains(&repeated), "{repeated} repeated");
        let mut newest = i64::MIN;
        let late = history.iter().filter(|payment| {
            newest = newest.max(payment.at);
            payment.at < newest
        });
        let late = late.count();
        assert!((300..1500).contains(&late), "{late} late");
        let mut cards: HashMap<&str, u32> = HashMap::new();
        history.iter().for_each(|payment| *cards.entry(&payment.card).or_default() += 1);
        let busiest = cards.values().max().copied().unwrap_or(0);
        assert!(
            busiest > 500 && cards.len() > 500,
            "{busiest} on the busiest of {} cards",
            cards.len()
        );
        assert!(history.iter().all(|payment| payment.amount > 0));
    }
}
