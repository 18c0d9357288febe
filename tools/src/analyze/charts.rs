//! The charts of the page, drawn by kuva. Their colours are those of the page, so that they can be
//! read in the light and in the dark.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a chart is looked at, and its library speaks in floating point"
)]

use std::sync::Arc;

use kuva::plot::annotations::ReferenceLine;
use kuva::plot::{BarPlot, LinePlot};
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::theme::Theme;

use super::report::{Length, Talk};
use super::traffic::{Stretch, Traffic};
use crate::units::{duration, grouped, size};

/// Points of the chart of traffic.
const MOST_POINTS: usize = 360;

/// What a time is counted in, so that its round numbers are round: nanoseconds to days.
const UNITS_NS: [u64; 7] =
    [1, 1_000, 1_000_000, 1_000_000_000, 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000];

/// How many buckets wide the place of a pause is.
const PAUSE: usize = 4;

/// A chart, and what it shows.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// The picture.
    pub(super) svg: String,
    /// What it shows, in words.
    pub(super) caption: String,
}

/// Bytes a second over time; none where no packet has a time.
pub(super) fn traffic(traffic: &mut Traffic) -> Option<Chart> {
    let stretches = traffic.stretches(MOST_POINTS);
    let width_ns = traffic.width_ns();
    let first = stretches.first()?;
    // Where nothing is cut out, the axis is time. Otherwise it is the buckets that are drawn.
    // The end of the last bucket may lie behind the last time that there is.
    let all_ns = width_ns.saturating_mul(first.buckets.len() as u64);
    let unit_ns = UNITS_NS.into_iter().rfind(|unit_ns| *unit_ns <= all_ns).unwrap_or(1) as f64;
    let scale = if stretches.len() == 1 { width_ns as f64 / unit_ns } else { 1.0 };
    let (mut plots, mut places, mut pauses) = (Vec::new(), Vec::new(), Vec::new());
    for stretch in &stretches {
        let at = places.len();
        if at > 0 {
            pauses.push(at - PAUSE / 2);
        }
        plots.push(Plot::from(line(stretch, at, width_ns, scale)));
        let count = stretch.buckets.len() + 1 + PAUSE;
        let time = |place| stretch.start_ns.saturating_add(width_ns.saturating_mul(place));
        places.extend((0..count as u64).map(time));
    }
    let start_ns = first.start_ns;
    let end = (places.len() - PAUSE) as f64 * scale;
    let is_whole = pauses.is_empty();
    let label = move |place: f64| {
        let time = if is_whole {
            Some((place.max(0.0) * unit_ns).round() as u64)
        } else {
            // A tick that is within a pause would be a time at which nothing is drawn.
            places.get(place.max(0.0) as usize).map(|time| time.saturating_sub(start_ns))
        };
        time.map(|time_ns| if time_ns == 0 { "0".to_owned() } else { round(&duration(time_ns)) })
            .unwrap_or_default()
    };
    let mut layout = Layout::auto_from_plots(&plots)
        .with_x_axis_min(0.0)
        .with_x_axis_max(end)
        .with_y_axis_min(0.0)
        .with_x_tick_format(TickFormat::Custom(Arc::new(label)))
        .with_y_tick_format(TickFormat::Custom(Arc::new(rate)));
    for place in &pauses {
        let line = ReferenceLine::vertical(*place as f64).with_color("var(--quiet)");
        layout = layout.with_reference_line(line.with_label("pause"));
    }
    let mut caption =
        format!("Bytes a second, from the first packet on. A step is {}.", duration(width_ns));
    if !pauses.is_empty() {
        caption += " Where a line is dashed, a pause was cut out.";
    }
    Some(Chart { svg: draw(plots, layout, 960.0, 260.0, "Bytes a second over time"), caption })
}

fn line(stretch: &Stretch, at: usize, width_ns: u64, scale: f64) -> LinePlot {
    let seconds = width_ns as f64 / 1e9;
    let rates = stretch.buckets.iter().map(|count| count.bytes as f64 / seconds).chain([0.0]);
    let points: Vec<(f64, f64)> =
        rates.enumerate().map(|(place, rate)| ((at + place) as f64 * scale, rate)).collect();
    LinePlot::new()
        .with_data(points)
        .with_color("var(--accent)")
        .with_stroke_width(1.5)
        .with_step()
        .with_fill()
        .with_fill_opacity(0.25)
}

/// A number without the zeroes behind its point.
fn round(text: &str) -> String {
    text.replacen(".00 ", " ", 1).replacen(".0 ", " ", 1)
}

fn rate(bytes: f64) -> String {
    format!("{}/s", size(bytes.max(0.0) as u64))
}

/// Packets by length.
pub(super) fn lengths(lengths: &[Length]) -> Chart {
    let bars = lengths.iter().filter(|length| length.packets > 0).map(|length| {
        let label = match length.to_bytes {
            Some(to) => format!("{}–{to}", length.from_bytes),
            None => format!("{}+", length.from_bytes),
        };
        (label, length.packets as f64)
    });
    let svg = columns(bars.collect(), "var(--link-ink)", "Packets by length");
    Chart { svg, caption: "Packets by length in bytes, headers included.".to_owned() }
}

/// Connections by handshake RTT; none where fewer than two were seen.
pub(super) fn handshakes(talks: &[Talk]) -> Option<Chart> {
    const CLASSES: [(u64, &str); 7] = [
        (10_000, "<10 µs"),
        (100_000, "<100 µs"),
        (1_000_000, "<1 ms"),
        (10_000_000, "<10 ms"),
        (100_000_000, "<100 ms"),
        (1_000_000_000, "<1 s"),
        (u64::MAX, "1 s+"),
    ];
    let mut counts = [0_u64; CLASSES.len()];
    let times = talks.iter().filter_map(|talk| talk.tcp.as_ref()?.handshake_rtt_ns);
    for time_ns in times {
        let class = CLASSES.iter().position(|(end, _)| time_ns < *end);
        if let Some(count) = counts.get_mut(class.unwrap_or(CLASSES.len() - 1)) {
            *count += 1;
        }
    }
    if counts.iter().sum::<u64>() < 2 {
        return None;
    }
    let bars = CLASSES.iter().zip(counts);
    let bars = bars.map(|((_, label), count)| ((*label).to_owned(), count as f64)).collect();
    let svg = columns(bars, "var(--transport-ink)", "Connections by handshake RTT");
    let caption = "Connections by handshake round trip, from SYN to ACK.".to_owned();
    Some(Chart { svg, caption })
}

fn columns(bars: Vec<(String, f64)>, colour: &str, title: &str) -> String {
    let bars = BarPlot::new().with_bars(bars).with_color(colour).with_width(0.75);
    let plots = vec![Plot::from(bars)];
    let layout = Layout::auto_from_plots(&plots).with_y_axis_min(0.0).with_y_tick_format(
        TickFormat::Custom(Arc::new(|count| {
            // Half a packet is no packet.
            if count.fract() == 0.0 { grouped(count as u64) } else { String::new() }
        })),
    );
    draw(plots, layout, 480.0, 240.0, title)
}

/// The picture, as wide as the page lets it be.
fn draw(plots: Vec<Plot>, layout: Layout, width: f64, height: f64, title: &str) -> String {
    let layout = layout
        .with_theme(Theme {
            background: "none".into(),
            axis_color: "var(--quiet)".into(),
            grid_color: "var(--line)".into(),
            tick_color: "var(--quiet)".into(),
            text_color: "var(--text)".into(),
            font_family: Some("inherit".into()),
            ..Theme::light()
        })
        .with_width(width)
        .with_height(height)
        .with_force_margins_y(14.0, 34.0)
        .with_tick_size(12);
    let svg = kuva::render_to_svg(plots, layout);
    // Without a size of its own it takes the page's; what it was drawn in is its view.
    let of = |name: &str| {
        let (_, rest) = svg.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let (Some(width), Some(height)) = (of("width"), of("height")) else { return svg };
    let size = format!(" width=\"{width}\" height=\"{height}\"");
    let view = format!(" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\"");
    svg.replacen(&size, &view, 1)
}
