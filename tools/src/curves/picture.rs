//! The picture: panels side by side, both axes in powers.

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::plot::{BandPlot, LinePlot};
use kuva::render::figure::Figure;
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;

use super::{Axis, Panel, Point};

/// What lines are drawn in, in their order: blue, orange and green that those who see red and green
/// alike can tell apart.
const COLORS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// How much of its colour a band has.
const BAND: f64 = 0.2;

/// The size of one panel, in pixels.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 320.0;

/// The panels as one picture.
pub(super) fn svg(panels: &[(Axis, Panel)]) -> String {
    let plots: Vec<Vec<Plot>> = panels.iter().map(|(_, panel)| lines(panel)).collect();
    let points = || panels.iter().flat_map(|(_, panel)| panel.values().flatten());
    let least = points().map(|point| point.min).fold(f64::INFINITY, f64::min);
    let most = points().map(|point| point.max).fold(0.0, f64::max);
    let layout = |((axis, panel), plots): (&(Axis, Panel), &Vec<Plot>)| {
        let places = || panel.values().flatten().map(|point| f64::from(point.at));
        Layout::auto_from_plots(plots)
            .with_x_axis_min(places().fold(f64::INFINITY, f64::min))
            .with_x_axis_max(places().fold(0.0, f64::max))
            .with_y_axis_min(least)
            .with_y_axis_max(most)
            .with_x_label(axis.label())
            .with_y_label("server CPU per delivery (ns)")
            .with_log_scale()
            .with_tick_format(TickFormat::Custom(Arc::new(power)))
    };
    let layouts = panels.iter().zip(&plots).map(layout).collect();
    let figure = Figure::new(1, panels.len())
        .with_plots(plots)
        .with_layouts(layouts)
        .with_shared_y_all()
        .with_cell_size(WIDTH, HEIGHT)
        .with_shared_legend_bottom();
    SvgBackend::default().render_scene(&figure.render())
}

/// Each line with its band.
fn lines(panel: &Panel) -> Vec<Plot> {
    let drawn = |((label, points), color): ((&String, &Vec<Point>), &&str)| {
        let at = || points.iter().map(|point| point.at);
        let least = points.iter().map(|point| point.min);
        let most = points.iter().map(|point| point.max);
        let band = BandPlot::new(at(), least, most).with_color(*color).with_opacity(BAND);
        let line = LinePlot::new()
            .with_data(at().zip(points.iter().map(|point| point.median)))
            .with_color(*color)
            .with_legend(label);
        [Plot::Band(band), Plot::Line(line)]
    };
    panel.iter().zip(COLORS.iter().cycle()).flat_map(drawn).collect()
}

/// A tick: 10, 1k, 100k.
fn power(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{value}"),
    }
}
