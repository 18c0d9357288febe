//! The tables of the page, which can be sorted by every column.

use super::report::{Branch, Endpoint, Report, Session, Talk};
use crate::units::{duration, grouped, percentage, size};
use crate::visible::Said;

/// The most rows of a table.
const MAX_ROWS: usize = 500;

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) more: Option<String>,
}

/// The head of a column; without a name it is not sorted by.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) is_number: bool,
}

/// A cell: what it shows, what it is sorted by, and how much of a whole it is.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) key: Option<u64>,
    pub(super) class: &'static str,
    pub(super) layer: &'static str,
    pub(super) share: Option<String>,
}

fn columns(names: &[(&'static str, bool)]) -> Vec<Column> {
    names.iter().map(|&(name, is_number)| Column { name, is_number }).collect()
}

fn table(names: &[(&'static str, bool)], rows: Vec<Vec<Cell>>, all: usize) -> Table {
    let more = all.saturating_sub(rows.len()) as u64;
    let more = (more > 0).then(|| format!("{} more: --json has all.", grouped(more)));
    Table { columns: columns(names), rows, more }
}

fn text(text: &str) -> Cell {
    Cell { text: text.to_owned(), ..Cell::default() }
}

fn said(said: Option<&Said>, otherwise: &str) -> String {
    said.map_or_else(|| otherwise.to_owned(), Said::to_string)
}

fn number(value: u64) -> Cell {
    Cell { text: grouped(value), key: Some(value), class: "num", ..Cell::default() }
}

/// A number that had better be zero.
fn trouble(value: u64) -> Cell {
    let class = if value > 0 { "num bad" } else { "num quiet" };
    Cell { class, ..number(value) }
}

fn time(value: Option<u64>) -> Cell {
    let text = value.map_or_else(|| "–".to_owned(), duration);
    Cell { text, key: value, class: "num", ..Cell::default() }
}

fn bytes(value: u64) -> Cell {
    Cell { text: size(value), key: Some(value), class: "num", ..Cell::default() }
}

/// The table of its name.
pub(super) fn protocols(report: &Report) -> Table {
    let row = |branch: &Branch| {
        let depth = branch.path.matches(':').count();
        let name = branch.path.rsplit(':').next().unwrap_or_default();
        let layer = match (name, depth) {
            (_, 0) => "link",
            ("ip" | "ipv6" | "arp", _) => "network",
            _ => "transport",
        };
        let share = percentage(branch.bytes, report.bytes()).replace(" %", "");
        vec![
            Cell { class: "tree", ..text(&format!("{}{name}", "    ".repeat(depth))) },
            number(branch.packets),
            Cell {
                text: percentage(branch.packets, report.capture.packets),
                ..number(branch.packets)
            },
            bytes(branch.bytes),
            Cell {
                text: percentage(branch.bytes, report.bytes()),
                share: Some(share),
                layer,
                ..number(branch.bytes)
            },
        ]
    };
    let rows = report.protocols.iter().take(MAX_ROWS).map(row).collect();
    let names = [
        ("protocol", false),
        ("packets", true),
        ("of packets", true),
        ("bytes", true),
        ("of bytes", true),
    ];
    table(&names, rows, report.protocols.len())
}

/// The table of its name.
pub(super) fn endpoints(report: &Report) -> Table {
    let has_names = report.endpoints.iter().any(|end| end.name.is_some());
    let row = |end: &Endpoint| {
        let mut row = vec![Cell { class: "mono", ..text(&end.address.to_string()) }];
        row.extend(has_names.then(|| Cell { class: "text", ..text(&said(end.name.as_ref(), "")) }));
        row.extend([
            number(end.packets),
            bytes(end.bytes),
            number(end.sent_packets),
            bytes(end.sent_bytes),
            number(end.received_packets),
            bytes(end.received_bytes),
        ]);
        row
    };
    let rows = report.endpoints.iter().take(MAX_ROWS).map(row).collect();
    let mut names = vec![("address", false)];
    names.extend(has_names.then_some(("name", false)));
    names.extend([
        ("packets", true),
        ("bytes", true),
        ("sent", true),
        ("sent bytes", true),
        ("received", true),
        ("received bytes", true),
    ]);
    table(&names, rows, report.endpoints.len())
}

/// The table of its name.
pub(super) fn talks(report: &Report) -> Table {
    let mut talks: Vec<&Talk> = report.conversations.iter().collect();
    talks.sort_by_key(|talk| (std::cmp::Reverse(talk.bytes), talk.number));
    let first_ns = report.capture.first_ns.unwrap_or(0);
    let row = |talk: &Talk| {
        let tcp = talk.tcp.as_ref();
        let again =
            |count: Option<u64>| count.map_or_else(|| Cell { class: "num", ..text("–") }, trouble);
        let completeness =
            tcp.map(|tcp| format!("{} ({})", tcp.completeness_name, tcp.completeness));
        vec![
            number(talk.number),
            text(talk.protocol),
            Cell { class: "mono", ..text(&talk.client.to_string()) },
            Cell { class: "mono", ..text(&talk.server.to_string()) },
            number(talk.packets),
            bytes(talk.bytes),
            time(talk.start_ns.map(|start| start.saturating_sub(first_ns))),
            time(Some(talk.duration_ns)),
            time(tcp.and_then(|tcp| tcp.handshake_rtt_ns)),
            again(tcp.map(|tcp| tcp.retransmissions)),
            again(tcp.map(|tcp| tcp.out_of_order)),
            again(tcp.map(|tcp| tcp.gaps)),
            text(&completeness.unwrap_or_default()),
        ]
    };
    let rows = talks.into_iter().take(MAX_ROWS).map(row).collect();
    let names = [
        ("#", true),
        ("", false),
        ("client", false),
        ("server", false),
        ("packets", true),
        ("bytes", true),
        ("began", true),
        ("lasted", true),
        ("handshake", true),
        ("again", true),
        ("late", true),
        ("gaps", true),
        ("completeness", false),
    ];
    table(&names, rows, report.conversations.len())
}

/// The table of its name.
pub(super) fn chats(report: &Report) -> Table {
    let first_ns = report.capture.first_ns.unwrap_or(0);
    let row = |chat: &Session| {
        vec![
            number(chat.conversation),
            Cell { class: "text", ..text(&said(chat.name.as_ref(), "?")) },
            time(chat.login_ns.map(|login| login.saturating_sub(first_ns))),
            number(chat.said.broadcasts),
            number(chat.said.private),
            number(chat.said.other),
            trouble(chat.said.refused),
            number(chat.heard.broadcasts),
            number(chat.heard.private),
            number(chat.heard.other),
            bytes(chat.missing_bytes),
            text(chat.ending),
        ]
    };
    let rows = report.chats.iter().take(MAX_ROWS).map(row).collect();
    let names = [
        ("#", true),
        ("name", false),
        ("logged in", true),
        ("said to all", true),
        ("private", true),
        ("other", true),
        ("no command", true),
        ("heard of all", true),
        ("private", true),
        ("notices", true),
        ("missing", true),
        ("end", false),
    ];
    table(&names, rows, report.chats.len())
}
