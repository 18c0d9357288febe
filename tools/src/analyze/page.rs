//! What was found, as a page of HTML with everything in it.

use askama::Template;

use super::charts::{self, Chart};
use super::conversations::Conversation;
use super::report::Report;
use super::steps::{Ladder, ladder};
use super::tables::{Table, chats, endpoints, protocols, talks};
use super::traffic::Traffic;
use crate::units::{count, date, duration, grouped, percentage, size};

/// The page.
#[derive(Debug, Template)]
#[template(path = "analyze.html")]
pub struct Page {
    file: String,
    lead: String,
    script_hash: &'static str,
    parts: Vec<(&'static str, &'static str)>,
    packets: u64,
    figures: Vec<Figure>,
    warnings: Vec<String>,
    facts: Vec<(&'static str, String)>,
    traffic: Option<Chart>,
    costs: Vec<Cost>,
    lengths: Chart,
    handshakes: Option<Chart>,
    protocols: Table,
    ladder: Option<Ladder>,
    tables: Vec<(&'static str, &'static str, String, Table)>,
}

/// The script of the page, by its SHA-256: no other one runs.
const SCRIPT_HASH: &str = "sha256-DlNvbD0YKpY5Na3KHa3PxOUiCvKv92GareDM5MLdUtk=";

#[derive(Debug)]
struct Figure {
    name: &'static str,
    value: String,
    note: String,
    layer: &'static str,
}

#[derive(Debug)]
struct Cost {
    name: &'static str,
    layer: &'static str,
    bytes: u64,
    share: String,
    size: String,
    each: String,
}

impl Page {
    /// The page of a report. `shown` is the conversation to draw, with its number from one.
    pub fn new(report: &Report, shown: Option<(u64, &Conversation)>) -> Self {
        let capture = &report.capture;
        let mut traffic = Traffic::default();
        for bucket in &report.traffic.buckets {
            let (packets, bytes) = (bucket.packets, bucket.bytes);
            traffic.add_count(bucket.start_ns, super::traffic::Count { packets, bytes });
        }
        let warnings = report.warnings.iter();
        let warnings = warnings
            .map(|warning| format!("Packet {}: {}", grouped(warning.packet), warning.text))
            .chain(report.left_out.lines().into_iter().map(|line| format!("Left out: {line}.")));
        let mut page = Self {
            file: capture.file.to_string(),
            lead: lead(report),
            script_hash: SCRIPT_HASH,
            parts: vec![("capture", "Capture")],
            packets: capture.packets,
            figures: figures(report),
            warnings: warnings.collect(),
            facts: facts(report),
            traffic: charts::traffic(&mut traffic),
            costs: costs(report),
            lengths: charts::lengths(&report.lengths),
            handshakes: charts::handshakes(&report.conversations),
            protocols: protocols(report),
            ladder: shown.and_then(|(number, talk)| {
                let told = report.conversations.get(usize::try_from(number - 1).ok()?)?;
                Some(ladder(told, talk))
            }),
            tables: Vec::new(),
        };
        page.add_tables(report);
        let has = [
            (page.traffic.is_some(), ("traffic", "Traffic")),
            (page.packets > 0, ("bytes", "Bytes")),
            (page.packets > 0, ("protocols", "Protocols")),
            (page.ladder.is_some(), ("ladder", "Sequence")),
        ];
        page.parts.extend(has.into_iter().filter(|(has, _)| *has).map(|(_, part)| part));
        page.parts.extend(page.tables.iter().map(|(id, title, ..)| (*id, *title)));
        page
    }

    fn add_tables(&mut self, report: &Report) {
        let conversations = "Conversations of TCP and UDP, those with the most bytes first. Again, \
            late and gaps count segments: sent again, out of order, and behind something that was \
            not captured.";
        for (id, title, note, table) in [
            ("chats", "Chats", String::new(), chats(report)),
            ("conversations", "Conversations", conversations.to_owned(), talks(report)),
            ("endpoints", "Endpoints", String::new(), endpoints(report)),
        ] {
            if !table.rows.is_empty() {
                self.tables.push((id, title, note, table));
            }
        }
    }
}

fn lead(report: &Report) -> String {
    let capture = &report.capture;
    let since = capture.first_ns.map(|first| format!(", from {}", date(first)));
    format!(
        "{} of {}{}",
        count(capture.packets, "packet"),
        if capture.links.is_empty() { "no link".to_owned() } else { capture.links.join(", ") },
        since.unwrap_or_default(),
    )
}

fn figures(report: &Report) -> Vec<Figure> {
    let capture = &report.capture;
    let payload = report.overhead.iter().find(|cost| cost.layer == "payload");
    let payload = payload.map_or(0, |cost| cost.bytes);
    let talks = &report.conversations;
    let again: u64 = talks.iter().filter_map(|talk| Some(talk.tcp.as_ref()?.retransmissions)).sum();
    let tcp = talks.iter().filter(|talk| talk.tcp.is_some()).count() as u64;
    let figure = |name, value, note, layer| Figure { name, value, note, layer };
    let mut figures = vec![
        figure("packets", grouped(capture.packets), String::new(), "wire"),
        figure("in frames", size(capture.wire_bytes), String::new(), "link"),
        figure("lasted", duration(capture.duration_ns), String::new(), "network"),
        figure("payload", percentage(payload, capture.wire_bytes), size(payload), "application"),
        figure(
            "conversations",
            grouped(talks.len() as u64),
            format!("{} TCP", grouped(tcp)),
            "transport",
        ),
        figure("sent again", grouped(again), "segments".to_owned(), "transport"),
    ];
    if !report.chats.is_empty() {
        let chats = grouped(report.chats.len() as u64);
        figures.push(figure("chats", chats, String::new(), "application"));
    }
    figures
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let capture = &report.capture;
    let mut facts = vec![("Format", capture.format.to_owned())];
    let said = [
        ("Written by", &capture.application),
        ("System", &capture.system),
        ("Hardware", &capture.hardware),
    ];
    facts.extend(
        said.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?.to_string()))),
    );
    facts.extend(capture.named_interfaces().into_iter().map(|name| ("Interface", name)));
    if let (Some(first), Some(last)) = (capture.first_ns, capture.last_ns) {
        facts.push(("First packet", date(first)));
        facts.push(("Last packet", date(last)));
    }
    if let (Some(gap), Some(packet)) = (capture.longest_gap_ns, capture.longest_gap_before_packet) {
        let gap = format!("{}, before packet {}", duration(gap), grouped(packet));
        facts.push(("Longest pause", gap));
    }
    for (number, name) in [
        (capture.cut_packets, "Not captured to the end"),
        (capture.broken_packets, "Broken headers"),
        (capture.untimed_packets, "Without a time"),
        (capture.backward_packets, "Out of time order"),
    ] {
        if number > 0 {
            facts.push((name, count(number, "packet")));
        }
    }
    facts
}

/// A part of the bytes has the colours of its layer.
fn layer_of(cost: &str) -> &'static str {
    match cost {
        "link" => "link",
        "network" => "network",
        "transport" => "transport",
        "payload" => "application",
        _ => "wire",
    }
}

fn costs(report: &Report) -> Vec<Cost> {
    let costs = report.overhead.iter().filter(|cost| cost.bytes > 0);
    costs
        .map(|cost| Cost {
            name: cost.layer,
            layer: layer_of(cost.layer),
            bytes: cost.bytes,
            share: percentage(cost.bytes, report.bytes()),
            size: size(cost.bytes),
            each: size(cost.bytes / report.capture.packets.max(1)),
        })
        .collect()
}
