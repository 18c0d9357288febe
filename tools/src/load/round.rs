//! One round of one side: start what the load is put on, log everyone in, measure.

use std::time::Duration;

use indicatif::ProgressBar;

use super::crowd::Crowd;
use super::descriptors;
use super::latency::Latency;
use super::metric::{Measures, Metric};
use super::options::Side;
use super::plan::{Length, Plan, Scenario};
use super::process::{self, Process, Usage};

/// How long it goes on before anything is measured, where it goes on for some time.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long a server may take to let go of those who have gone.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// The part of all clients that is there when the growth of memory begins to count: what a server
/// takes for nobody, and for the first tables, is not for any of the clients.
const FIRST_PART: u32 = 20;

/// The shares of all that are told of a latency.
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// What was taken between two points in time.
struct Span {
    seconds: f64,
    server_ns: Option<f64>,
    writes: Option<f64>,
    load_ns: Option<f64>,
}

/// Measures once.
///
/// # Errors
///
/// Something did not start, or was not delivered as it has to be.
pub(super) fn measure(side: &Side, bar: ProgressBar) -> anyhow::Result<Measures> {
    let plan = &side.plan;
    descriptors::reserve(plan.clients())?;
    let process = side.target.start(plan)?;
    let mut crowd = Crowd::new(plan, &process, bar)?;
    let mut measures = Measures::default();
    measures.add(Metric::Clients, Some(plan.clients().into()));

    let empty = process.usage();
    log_in(plan, &process, &mut crowd, &mut measures)?;
    if let Length::Time(_) = plan.length {
        run(plan, &mut crowd, Length::Time(WARM_UP), "warming up")?;
    }
    let (own, server) = (process::own_usage(), process.usage());
    let time = run(plan, &mut crowd, plan.length, "measuring")?;
    let (own_after, server_after) = (process::own_usage(), process.usage());
    let span = Span {
        seconds: time.as_secs_f64(),
        server_ns: difference(server.processor_ns, server_after.processor_ns),
        writes: difference(server.writes, server_after.writes),
        load_ns: difference(own.processor_ns, own_after.processor_ns),
    };
    report(plan, &crowd, &span, &mut measures);
    if plan.scenario == Scenario::Churn {
        report_traces(&empty, &process, &mut crowd, &mut measures)?;
    }
    Ok(measures)
}

fn log_in(
    plan: &Plan,
    process: &Process,
    crowd: &mut Crowd<'_>,
    measures: &mut Measures,
) -> anyhow::Result<()> {
    let (first, all) = (plan.residents() / FIRST_PART, plan.residents());
    let empty = process.usage();
    crowd.log_in(first)?;
    let before = process.usage();
    crowd.log_in(all)?;
    crowd.settle()?;
    let after = process.usage();
    let later = f64::from(all - first);
    if all > 0 {
        let cpu = difference(empty.processor_ns, after.processor_ns);
        measures.add(Metric::CpuPerLogin, cpu.map(|ns| ns / f64::from(all)));
        let grown = difference(before.resident, after.resident);
        measures.add(Metric::MemoryPerClient, grown.map(|bytes| bytes / later));
    }
    Ok(())
}

fn run(
    plan: &Plan,
    crowd: &mut Crowd<'_>,
    length: Length,
    what: &'static str,
) -> anyhow::Result<Duration> {
    match plan.scenario {
        Scenario::Churn => crowd.churn(length, what),
        Scenario::Idle => crowd.hold(length, what),
        _ => crowd.talk(length, what),
    }
}

fn report(plan: &Plan, crowd: &Crowd<'_>, span: &Span, measures: &mut Measures) {
    let tally = &crowd.tally;
    measures.add(Metric::Seconds, Some(span.seconds));
    let (work, count, rate, cpu) = if plan.scenario == Scenario::Churn {
        (f64::from(crowd.gone()), Metric::Visits, Metric::VisitRate, Metric::CpuPerVisit)
    } else {
        let deliveries = float(tally.deliveries);
        (deliveries, Metric::Deliveries, Metric::DeliveryRate, Metric::CpuPerDelivery)
    };
    if plan.scenario != Scenario::Idle {
        measures.add(count, Some(work));
        measures.add(rate, Some(work / span.seconds));
        measures.add(cpu, span.server_ns.map(|ns| ns / work));
    }
    if plan.talkers() > 0 {
        measures.add(Metric::Messages, Some(float(tally.messages)));
        measures.add(Metric::DeliveriesPerWrite, span.writes.map(|writes| work / writes));
        let per_write = span.server_ns.zip(span.writes).map(|(ns, writes)| ns / writes);
        measures.add(Metric::CpuPerWrite, per_write);
    }
    let share = |ns: Option<f64>| ns.map(|ns| ns / 1e9 / span.seconds);
    measures.add(Metric::ServerCpu, share(span.server_ns));
    measures.add(Metric::LoadCpu, share(span.load_ns));
    report_latency(&tally.broadcasts, Metric::LATENCY, measures);
    report_latency(&tally.whispers, Metric::WHISPER, measures);
    report_latency(&tally.visits, Metric::VISIT, measures);
}

fn report_latency(latency: &Latency, metrics: [Metric; 3], measures: &mut Measures) {
    for (metric, share) in metrics.into_iter().zip(QUANTILES) {
        measures.add(metric, latency.quantile(share).map(float));
    }
}

/// Whether those who came and went have left anything behind.
fn report_traces(
    before: &Usage,
    process: &Process,
    crowd: &mut Crowd<'_>,
    measures: &mut Measures,
) -> anyhow::Result<()> {
    let mut after = process.usage();
    crowd.wait(CLOSE_PATIENCE, || {
        after = process.usage();
        after.descriptors <= before.descriptors
    })?;
    for (metric, value) in [
        (Metric::ResidentBefore, before.resident),
        (Metric::ResidentAfter, after.resident),
        (Metric::DescriptorsBefore, before.descriptors),
        (Metric::DescriptorsAfter, after.descriptors),
    ] {
        measures.add(metric, value.map(float));
    }
    Ok(())
}

fn difference(before: Option<u64>, after: Option<u64>) -> Option<f64> {
    Some(float(after?) - float(before?))
}

/// As exact as a measurement has to be.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
