//! `tools curves`: how what a delivery costs changes with the crowd, the window and the size of a
//! message, as a picture of what `tools load --json` has measured.

mod picture;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::files::{self, output::Output};

/// A report is longer than this only if it is none, in bytes.
const MAX_REPORT: u64 = 16 << 20;

/// Draw what a delivery costs over clients, window and size, from reports of `load --json`.
///
/// The first report is the base. Each panel shows those that differ from it in nothing but the
/// number of its axis: the middle of the rounds as a line, the least and the most as a band.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// What `tools load --json` printed, each in a file of its own
    #[arg(required = true, value_name = "REPORT")]
    pub reports: Vec<PathBuf>,

    /// The picture to write, as SVG
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// As much of a report as the picture shows.
#[derive(Debug, Deserialize)]
struct Report {
    sides: Vec<Side>,
}

#[derive(Debug, Deserialize)]
struct Side {
    label: String,
    plan: Numbers,
    rounds: Vec<Round>,
}

/// Who was there and what they did.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Numbers {
    scenario: String,
    senders: u32,
    pairs: u32,
    receivers: u32,
    stalled: u32,
    window: u32,
    size: u32,
}

#[derive(Debug, Deserialize)]
struct Round {
    /// Processor time of the server for one delivery, in nanoseconds.
    cpu_per_delivery: Option<f64>,
}

/// What a panel is drawn over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Receivers,
    Window,
    Size,
}

/// The rounds at one place of an axis, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    at: u32,
    median: f64,
    min: f64,
    max: f64,
}

/// The lines of one panel, by what was measured.
type Panel = BTreeMap<String, Vec<Point>>;

/// Draws, and says on `log` what. Returns the exit code.
///
/// # Errors
///
/// A report cannot be read, or is none; there is nothing to draw; the picture cannot be written.
pub fn run(options: &Options, log: &mut impl Write) -> anyhow::Result<u8> {
    let mut sides = Vec::new();
    for path in &options.reports {
        if let Some(clash) = files::clash(path, "--output", &options.output) {
            bail!(clash);
        }
        sides.extend(read(path)?.sides);
    }
    let panels = panels(&sides);
    ensure!(
        !panels.is_empty(),
        "nothing to draw: no two reports differ in only their receivers, window or size"
    );
    let write = || -> io::Result<()> {
        let mut output = Output::create(&options.output)?;
        output.write_all(picture::svg(&panels).as_bytes())?;
        Output::commit(output)
    };
    let name = files::output_name(&options.output);
    write().with_context(|| name.clone())?;
    let points = panels.iter().flat_map(|(_, panel)| panel.values()).map(Vec::len).sum::<usize>();
    writeln!(log, "{name}: {} panels, {points} points", panels.len())?;
    Ok(0)
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let text = || -> anyhow::Result<Report> {
        let mut text = String::new();
        File::open(path)?.take(MAX_REPORT).read_to_string(&mut text)?;
        serde_json::from_str(&text).context("expected what `tools load --json` prints")
    };
    text().with_context(|| files::input_name(path))
}

/// Those panels that have anything to show.
fn panels(sides: &[Side]) -> Vec<(Axis, Panel)> {
    let Some(base) = sides.first().map(|side| &side.plan) else { return Vec::new() };
    let panel = |axis: Axis| {
        let mut panel = Panel::new();
        for side in sides.iter().filter(|side| axis.without(&side.plan) == axis.without(base)) {
            let line = panel.entry(side.label.clone()).or_default();
            line.extend(Point::of(axis.of(&side.plan), &side.rounds));
        }
        for line in panel.values_mut() {
            line.sort_by_key(|point| point.at);
            line.dedup_by_key(|point| point.at);
        }
        panel.retain(|_, line| line.len() > 1);
        (axis, panel)
    };
    let mut panels: Vec<_> = [Axis::Receivers, Axis::Window, Axis::Size].map(panel).into();
    panels.retain(|(_, panel)| !panel.is_empty());
    panels
}

impl Axis {
    fn of(self, numbers: &Numbers) -> u32 {
        match self {
            Self::Receivers => numbers.receivers,
            Self::Window => numbers.window,
            Self::Size => numbers.size,
        }
    }

    /// All numbers but this one.
    fn without(self, numbers: &Numbers) -> Numbers {
        let mut rest = numbers.clone();
        match self {
            Self::Receivers => rest.receivers = 0,
            Self::Window => rest.window = 0,
            Self::Size => rest.size = 0,
        }
        rest
    }

    fn label(self) -> &'static str {
        match self {
            Self::Receivers => "receivers",
            Self::Window => "messages in flight of each sender",
            Self::Size => "size of a message (bytes)",
        }
    }
}

impl Point {
    /// `None` where nothing was delivered, or what the server took is not known.
    fn of(at: u32, rounds: &[Round]) -> Option<Self> {
        let mut costs: Vec<f64> =
            rounds.iter().filter_map(|round| round.cpu_per_delivery).collect();
        costs.retain(|cost| cost.is_finite() && *cost > 0.0);
        costs.sort_by(f64::total_cmp);
        let median = *costs.get(costs.len() / 2)?;
        // On an axis of powers there is no place for 0.
        (at > 0).then_some(Self { at, median, min: *costs.first()?, max: *costs.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(receivers: u32, size: u32, costs: &[f64]) -> String {
        let rounds: Vec<_> = costs
            .iter()
            .map(|cost| serde_json::json!({ "cpu_per_delivery": cost, "clients": 1.0 }))
            .collect();
        let plan = serde_json::json!({
            "scenario": "fanout", "senders": 10, "pairs": 0, "receivers": receivers, "stalled": 0,
            "window": 16, "size": size, "seconds": 2.0,
        });
        let one = serde_json::json!({ "label": "hubbub", "plan": plan, "rounds": rounds });
        serde_json::json!({ "sides": [one], "rounds": costs.len() }).to_string()
    }

    fn draw(reports: &[String]) -> (anyhow::Result<u8>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (number, text) in reports.iter().enumerate() {
            paths.push(folder.path().join(format!("{number}.json")));
            std::fs::write(&paths[number], text).unwrap();
        }
        let output = folder.path().join("out.svg");
        let options = Options { reports: paths, output: output.clone() };
        let code = run(&options, &mut Vec::new());
        (code, std::fs::read_to_string(output).ok())
    }

    #[test]
    fn a_panel_shows_what_differs_from_the_base_in_its_axis_alone() {
        let reports = [(1000, 64, 3.0), (10, 64, 9.0), (1000, 512, 5.0), (10, 512, 7.0)]
            .map(|(receivers, size, cost)| report(receivers, size, &[cost, 1.0, 20.0]));
        let sides: Vec<Side> = reports
            .iter()
            .flat_map(|text| serde_json::from_str::<Report>(text).unwrap().sides)
            .collect();
        let panels = panels(&sides);
        let point = |at, median| Point { at, median, min: 1.0, max: 20.0 };
        assert_eq!(panels.len(), 2);
        assert_eq!(panels[0].0, Axis::Receivers);
        assert_eq!(panels[0].1["hubbub"], [point(10, 9.0), point(1000, 3.0)]);
        assert_eq!(panels[1].0, Axis::Size);
        assert_eq!(panels[1].1["hubbub"], [point(64, 3.0), point(512, 5.0)]);

        let (code, picture) = draw(&reports);
        assert_eq!(code.unwrap(), 0);
        let picture = picture.unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("size of a message"), "{picture}");
        assert!(!picture.contains("in flight"), "{picture}");
    }

    #[test]
    fn what_cannot_be_drawn_is_said_and_nothing_is_written() {
        for (reports, said) in [
            (vec![report(1000, 64, &[3.0])], "nothing to draw"),
            (vec![report(1000, 64, &[3.0]), report(10, 64, &[])], "nothing to draw"),
            (vec!["{}".to_owned()], "expected what `tools load --json` prints"),
        ] {
            let (code, picture) = draw(&reports);
            let error = format!("{:#}", code.unwrap_err());
            assert!(error.contains(said) && picture.is_none(), "{error}");
        }
    }
}
