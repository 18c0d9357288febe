//! The picture: panels side by side, both axes in powers.

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::plot::LinePlot;
use kuva::render::figure::Figure;
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;

use super::{Axis, Panel, Point};

/// What lines are drawn in, in their order: blue, orange and green that those who see red and green
/// alike can tell apart.
const COLORS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// The size of one panel, in pixels.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 320.0;

/// The panels as one picture.
pub(super) fn svg(panels: &[(Axis, Panel)]) -> String {
    let plots: Vec<Vec<Plot>> = panels.iter().map(|(_, panel)| lines(panel)).collect();
    let layout = |((axis, _), plots): (&(Axis, Panel), &Vec<Plot>)| {
        Layout::auto_from_plots(plots)
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

fn lines(panel: &Panel) -> Vec<Plot> {
    let line = |((label, points), color): ((&String, &Vec<Point>), &&str)| {
        let line = LinePlot::new()
            .with_data(points.iter().map(|point| (point.at, point.median)))
            .with_band(points.iter().map(|point| point.min), points.iter().map(|point| point.max))
            .with_color(*color)
            .with_legend(label);
        Plot::Line(line)
    };
    panel.iter().zip(COLORS.iter().cycle()).map(line).collect()
}

/// A tick: 10, 1,000, 100k.
fn power(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{value}"),
    }
}
