//! Rounds: each side measured as often as was asked, turn about, and the sides compared.
//!
//! A machine is now fast and now slow. Two sides of one round find it much the same, so their ratio
//! says more than their difference from one day to another; the spread of the ratios says how much.

use std::collections::BTreeMap;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::metric::{Measures, Metric};
use super::options::Side;
use super::plan::Plan;
use super::round;

/// What the bar looks like.
const BAR: &str = "{prefix}  {msg:12} {wide_bar} {percent:>3} %";

/// All rounds of one side.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) label: String,
    pub(super) plan: Plan,
    pub(super) medians: Measures,
    pub(super) rounds: Vec<Measures>,
}

/// The middle one of several numbers, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Measures every side in every round.
///
/// # Errors
///
/// One of them failed.
pub(super) fn measure(sides: &[Side], rounds: u32) -> anyhow::Result<Vec<Outcome>> {
    let mut found: Vec<Vec<Measures>> = sides.iter().map(|_| Vec::new()).collect();
    for number in 1..=rounds {
        for (side, found) in sides.iter().zip(&mut found) {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr())
                .with_style(ProgressStyle::with_template(BAR)?)
                .with_prefix(format!("round {number} of {rounds}, {}", side.label));
            let measures = round::measure(side, bar.clone());
            bar.finish_and_clear();
            found.push(measures.with_context(|| format!("round {number}, {}", side.label))?);
        }
    }
    let outcome = |(side, rounds): (&Side, Vec<Measures>)| {
        let medians = spreads(&rounds).into_iter().map(|(metric, of)| (metric, of.median));
        Outcome {
            label: side.label.clone(),
            plan: side.plan.clone(),
            medians: Measures(medians.collect()),
            rounds,
        }
    };
    Ok(sides.iter().zip(found).map(outcome).collect())
}

/// The spread of each number over the rounds of one side.
pub(super) fn spreads(rounds: &[Measures]) -> BTreeMap<Metric, Spread> {
    let mut values: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
    for (&metric, &value) in rounds.iter().flat_map(|measures| &measures.0) {
        values.entry(metric).or_default().push(value);
    }
    values.into_iter().filter_map(|(metric, values)| Some((metric, Spread::of(values)?))).collect()
}

/// The spread of the ratios of two sides: each round of the first over the same of the second.
pub(super) fn ratios(first: &Outcome, second: &Outcome) -> BTreeMap<Metric, Spread> {
    let ratio = |(a, b): (&Measures, &Measures)| {
        let both = a.0.iter().filter_map(|(metric, a)| Some((*metric, a / b.0.get(metric)?)));
        Measures(both.filter(|(metric, ratio)| metric.is_outcome() && ratio.is_finite()).collect())
    };
    let rounds: Vec<Measures> = first.rounds.iter().zip(&second.rounds).map(ratio).collect();
    spreads(&rounds)
}

impl Spread {
    /// `None` of no numbers.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (below, above) = (values.get((values.len() - 1) / 2)?, values.get(values.len() / 2)?);
        Some(Self { median: f64::midpoint(*below, *above), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::Scenario;
    use super::*;

    fn outcome(rounds: &[f64]) -> Outcome {
        let measures = |&value| Measures([(Metric::CpuPerDelivery, value)].into());
        let rounds = rounds.iter().map(measures).collect();
        let plan = Plan::default_of(Scenario::Fanout);
        Outcome { label: String::new(), plan, medians: Measures::default(), rounds }
    }

    #[test]
    fn the_median_is_that_of_the_ratios() {
        let ratios = ratios(&outcome(&[10.0, 30.0, 9.0]), &outcome(&[10.0, 20.0, 10.0]));
        let spread = Spread { median: 1.0, min: 0.9, max: 1.5 };
        assert_eq!(ratios, [(Metric::CpuPerDelivery, spread)].into());
        let even = Spread { median: 2.5, min: 1.0, max: 4.0 };
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]), Some(even));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn what_only_one_side_has_or_is_nothing_is_not_compared() {
        let nothing = outcome(&[0.0]);
        assert!(ratios(&outcome(&[1.0]), &nothing).is_empty());
        assert!(ratios(&outcome(&[1.0]), &outcome(&[])).is_empty());
    }
}
