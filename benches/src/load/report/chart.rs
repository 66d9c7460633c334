//! Drawings as inline SVG: axes with units, logarithmic where values span decades, lines with a legend.

use std::fmt::Write;

use crate::load::slo::format_ns;

/// Size of a drawing, and of the room around its field for numbers.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// A line: its name, the class of its colour, its points in the units of the axes.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// Where a value lies, from 0 to 1.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Whole decades around values, which are positive.
    fn decades(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = bounds(values.filter(|value| *value > 0.0));
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        Self { low, high: if high > low { high } else { low + 1.0 } }
    }

    fn at(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low <= high { (low, high) } else { (1.0, 10.0) }
}

/// Marks of a latency axis: its decades in ns, as people write them.
fn decades(scale: Scale) -> Vec<(f64, String)> {
    let (mut marks, mut decade) = (Vec::new(), scale.low);
    while decade <= scale.high + 1e-9 {
        let ns = 10.0_f64.powf(decade).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let text = format_ns(ns as u64);
        marks.push((decade, text.replace("us", " µs").replace("ms", " ms")));
        decade += 1.0;
    }
    marks
}

/// Latencies in ns over percentiles: the axis gives each further nine the same room. `limits` are marked.
pub(super) fn percentiles(lines: &[Line], limits: &[(f64, f64)]) -> String {
    let drawn = lines.iter().flat_map(|line| &line.points);
    let y = Scale::decades(drawn.chain(limits).map(|(_, ns)| *ns));
    let nines = |percent: f64| -(1.0 - percent / 100.0).max(1e-9).log10();
    let longest = lines.iter().flat_map(|line| line.points.iter().map(|(percent, _)| *percent));
    let (_, last) = bounds(longest);
    let x = Scale { low: 0.0, high: nines(last).max(1.0) };
    let marks: Vec<(f64, String)> = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
        .iter()
        .filter(|percent| nines(**percent) <= x.high + 1e-9)
        .map(|percent| (nines(*percent), format!("{percent} %")))
        .collect();
    let moved: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            name: line.name.clone(),
            class: line.class,
            points: line.points.iter().map(|(percent, ns)| (nines(*percent), ns.log10())).collect(),
        })
        .collect();
    let mut moved = moved;
    if !limits.is_empty() {
        let points = limits.iter().map(|(percent, ns)| (nines(*percent), ns.log10())).collect();
        moved.push(Line { name: "limit".to_owned(), class: "limit", points });
    }
    draw((x, &marks, "share of requests"), (y, &decades(y), "latency"), &moved, false)
}

/// Latencies in ns over something linear, seconds or turns mostly.
pub(super) fn over(unit: &str, lines: &[Line]) -> String {
    let y = Scale::decades(lines.iter().flat_map(|line| line.points.iter().map(|(_, ns)| *ns)));
    let x = from_zero(lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x)));
    let moved: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            name: line.name.clone(),
            class: line.class,
            points: line.points.iter().map(|(x, ns)| (*x, ns.max(1.0).log10())).collect(),
        })
        .collect();
    draw((x, &linear(x), unit), (y, &decades(y), "latency"), &moved, true)
}

/// Something linear, from nothing on, over something linear.
pub(super) fn plain(unit: &str, what: &str, lines: &[Line]) -> String {
    let x = from_zero(lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x)));
    let y = from_zero(lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| 1.1 * y)));
    draw((x, &linear(x), unit), (y, &linear(y), what), lines, true)
}

fn from_zero(values: impl Iterator<Item = f64>) -> Scale {
    let (_, high) = bounds(values);
    Scale { low: 0.0, high: if high > 0.0 { high } else { 1.0 } }
}

/// About six round marks.
fn linear(scale: Scale) -> Vec<(f64, String)> {
    let rough = (scale.high - scale.low) / 6.0;
    let decade = 10.0_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let (mut marks, mut at) = (Vec::new(), (scale.low / step).ceil() * step);
    while at <= scale.high + step * 1e-6 {
        let places = if step < 1.0 { 1 } else { 0 };
        marks.push((at, format!("{at:.places$}")));
        at += step;
    }
    marks
}

type Axis<'a> = (Scale, &'a [(f64, String)], &'a str);

fn draw(x: Axis<'_>, y: Axis<'_>, lines: &[Line], with_dots: bool) -> String {
    let mut svg = String::new();
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let place_x = |value: f64| LEFT + x.0.at(value) * width;
    let place_y = |value: f64| TOP + (1.0 - y.0.at(value)) * height;
    // Writing to a string does not fail.
    let _ = write!(svg, r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">"#);
    for (value, text) in x.1 {
        let at = place_x(*value);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{:.1}"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
            TOP + height,
            TOP + height + 17.0
        );
    }
    for (value, text) in y.1 {
        let at = place_y(*value);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{text}</text>"#,
            LEFT + width,
            LEFT - 8.0,
            at + 4.0
        );
    }
    let _ = write!(
        svg,
        r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
        LEFT + width / 2.0,
        HEIGHT - 6.0,
        x.2
    );
    let _ = write!(svg, r#"<text class="axis" x="{LEFT}" y="{:.1}">{}</text>"#, TOP - 3.0, y.2);
    for line in lines {
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(at, value)| format!("{:.1},{:.1}", place_x(*at), place_y(*value)))
            .collect();
        let _ = write!(svg, r#"<polyline class="{}" points="{}"/>"#, line.class, points.join(" "));
        if with_dots || line.class == "limit" {
            for (at, value) in &line.points {
                let (at, value) = (place_x(*at), place_y(*value));
                let _ = write!(
                    svg,
                    r#"<circle class="{}" cx="{at:.1}" cy="{value:.1}" r="2.5"/>"#,
                    line.class
                );
            }
        }
    }
    svg.push_str("</svg>");
    svg + &legend(lines)
}

fn legend(lines: &[Line]) -> String {
    let items: Vec<String> = lines
        .iter()
        .map(|line| format!(r#"<span><i class="{}"></i>{}</span>"#, line.class, line.name))
        .collect();
    format!(r#"<p class="legend">{}</p>"#, items.join(""))
}
