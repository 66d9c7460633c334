//! `larder top`: a server's rates, latencies, memory and freshness, live. Asks its admin port again and again.
//!
//! `scrape` asks and reads the answer, `sample` is what two answers say together, `screen` draws it, `table` prints it.

mod sample;
mod scrape;
mod screen;
mod table;

use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use stdx::clock::{Clock, SystemClock};

use crate::{
    admin::AdminPort,
    args,
    error::CliError,
    output::{self, Format},
};
use sample::Sample;
use scrape::Scrape;

/// How long the server may take to answer, and to be connected to.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) fn run(args: &args::Top) -> Result<(), CliError> {
    let clock = SystemClock::new();
    let port = AdminPort::of(&args.admin, PATIENCE)?;
    let first = Scrape::of(&port, &clock)?;
    if args.once {
        return once(args, &first, (&port, &clock));
    }
    let terminal = Terminal::take()?;
    live(args, first, (&port, &clock), terminal)
}

/// Two looks, and what they say.
fn once(
    args: &args::Top,
    first: &Scrape,
    (port, clock): (&AdminPort, &SystemClock),
) -> Result<(), CliError> {
    pause(args.interval.0);
    let second = Scrape::of(port, clock)?;
    let sample = Sample::between(first, &second);
    match output::choose(args.format) {
        Format::Json => {
            let text = serde_json::to_string(&sample);
            output::line(&text.map_err(|error| CliError::failed(error.to_string()))?)
        }
        format => table::print(&sample, format),
    }
}

/// Until the second look.
#[expect(clippy::disallowed_methods, reason = "rates are of the time between two looks")]
fn pause(interval: Duration) {
    std::thread::sleep(interval);
}

/// The terminal while we draw on it; as it was before when this is dropped. A panic puts it back, too: `ratatui::try_init` sees to that.
struct Terminal(ratatui::DefaultTerminal);

impl Terminal {
    fn take() -> Result<Self, CliError> {
        let taken = ratatui::try_init();
        taken.map(Self).map_err(|error| {
            let remedy = "with `--once` one sample is printed, and no terminal is needed";
            CliError::failed(format!("this is no terminal to draw on: {error}; {remedy}"))
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Draws until somebody presses q, Escape or Ctrl-C.
fn live(
    args: &args::Top,
    mut last: Scrape,
    (port, clock): (&AdminPort, &SystemClock),
    mut terminal: Terminal,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("the terminal: {error}"));
    let mut sample = Sample::between(&last, &last);
    let mut trouble = None;
    loop {
        let drawn =
            |frame: &mut ratatui::Frame<'_>| screen::draw(frame, &sample, trouble.as_deref());
        terminal.0.draw(drawn).map_err(failed)?;
        let began_ns = clock.mono_ns();
        loop {
            let gone = Duration::from_nanos(clock.mono_ns().saturating_sub(began_ns));
            let Some(left) = args.interval.0.checked_sub(gone).filter(|left| !left.is_zero())
            else {
                break;
            };
            if event::poll(left).map_err(failed)? {
                match event::read().map_err(failed)? {
                    Event::Key(key) if key.kind == KeyEventKind::Press && is_end(&key) => {
                        return Ok(());
                    }
                    Event::Resize(..) => break,
                    _ => {}
                }
            }
        }
        // A server that is away comes back: its last figures stay meanwhile.
        match Scrape::of(port, clock) {
            Ok(next) => {
                sample = Sample::between(&last, &next);
                (last, trouble) = (next, None);
            }
            Err(error) => trouble = Some(error.to_string()),
        }
    }
}

fn is_end(key: &event::KeyEvent) -> bool {
    let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    is_ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}
