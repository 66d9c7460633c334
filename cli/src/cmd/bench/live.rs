//! What a terminal shows while a load runs: one line that is gone at the end.

use indicatif::{ProgressBar, ProgressStyle};
use larder_benches::load::run::Live;

use crate::output;

/// The line.
pub(super) struct Line(ProgressBar);

impl Line {
    /// An empty line.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(1000);
        Self(bar.with_style(style("{bar:30} {msg}")))
    }

    /// How it is going; `before` stands first.
    pub(super) fn show(&self, before: &str, live: &Live) {
        let share = live.seconds / live.of_seconds.max(1e-9);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 1000"
        )]
        self.0.set_position((share * 1000.0).clamp(0.0, 1000.0) as u64);
        let failed = match live.failed {
            0 => String::new(),
            failed => format!("  {failed} failed"),
        };
        self.0.set_message(if live.seconds > 0.0 {
            format!(
                "{before}{:.0}/{:.0} s  {:>9.0} requests/s  p50 {} µs  p99 {} µs{failed}",
                live.seconds, live.of_seconds, live.rate, live.p50_us, live.p99_us
            )
        } else {
            format!("{before}warming up")
        });
    }

    /// Says something that stays, above the line.
    pub(super) fn note(&self, text: &str) {
        self.0.suspend(|| output::note(text));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar for what is filled before.
pub(super) fn filling() -> ProgressBar {
    ProgressBar::new(1).with_style(style("{bar:30} filling, {percent} %, {eta} left"))
}

/// The templates are constants: without one the bar merely looks plainer.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
