//! A sample on a terminal; whole on 80 columns and 24 lines, where there is more it is cut at the end.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Table},
};

use super::sample::Sample;

/// Draws `sample`, and why there is no newer one, if so.
pub(super) fn draw(frame: &mut Frame<'_>, sample: &Sample, trouble: Option<&str>) {
    let [head, operations, middle, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(9),
        Constraint::Min(8),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(summary(sample)), head);
    draw_operations(frame, operations, sample);
    let [groups, right] =
        Layout::horizontal([Constraint::Percentage(52), Constraint::Percentage(48)]).areas(middle);
    draw_groups(frame, groups, sample);
    let hot_lines = u16::try_from(sample.hot_keys.len()).unwrap_or(0).clamp(1, 5) + 1;
    let [services, hot] =
        Layout::vertical([Constraint::Min(3), Constraint::Length(hot_lines)]).areas(right);
    draw_services(frame, services, sample);
    draw_hot_keys(frame, hot, sample);
    let foot_line = match trouble {
        Some(trouble) => Line::styled(trouble.to_owned(), warning()),
        None => Line::styled("q quits", Style::new().add_modifier(Modifier::DIM)),
    };
    frame.render_widget(Paragraph::new(foot_line), foot);
}

fn warning() -> Style {
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
}

fn summary(sample: &Sample) -> Vec<Line<'static>> {
    let state = match (sample.ready, sample.troubles.is_empty()) {
        (true, true) => Span::styled("ready", Style::new().fg(Color::Green)),
        (true, false) => Span::styled(format!("ready, {}", sample.troubles.join(", ")), warning()),
        (false, _) => Span::styled("not ready", warning()),
    };
    let limit = sample.memory_max_bytes.map_or(String::new(), |max| format!(" of {}", bytes(max)));
    let shed = format!(
        "shed {}/s  expired {}/s",
        number(sample.shed_per_second),
        number(sample.expired_per_second)
    );
    let shed_style = if sample.shed_per_second > 0.0 { warning() } else { Style::default() };
    vec![
        Line::from(vec![
            Span::raw(format!("larder {}  up {}  ", sample.version, time(sample.uptime_seconds))),
            state,
        ]),
        Line::from(format!(
            "memory {}{limit}  connections {}  in flight {}",
            bytes(sample.memory_bytes),
            number(sample.connections),
            number(sample.in_flight)
        )),
        Line::from(vec![
            Span::raw(format!(
                "in {}/s  out {}/s  ",
                bytes(sample.received_bytes_per_second),
                bytes(sample.sent_bytes_per_second)
            )),
            Span::styled(shed, shed_style),
        ]),
        Line::from(format!(
            "log {}/s  syncs {}/s  sync p99 {}  checkpoint {} ago",
            bytes(sample.wal_bytes_per_second),
            number(sample.syncs_per_second),
            milliseconds(sample.sync_p99_ms),
            time(sample.checkpoint_age_seconds)
        )),
    ]
}

/// A table with a line of what its columns are.
fn table<'a>(
    title: &'a str,
    names: &[&'a str],
    rows: Vec<Row<'a>>,
    widths: &[Constraint],
) -> Table<'a> {
    let header = Row::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    Table::new(rows, widths)
        .header(header.style(Style::new().add_modifier(Modifier::BOLD)))
        .block(Block::new().borders(Borders::TOP).title(title))
}

fn draw_operations(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample.operations.iter().map(|of| {
        Row::new([
            of.operation.clone(),
            number(of.per_second),
            number(of.failed_per_second),
            milliseconds(of.p50_ms),
            milliseconds(of.p99_ms),
            milliseconds(of.p999_ms),
        ])
    });
    let names = ["operation", "per second", "failed/s", "p50", "p99", "p99.9"];
    let widths = [12, 12, 10, 11, 11, 11].map(Constraint::Length);
    frame.render_widget(table("", &names, rows.collect(), &widths), area);
}

fn draw_groups(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample.groups.iter().map(|of| {
        let fresh = of.freshness_seconds.map_or("-".to_owned(), time);
        Row::new([of.group.clone(), number(of.entities), bytes(of.bytes), fresh])
    });
    let names = ["group", "entities", "memory", "newest"];
    let widths =
        [Constraint::Min(12), Constraint::Length(9), Constraint::Length(9), Constraint::Length(7)];
    frame.render_widget(table("", &names, rows.collect(), &widths), area);
}

fn draw_services(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample.services.iter().map(|of| {
        let present = of.present.map_or("-".to_owned(), percent);
        Row::new([of.service.clone(), number(of.vectors_per_second), present])
    });
    let names = ["service", "vectors/s", "present"];
    let widths = [Constraint::Min(12), Constraint::Length(10), Constraint::Length(8)];
    frame.render_widget(table("", &names, rows.collect(), &widths), area);
}

fn draw_hot_keys(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample
        .hot_keys
        .iter()
        .map(|of| Row::new([of.key.clone(), of.service.clone(), percent(of.share)]));
    let names = ["hot key", "service", "share"];
    let widths = [Constraint::Min(12), Constraint::Length(10), Constraint::Length(8)];
    let header = Row::new(names.map(str::to_owned));
    let hot =
        Table::new(rows, widths).header(header.style(Style::new().add_modifier(Modifier::BOLD)));
    frame.render_widget(hot, area);
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

fn milliseconds(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 1.0 => format!("{:.0} µs", value * 1e3),
        Some(value) => format!("{value:.2} ms"),
    }
}

/// Three digits or so.
fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

fn bytes(value: f64) -> String {
    match value {
        value if value >= 1_073_741_824.0 => format!("{:.1} GiB", value / 1_073_741_824.0),
        value if value >= 1_048_576.0 => format!("{:.1} MiB", value / 1_048_576.0),
        value if value >= 1024.0 => format!("{:.1} KiB", value / 1024.0),
        value => format!("{value:.0} B"),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 86_400.0 => format!("{:.1} d", seconds / 86_400.0),
        seconds if seconds >= 3600.0 => format!("{:.1} h", seconds / 3600.0),
        seconds if seconds >= 60.0 => format!("{:.1} m", seconds / 60.0),
        seconds => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::cmd::top::sample::tests::scrape;

    fn drawn(width: u16, height: u16, trouble: Option<&str>) -> String {
        let sample = Sample::between(&scrape(10, 1_000), &scrape(12, 3_000));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("no real one");
        terminal.draw(|frame| draw(frame, &sample, trouble)).expect("it draws");
        let cells = terminal.backend().buffer().content();
        let line = |line: &[ratatui::buffer::Cell]| line.iter().map(|cell| cell.symbol()).collect();
        cells.chunks(usize::from(width)).map(line).collect::<Vec<String>>().join("\n")
    }

    #[test]
    fn all_of_it_is_seen_on_eighty_columns_and_twenty_four_lines() {
        let screen = drawn(80, 24, None);
        for expected in [
            "larder 0.1.0",
            "disk_full",
            "connections 4",
            "shed 0/s",
            "checkpoint",
            "read",
            "1000",
            "1.90 ms",
            "1.99 ms",
            "spend",
            "1.9 MiB",
            "1.5 s",
            "fraud",
            "50.0 %",
            "c2",
            "q quits",
        ] {
            assert!(screen.contains(expected), "no {expected} in\n{screen}");
        }
    }

    #[test]
    fn a_terminal_that_is_too_small_is_no_defect_and_a_server_that_is_away_is_told() {
        for (width, height) in [(1, 1), (10, 3), (40, 12), (200, 60)] {
            drawn(width, height, None);
        }
        assert!(drawn(80, 24, Some("connection refused")).contains("connection refused"));
    }
}
