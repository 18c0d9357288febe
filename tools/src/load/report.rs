//! What was measured: a table for people, JSON for programs.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table, TableComponent};
use serde::Serialize;

use super::compare::{self, Outcome, Spread};
use super::metric::Metric;
use super::options::Side;
use super::plan::{Length, Plan, Scenario};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    scenario: String,
    rounds: usize,
    sides: Vec<Outcome>,
    /// The first side over the second, where there are two.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ratios: BTreeMap<Metric, Spread>,
}

impl Report {
    pub(super) fn new(scenario: Scenario, sides: Vec<Outcome>) -> Self {
        let ratios = match &sides[..] {
            [first, second] => compare::ratios(first, second),
            _ => BTreeMap::new(),
        };
        let rounds = sides.first().map_or(0, |side| side.rounds.len());
        Self { scenario: name(scenario), rounds, sides, ratios }
    }

    /// The results as JSON.
    ///
    /// # Errors
    ///
    /// None that are known: it holds numbers and texts.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The results as a table. It ends with a line end.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        table.remove_style(TableComponent::HorizontalLines);
        table.remove_style(TableComponent::MiddleIntersections);
        let mut header = vec![""];
        header.extend(self.sides.iter().map(|side| &side.label[..]));
        match (self.sides.len(), self.rounds) {
            (1, 1) => {}
            (1, _) => header.extend(["min", "max"]),
            _ => header.extend(["ratio", "min", "max"]),
        }
        table.set_header(header.into_iter().map(right));
        let metrics: BTreeSet<Metric> =
            self.sides.iter().flat_map(|side| side.medians.0.keys().copied()).collect();
        for metric in metrics {
            table.add_row(self.row(metric));
        }
        table.trim_fmt() + "\n"
    }

    /// The medians of the sides, and how far their rounds or their ratios lie apart.
    fn row(&self, metric: Metric) -> Vec<Cell> {
        let mut row = vec![Cell::new(metric.label())];
        for side in &self.sides {
            row.push(shown(side.medians.0.get(&metric).copied(), |value| metric.show(value)));
        }
        match &self.sides[..] {
            [_] if self.rounds == 1 => {}
            [side] => {
                let spread = compare::spreads(&side.rounds).get(&metric).copied();
                let ends = [spread.map(|spread| spread.min), spread.map(|spread| spread.max)];
                row.extend(ends.map(|end| shown(end, |value| metric.show(value))));
            }
            _ => {
                let ratio = self.ratios.get(&metric).copied();
                let (min, max) = (ratio.map(|ratio| ratio.min), ratio.map(|ratio| ratio.max));
                let parts = [ratio.map(|ratio| ratio.median), min, max];
                row.extend(parts.map(|part| shown(part, |value| format!("{value:.3}"))));
            }
        }
        row
    }
}

/// What is going to be measured, in a line for each side and one more.
pub(super) fn introduce(sides: &[Side], rounds: u32) -> String {
    let side = |Side { plan, target, .. }: &Side| {
        format!("{}: {}; {target}\n", name(plan.scenario), describe(plan))
    };
    let rounds = match (rounds, sides.len()) {
        (1, _) => String::new(),
        (_, 1) => format!("{rounds} rounds\n"),
        _ => format!("{rounds} rounds, turn about\n"),
    };
    sides.iter().map(side).chain([rounds]).collect()
}

fn describe(plan: &Plan) -> String {
    let counts = [
        (plan.senders, "senders"),
        (plan.pairs, "pairs"),
        (plan.receivers, "receivers"),
        (plan.stalled, "stalled"),
    ];
    let mut parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if plan.churners() > 0 {
        parts.push(format!("{} connections at a time", plan.window));
    } else if plan.talkers() > 0 {
        parts.push(match plan.window {
            0 => "talkers never wait".to_owned(),
            window => format!("window {window}"),
        });
        parts.push(format!("{} bytes", plan.size));
    }
    if let Some(bytes) = plan.receive_buffer {
        parts.push(format!("receive buffers of {bytes} bytes"));
    }
    parts.push(match plan.length {
        Length::Time(time) => format!("{} s", time.as_secs_f64()),
        Length::Count(count) if plan.churners() > 0 => format!("{count} logins"),
        Length::Count(count) => format!("{count} messages each"),
    });
    parts.join(", ")
}

fn name(scenario: Scenario) -> String {
    let value = scenario.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn shown(value: Option<f64>, show: impl Fn(f64) -> String) -> Cell {
    right(&value.map_or_else(String::new, show))
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}
