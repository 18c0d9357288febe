//! What was found, as text: a table for each question.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table, TableComponent};

use super::report::{Capture, Endpoint, Report, Session, Talk};
use super::traffic::Count;
use crate::units::{count, date, duration, grouped, percentage, size};
use crate::visible::Said;

/// Columns of the plot of traffic.
const COLUMNS: usize = 72;

/// All of it, with at most `rows` rows in a table.
pub fn text(report: &Report, rows: usize) -> String {
    let mut out = capture(&report.capture);
    // A string takes everything.
    for warning in &report.warnings {
        let _ = writeln!(out, "  packet {}: {}", grouped(warning.packet), warning.text);
    }
    for line in report.left_out.lines() {
        let _ = writeln!(out, "  left out: {line}");
    }
    if report.capture.packets == 0 {
        return out;
    }
    let parts = [
        ("Traffic", traffic(report)),
        ("Protocols", protocols(report, rows)),
        ("What the bytes were for", overhead(report)),
        ("Endpoints", endpoints(report, rows)),
        ("Conversations", conversations(report, rows)),
        ("Chats", chats(report, rows)),
    ];
    for (title, part) in parts {
        if !part.is_empty() {
            let _ = write!(out, "\n{title}\n{part}");
        }
    }
    out
}

fn capture(capture: &Capture) -> String {
    let mut out = format!(
        "{}: {} of {}, {} in frames\n",
        capture.file,
        count(capture.packets, "packet"),
        if capture.links.is_empty() { "no link".to_owned() } else { capture.links.join(", ") },
        size(capture.wire_bytes),
    );
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name}: {text}");
    };
    let application = capture.application.iter().map(|name| format!("written by {name}"));
    let system = capture.system.iter().map(|name| format!("system {name}"));
    let parts = [capture.format.to_owned()].into_iter();
    let parts: Vec<String> = parts.chain(application).chain(system).collect();
    line("file", parts.join("; "));
    for interface in capture.named_interfaces() {
        line("interface", interface);
    }
    if let (Some(first), Some(last)) = (capture.first_ns, capture.last_ns) {
        line("from", date(first));
        line("to", format!("{} ({})", date(last), duration(capture.duration_ns)));
    }
    if let (Some(gap), Some(packet)) = (capture.longest_gap_ns, capture.longest_gap_before_packet)
        && gap > capture.duration_ns / 4
    {
        line("gap", format!("{} without a packet before {}", duration(gap), grouped(packet)));
    }
    for (number, what) in [
        (capture.cut_packets, "not captured to the end"),
        (capture.broken_packets, "with a header that makes no sense"),
        (capture.untimed_packets, "without a time"),
        (capture.backward_packets, "older than the one before"),
    ] {
        if number > 0 {
            line("odd", format!("{} {what}", count(number, "packet")));
        }
    }
    out
}

/// Bytes over time, a column for each step.
fn traffic(report: &Report) -> String {
    const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut traffic = super::traffic::Traffic::default();
    for bucket in &report.traffic.buckets {
        let count = Count { packets: bucket.packets, bytes: bucket.bytes };
        traffic.add_count(bucket.start_ns, count);
    }
    let stretches = traffic.stretches(COLUMNS);
    if stretches.is_empty() {
        return String::new();
    }
    let most = stretches.iter().flat_map(|stretch| &stretch.buckets).map(|count| count.bytes).max();
    let most = most.unwrap_or(0).max(1);
    let mut out = String::from("  ");
    for (index, stretch) in stretches.iter().enumerate() {
        if index > 0 {
            out.push('┊');
        }
        for count in &stretch.buckets {
            // Whatever is not empty shows.
            let eighths = (u128::from(count.bytes) * 8).div_ceil(most.into());
            let level = usize::try_from(eighths).unwrap_or(8);
            out.push(LEVELS.get(level).copied().unwrap_or('█'));
        }
    }
    let width = traffic.width_ns();
    let _ = write!(out, "\n  a column is {}, the highest {}", duration(width), size(most));
    if stretches.len() > 1 {
        let _ = write!(out, "; ┊ is a pause that was cut out");
    }
    out.push('\n');
    out
}

fn protocols(report: &Report, rows: usize) -> String {
    let mut table = table(&["", "packets", "", "bytes", ""]);
    for branch in report.protocols.iter().take(rows.max(1)) {
        let depth = branch.path.matches(':').count();
        let name = branch.path.rsplit(':').next().unwrap_or_default();
        table.add_row([
            left(&format!("{}{name}", "  ".repeat(depth))),
            right(&grouped(branch.packets)),
            right(&percentage(branch.packets, report.capture.packets)),
            right(&grouped(branch.bytes)),
            right(&percentage(branch.bytes, report.bytes())),
        ]);
    }
    finish(&table, report.protocols.len(), rows)
}

fn overhead(report: &Report) -> String {
    let mut table = table(&["", "bytes", "", "a packet"]);
    for cost in report.overhead.iter().filter(|cost| cost.bytes > 0) {
        table.add_row([
            left(cost.layer),
            right(&grouped(cost.bytes)),
            right(&percentage(cost.bytes, report.bytes())),
            right(&grouped(cost.bytes / report.capture.packets.max(1))),
        ]);
    }
    finish(&table, 0, 0)
}

fn endpoints(report: &Report, rows: usize) -> String {
    let all = &report.endpoints;
    let has_names = all.iter().any(|end| end.name.is_some());
    let mut header = vec!["address", "packets", "bytes", "sent", "", "received", ""];
    if has_names {
        header.push("name");
    }
    let mut table = table(&header);
    let row = |end: &Endpoint| {
        let numbers = [
            end.packets,
            end.bytes,
            end.sent_packets,
            end.sent_bytes,
            end.received_packets,
            end.received_bytes,
        ];
        let name = end.name.as_ref().map(Said::to_string).unwrap_or_default();
        let mut row = vec![left(&end.address.to_string())];
        row.extend(numbers.iter().map(|number| right(&grouped(*number))));
        row.extend(has_names.then(|| left(&name)));
        row
    };
    all.iter().take(rows).for_each(|end| {
        table.add_row(row(end));
    });
    finish(&table, all.len(), rows)
}

fn conversations(report: &Report, rows: usize) -> String {
    let header =
        ["#", "", "client", "server", "packets", "bytes", "lasted", "handshake", "again", ""];
    let mut table = table(&header);
    // Those with the most bytes, in the order of their numbers.
    let mut largest: Vec<&Talk> = report.conversations.iter().collect();
    largest.sort_by_key(|talk| (std::cmp::Reverse(talk.bytes), talk.number));
    largest.truncate(rows);
    largest.sort_by_key(|talk| talk.number);
    for talk in largest {
        let tcp = talk.tcp.as_ref();
        let handshake = tcp.and_then(|tcp| tcp.handshake_rtt_ns).map(duration).unwrap_or_default();
        table.add_row([
            right(&talk.number.to_string()),
            left(talk.protocol),
            left(&talk.client.to_string()),
            left(&talk.server.to_string()),
            right(&grouped(talk.packets)),
            right(&grouped(talk.bytes)),
            right(&duration(talk.duration_ns)),
            right(&handshake),
            right(&tcp.map(|tcp| grouped(tcp.retransmissions)).unwrap_or_default()),
            left(tcp.map(|tcp| tcp.completeness_name).unwrap_or_default()),
        ]);
    }
    finish(&table, report.conversations.len(), rows)
}

fn chats(report: &Report, rows: usize) -> String {
    let mut table = table(&[
        "#",
        "name",
        "logged in",
        "to all",
        "private",
        "other",
        "no command",
        "heard",
        "end",
    ]);
    let first_ns = report.capture.first_ns.unwrap_or(0);
    let row = |chat: &Session| {
        let heard = chat.heard.broadcasts + chat.heard.private + chat.heard.other;
        let login = chat.login_ns.map(|time_ns| duration(time_ns.saturating_sub(first_ns)));
        [
            right(&chat.conversation.to_string()),
            left(&chat.name.as_ref().map_or_else(|| "?".to_owned(), Said::to_string)),
            right(&login.map_or_else(|| "-".to_owned(), |time| format!("+{time}"))),
            right(&grouped(chat.said.broadcasts)),
            right(&grouped(chat.said.private)),
            right(&grouped(chat.said.other)),
            right(&grouped(chat.said.refused)),
            right(&grouped(heard)),
            left(chat.ending),
        ]
    };
    report.chats.iter().take(rows).for_each(|chat| {
        table.add_row(row(chat));
    });
    finish(&table, report.chats.len(), rows)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.remove_style(TableComponent::HorizontalLines);
    table.remove_style(TableComponent::MiddleIntersections);
    table.set_header(header.iter().map(Cell::new));
    table
}

/// The table, or nothing of an empty one, and how many rows are not in it.
fn finish(table: &Table, rows: usize, most: usize) -> String {
    if table.is_empty() {
        return String::new();
    }
    let mut out = table.trim_fmt() + "\n";
    if rows > most {
        let more = rows - most;
        let _ = writeln!(out, "  {} more; --rows tells more, --json all", grouped(more as u64));
    }
    out
}

fn left(text: &str) -> Cell {
    Cell::new(text)
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}
