//! The lesson as a page: what the template needs, in the order in which it needs it.
//!
//! A field has a number that counts through all layers, from the lowest. Whatever belongs to it, in
//! a diagram, a table or the dump, has the class `f` and that number: a rule of the style sheet for
//! each marks all of them when one is pointed at.

use askama::Template;
use hubbub::capture::Side;

use super::Lesson;
use super::checksum::Working;
use super::cost;
use super::diagram::{self, Slot};
use super::dump::{self, Cell, Line};
use super::field::{Field, Kind, Layer};
use super::opening::Greeting;
use super::words::{self, percent};
use crate::encap::message::Transport;
use crate::units::{count, grouped};

/// Bytes of a field that its table shows.
const MAX_BYTES: usize = 24;

/// The page.
#[derive(Template)]
#[template(path = "layers.html")]
pub struct Page<'a> {
    lesson: &'a Lesson,
    title: String,
    names: [String; 2],
    addresses: [String; 2],
    quoted: String,
    circumstances: Vec<String>,
    /// One for each layer, from the message down.
    stairs: Vec<Stair>,
    /// The columns of all of them.
    columns: String,
    layers: Vec<LayerView<'a>>,
    field_count: usize,
    rows: Vec<Row>,
    workings: Vec<WorkingView<'a>>,
    no_checksum: Option<&'static str>,
    shares: Vec<ShareView>,
    overhead: Vec<String>,
    /// The client and the server.
    ends: [String; 2],
    ladder: Vec<Rung>,
    options: Vec<Vec<FieldView<'a>>>,
    parts: Vec<[String; 4]>,
    around: Vec<String>,
}

impl<'a> Page<'a> {
    /// All that the page says.
    pub fn new(lesson: &'a Lesson) -> Self {
        let parts = lesson.shown.tally.parts();
        let parts = parts.into_iter().chain([("All of it", lesson.shown.tally.total())]);
        let part = |(what, part): (&str, cost::Part)| {
            let [frames, bytes, wire] = [part.frames, part.bytes, part.on_wire].map(grouped);
            [what.to_owned(), frames, bytes, wire]
        };
        Self {
            lesson,
            title: words::title(lesson),
            names: words::names(lesson, lesson.shown.from),
            addresses: words::addresses(lesson, lesson.shown.from),
            quoted: words::quoted(&lesson.shown),
            circumstances: words::circumstances(lesson),
            stairs: stairs(lesson),
            columns: columns(lesson),
            layers: layer_views(lesson),
            field_count: lesson.layers.iter().map(|layer| layer.fields.len()).sum(),
            rows: rows(lesson),
            workings: lesson.workings.iter().map(WorkingView::new).collect(),
            no_checksum: words::no_checksum(lesson),
            shares: share_views(lesson),
            overhead: words::overhead(lesson),
            ends: words::names(lesson, Side::Client),
            ladder: ladder(lesson),
            options: lesson
                .greetings
                .iter()
                .map(option_views)
                .filter(|all| !all.is_empty())
                .collect(),
            parts: parts.filter(|(_, part)| part.frames > 0).map(part).collect(),
            around: words::around(lesson),
        }
    }
}

/// A step down: which boxes there are now.
struct Stair {
    class: &'static str,
    what: String,
    boxes: Vec<StairBox>,
    total: String,
}

struct StairBox {
    class: &'static str,
    name: &'static str,
    bytes: usize,
    column: usize,
    is_new: bool,
}

/// In the order of the wire: what comes before the frame, the frame, and what stands behind it.
fn wire_boxes(lesson: &Lesson) -> [Vec<(&'static str, usize)>; 2] {
    let padding = cost::padding(lesson.shown.frame.len());
    let behind = [("Padding", padding), ("FCS", cost::CHECK), ("Gap", cost::GAP)];
    let behind = behind.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    [vec![("Preamble", cost::PREAMBLE)], behind]
}

/// A box is as wide as its bytes, but never so narrow that its name has no room.
fn columns(lesson: &Lesson) -> String {
    let [before, behind] = wire_boxes(lesson);
    let layers = lesson.layers.iter().map(|layer| (layer.name, layer.bytes.len()));
    let boxes = before.into_iter().chain(layers).chain(behind);
    // A long payload would leave nothing to the headers.
    let width = |bytes: usize| format!("minmax(min-content, {}fr)", bytes.clamp(6, 60));
    boxes.map(|(_, bytes)| width(bytes)).collect::<Vec<_>>().join(" ")
}

fn stairs(lesson: &Lesson) -> Vec<Stair> {
    let [before, behind] = wire_boxes(lesson);
    let first = before.len() + 1;
    let mut stairs = Vec::new();
    let mut total = 0;
    for (top, layer) in lesson.layers.iter().enumerate().rev() {
        total += layer.bytes.len();
        let boxes = lesson.layers.iter().enumerate().skip(top).map(|(index, layer)| StairBox {
            class: layer.kind.name(),
            name: layer.name,
            bytes: layer.bytes.len(),
            column: first + index,
            is_new: index == top,
        });
        let what = match layer.kind {
            Kind::Application if lesson.shown.segments > 1 => "A part of the message".to_owned(),
            Kind::Application => "The message".to_owned(),
            _ => format!("{} puts its header before it: a {}", layer.name, layer.unit),
        };
        let (class, total) = (layer.kind.name(), count(total as u64, "byte"));
        stairs.push(Stair { class, what, boxes: boxes.collect(), total });
    }
    let wire = |(column, (name, bytes)): (usize, (&'static str, usize))| StairBox {
        class: "wire",
        name,
        bytes,
        column,
        is_new: true,
    };
    let frame = lesson.layers.iter().enumerate().map(|(index, layer)| StairBox {
        class: layer.kind.name(),
        name: layer.name,
        bytes: layer.bytes.len(),
        column: first + index,
        is_new: false,
    });
    let after = first + lesson.layers.len();
    let boxes = (1..).zip(before).map(wire).chain(frame);
    stairs.push(Stair {
        class: "wire",
        what: "The wire adds what no capture shows".to_owned(),
        boxes: boxes.chain((after..).zip(behind).map(wire)).collect(),
        total: count(cost::on_wire(lesson.shown.frame.len()) as u64, "byte"),
    });
    stairs
}

/// A layer, with its fields as a picture and as a table.
struct LayerView<'a> {
    layer: &'a Layer,
    title: String,
    extent: String,
    boxes: Vec<Slot<'a>>,
    fields: Vec<FieldView<'a>>,
}

struct FieldView<'a> {
    number: usize,
    field: &'a Field,
    start: usize,
    here: usize,
    hex: String,
    pattern: String,
}

fn layer_views(lesson: &Lesson) -> Vec<LayerView<'_>> {
    let mut first = 0;
    let mut views = Vec::new();
    for layer in &lesson.layers {
        let fields = layer.fields.iter().zip(first..).map(|(field, number)| {
            field_view(&lesson.shown.frame, field, number, layer.bytes.start)
        });
        views.push(LayerView {
            layer,
            title: words::layer_title(layer),
            extent: words::extent(layer),
            boxes: diagram::boxes(&lesson.shown.frame, layer, first),
            fields: fields.collect(),
        });
        first += layer.fields.len();
    }
    views.reverse();
    views
}

fn field_view<'a>(frame: &[u8], field: &'a Field, number: usize, from: usize) -> FieldView<'a> {
    let bytes = frame.get(field.bytes()).unwrap_or_default();
    let mut hex = hex(&bytes[..bytes.len().min(MAX_BYTES)]);
    if bytes.len() > MAX_BYTES {
        hex.push_str(" …");
    }
    let pattern =
        if field.is_bits() { words::pattern(frame, field).join(" ") } else { String::new() };
    let start = field.bytes().start;
    FieldView { number, field, start, here: start.saturating_sub(from), hex, pattern }
}

/// Bytes with a space between them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

fn option_views(greeting: &Greeting) -> Vec<FieldView<'_>> {
    let from = greeting.options.first().map_or(0, |field| field.bytes().start);
    let views = greeting.options.iter();
    views.map(|field| field_view(&greeting.frame, field, usize::MAX, from)).collect()
}

/// A row of the dump, in two halves that a narrow window puts one below the other.
struct Row {
    offset: usize,
    /// How many bytes are left out here.
    gap: usize,
    halves: Vec<Half>,
}

struct Half {
    hex: Vec<Piece>,
    text: Vec<Piece>,
}

/// Bytes of the same fields.
struct Piece {
    classes: String,
    text: String,
}

fn rows(lesson: &Lesson) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut cells: Vec<&Cell> = Vec::new();
    let mut offset = 0;
    let flush = |rows: &mut Vec<Row>, cells: &mut Vec<&Cell>, offset| {
        if !cells.is_empty() {
            let halves = cells.chunks(dump::ROW / 2).map(half).collect();
            rows.push(Row { offset, gap: 0, halves });
            cells.clear();
        }
    };
    for line in &lesson.dump {
        match line {
            Line::Run(run) => {
                if run.row != offset {
                    flush(&mut rows, &mut cells, offset);
                }
                offset = run.row;
                cells.extend(&run.cells);
            }
            Line::Gap(gap) => {
                flush(&mut rows, &mut cells, offset);
                rows.push(Row { offset, gap: *gap, halves: Vec::new() });
            }
        }
    }
    flush(&mut rows, &mut cells, offset);
    rows
}

fn half(cells: &[&Cell]) -> Half {
    let mut half = Half { hex: Vec::new(), text: Vec::new() };
    for same in cells.chunk_by(|a, b| a.kind == b.kind && a.fields == b.fields) {
        let Some(first) = same.first() else { continue };
        let fields: Vec<String> = first.fields.iter().map(|number| format!(" f{number}")).collect();
        let classes = format!("{}{}", first.kind.name(), fields.concat());
        let bytes: Vec<u8> = same.iter().map(|cell| cell.byte).collect();
        let text = (0..same.len()).filter_map(|index| dump::character(same, index));
        half.hex.push(Piece { classes: classes.clone(), text: hex(&bytes) });
        half.text.push(Piece { classes, text: text.collect() });
    }
    half
}

/// A checksum with its sentences.
struct WorkingView<'a> {
    working: &'a Working,
    how: String,
    outcome: String,
    steps: Vec<[String; 4]>,
}

impl<'a> WorkingView<'a> {
    fn new(working: &'a Working) -> Self {
        let steps = working.steps.iter().map(|step| {
            let words: Vec<String> = step.words.iter().map(|word| format!("{word:04x}")).collect();
            let words = if words.is_empty() { "…".to_owned() } else { words.join(" ") };
            let [total, folded] = [format!("{:x}", step.total), format!("{:04x}", step.folded)];
            [step.what.clone(), words, total, folded]
        });
        let (how, outcome) = (words::how_to_sum(working), words::outcome(working));
        Self { working, how, outcome, steps: steps.collect() }
    }
}

/// What a layer adds.
struct ShareView {
    class: &'static str,
    what: &'static str,
    bytes: usize,
    share: String,
    total: usize,
}

fn share_views(lesson: &Lesson) -> Vec<ShareView> {
    let all = lesson.shares.last().map_or(0, |share| share.total);
    let kind = |index: usize| lesson.layers.get(index).map(|layer| layer.kind.name());
    let view = |share: &cost::Share| ShareView {
        class: share.layer.and_then(kind).unwrap_or("wire"),
        what: share.what,
        bytes: share.bytes,
        share: percent(share.bytes as u64, all as u64),
        total: share.total,
    };
    lesson.shares.iter().map(view).collect()
}

/// An arrow between the two who talk.
struct Rung {
    /// Whether it goes from the client to the server.
    is_right: bool,
    class: &'static str,
    label: String,
    note: String,
}

fn ladder(lesson: &Lesson) -> Vec<Rung> {
    let (shown, tally) = (&lesson.shown, &lesson.shown.tally);
    let mut rungs: Vec<Rung> = lesson
        .greetings
        .iter()
        .map(|greeting| {
            let ack = greeting.acknowledgment.as_ref();
            let ack = ack.map(|ack| format!(" Acknowledgment {ack}.")).unwrap_or_default();
            Rung {
                is_right: greeting.from == Side::Client,
                class: "transport",
                label: format!("{} — {}", greeting.flags, greeting.purpose),
                note: format!("Sequence {}.{ack}", greeting.sequence),
            }
        })
        .collect();
    let is_right = shown.from == Side::Client;
    let frames = match shown.transport {
        Transport::Tcp => count(tally.data.frames, "segment"),
        Transport::Udp => count(tally.data.frames, "datagram"),
    };
    rungs.push(Rung {
        is_right,
        class: "application",
        label: format!("This message — {}.", count(shown.sent.len() as u64, "byte")),
        note: format!("In {frames}, {} with all headers.", count(tally.data.bytes, "byte")),
    });
    if tally.acks.frames > 0 {
        rungs.push(Rung {
            is_right: !is_right,
            class: "transport",
            label: "ACK — I have it.".to_owned(),
            note: format!("In {} without data.", count(tally.acks.frames, "segment")),
        });
    }
    if tally.closing.frames > 0 {
        for (is_right, label) in
            [(true, "FIN, ACK — I will say no more."), (false, "FIN, ACK — Nor will I.")]
        {
            let (label, note) = (label.to_owned(), "The other side acknowledges it.".to_owned());
            rungs.push(Rung { is_right, class: "transport", label, note });
        }
    }
    rungs
}
