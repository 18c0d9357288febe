//! The lesson for a terminal, in the colours of ANSI; whoever prints it takes them out where there
//! is none.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::Lesson;
use super::checksum::{Step, Working};
use super::cost::Part;
use super::dump::{self, Line, Run};
use super::field::{Field, Kind, Layer};
use super::words::{self, percent};
use crate::units::{count, grouped};
use crate::visible;

/// How wide a line is where there is no terminal, in characters.
pub const USUAL_WIDTH: usize = 80;

/// Narrower ones are not laid out for, and wider ones are not read well.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=110;

/// From here on there is room for sixteen bytes with their characters. Below, there are eight in a
/// row, and words stand below bytes in place of beside them.
const WIDE: usize = 76;

/// The columns of a table of fields: the offset in the frame and in the header, and the bytes.
const OFFSET: usize = 6;
const BYTES: usize = 19;
const BEFORE_FIELD: usize = 2 + 2 * OFFSET + 2 + BYTES + 2;

/// How far words are indented that stand below bytes.
const BELOW: usize = 6;

/// Bytes in a row of such a table, and rows of a field that is long.
const BYTES_A_ROW: usize = 6;
const MAX_ROWS: usize = 3;

/// The columns of a sum: its words, and the total.
const WORDS: usize = 39;
const NARROW_WORDS: usize = 19;
const TOTAL: usize = 7;

/// Words of a sum in a row of a narrow window.
const WORDS_A_ROW: usize = 4;

/// What stands before the text of a sum.
const BEFORE_SUM: usize = 2 + WORDS + 1 + TOTAL + 1 + TOTAL + 2;

/// The column of the names of layers.
const KIND: usize = 13;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Left to right: behind a character of Hebrew, so that it stays in its cell.
const LEFT_TO_RIGHT: char = '\u{200e}';

fn colour(kind: Kind) -> Style {
    let colour = match kind {
        Kind::Link => AnsiColor::Magenta,
        Kind::Network => AnsiColor::Cyan,
        Kind::Transport => AnsiColor::Yellow,
        Kind::Application => AnsiColor::Green,
    };
    Style::new().fg_color(Some(colour.into()))
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The whole lesson, as wide as `width` characters at most.
pub fn render(lesson: &Lesson, width: usize) -> String {
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let mut sheet = Sheet { out: String::new(), width };
    sheet.beginning(lesson);
    for layer in lesson.layers.iter().rev() {
        sheet.layer(lesson, layer);
    }
    for working in &lesson.workings {
        sheet.working(working);
    }
    if let Some(why) = words::no_checksum(lesson) {
        sheet.line("");
        sheet.say(2, Style::new(), why);
    }
    sheet.dump(lesson);
    sheet.shares(lesson);
    sheet.conversation(lesson);
    sheet.out
}

struct Sheet {
    out: String,
    width: usize,
}

impl Sheet {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn is_narrow(&self) -> bool {
        self.width < WIDE
    }

    fn heading(&mut self, style: Style, text: &str) {
        self.line("");
        self.say(0, style.bold(), text);
    }

    /// A paragraph, wrapped.
    fn say(&mut self, indent: usize, style: Style, text: &str) {
        for line in textwrap::wrap(text, self.width - indent) {
            let text = paint(style, &line);
            self.line(&format!("{:indent$}{text}", ""));
        }
    }

    fn beginning(&mut self, lesson: &Lesson) {
        self.say(0, BOLD, &words::title(lesson));
        self.line("");
        self.say(2, colour(Kind::Application), &words::quoted(&lesson.shown));
        self.line("");
        for sentence in words::circumstances(lesson) {
            self.say(0, Style::new(), &sentence);
        }
        self.heading(BOLD, "Down the layers");
        self.boxes(lesson);
    }

    /// Headers, one more in each line, under names or, where these have no room, letters.
    fn boxes(&mut self, lesson: &Lesson) {
        let label = |layer: &Layer, is_named: bool| {
            if is_named {
                format!("[{} {}]", layer.name, layer.bytes.len())
            } else {
                format!("[{} {}]", layer.kind.letter(), layer.bytes.len())
            }
        };
        let all: usize = lesson.layers.iter().map(|layer| label(layer, true).len()).sum();
        let is_named = 2 + KIND + all + TOTAL <= self.width;
        let (mut boxes, mut wide, mut total) = (String::new(), 0, 0);
        for layer in lesson.layers.iter().rev() {
            total += layer.bytes.len();
            let label = label(layer, is_named);
            wide += label.len();
            boxes.insert_str(0, &paint(colour(layer.kind), &label));
            let kind = if self.is_narrow() {
                String::new()
            } else {
                format!("{:KIND$}", layer.kind.name())
            };
            let room = (self.width - 2).saturating_sub(kind.len() + wide + TOTAL);
            let kind = paint(colour(layer.kind), &kind);
            self.line(&format!("  {kind}{:room$}{boxes}{total:>TOTAL$}", ""));
        }
        if !is_named {
            self.legend(lesson);
        }
    }

    fn legend(&mut self, lesson: &Lesson) {
        let names = lesson.layers.iter().map(|layer| {
            let name = format!("{} {}", layer.kind.letter(), layer.kind.name());
            paint(colour(layer.kind), &name)
        });
        // In a narrow window two by two.
        let names: Vec<String> = names.collect();
        for names in names.chunks(if self.is_narrow() { 2 } else { names.len().max(1) }) {
            self.line(&format!("  {}", names.join("  ")));
        }
    }

    fn layer(&mut self, lesson: &Lesson, layer: &Layer) {
        let title = format!("{}, {}", words::layer_title(layer), words::extent(layer));
        self.heading(colour(layer.kind), &title);
        self.say(2, Style::new(), &words::sourced(&layer.purpose, layer.source, ""));
        self.line("");
        let field = if self.is_narrow() { "" } else { "field" };
        let header =
            format!("  {:>OFFSET$}{:>OFFSET$}  {:BYTES$}  {field}", "frame", "layer", "bytes");
        self.line(&paint(DIM, &header));
        for field in &layer.fields {
            self.field(lesson, layer, field);
        }
    }

    /// Bytes at the left; words at the right, line by line, or below.
    fn field(&mut self, lesson: &Lesson, layer: &Layer, field: &Field) {
        let style = colour(layer.kind);
        let bytes = field_bytes(&lesson.shown.frame, field);
        let width = self.width - if self.is_narrow() { BELOW } else { BEFORE_FIELD };
        let words = field_words(layer, field, width);
        let beside = if self.is_narrow() { &[][..] } else { &words };
        for index in 0..bytes.len().max(beside.len()) {
            let (start, here) = (field.bytes().start, field.bytes().start - layer.bytes.start);
            let offsets = if index == 0 {
                format!("{start:>OFFSET$}{:>OFFSET$}", format!("+{here}"))
            } else {
                format!("{:1$}", "", 2 * OFFSET)
            };
            let left = bytes.get(index).map_or("", String::as_str);
            let left = paint(style, &format!("{left:BYTES$}"));
            let right = beside.get(index).map_or("", String::as_str);
            self.line(&format!("  {offsets}  {left}  {right}"));
        }
        for words in words.iter().skip(beside.len()) {
            self.line(&format!("{:BELOW$}{words}", ""));
        }
    }

    fn working(&mut self, working: &Working) {
        let style = colour(working.layer);
        self.heading(style, &format!("{}, worked out", working.name));
        self.say(2, Style::new(), &words::how_to_sum(working));
        self.line("");
        let (wide, what) = if self.is_narrow() { (NARROW_WORDS, "") } else { (WORDS, "what") };
        let header = format!("  {:wide$} {:>TOTAL$} {:>TOTAL$}  {what}", "words", "sum", "folded");
        self.line(&paint(DIM, &header));
        for step in &working.steps {
            if self.is_narrow() {
                self.narrow_step(style, step);
            } else {
                self.step(style, step);
            }
        }
        self.line("");
        self.say(2, BOLD, &words::outcome(working));
    }

    fn step(&mut self, style: Style, step: &Step) {
        let words = paint(style, &format!("{:WORDS$}", words_of(&step.words)));
        let sums = sums_of(step);
        let what = textwrap::wrap(&step.what, self.width - BEFORE_SUM);
        for (index, what) in what.iter().enumerate() {
            if index == 0 {
                self.line(&format!("  {words} {sums}  {what}"));
            } else {
                self.line(&format!("{:BEFORE_SUM$}{what}", ""));
            }
        }
    }

    /// What is added, and below it the words, of which the last row has the sums.
    fn narrow_step(&mut self, style: Style, step: &Step) {
        self.say(2, DIM, &step.what);
        let mut rows: Vec<String> = step.words.chunks(WORDS_A_ROW).map(words_of).collect();
        let last = rows.pop().unwrap_or_else(|| words_of(&[]));
        for row in rows {
            self.line(&format!("  {}", paint(style, &row)));
        }
        let last = paint(style, &format!("{last:NARROW_WORDS$}"));
        self.line(&format!("  {last} {}", sums_of(step)));
    }

    fn dump(&mut self, lesson: &Lesson) {
        self.heading(BOLD, "The bytes");
        self.legend(lesson);
        for line in &lesson.dump {
            match line {
                Line::Run(run) => self.run(run),
                Line::Gap(bytes) => {
                    self.line(&format!("    …     {} like these", count(*bytes as u64, "byte")));
                }
            }
        }
    }

    fn run(&mut self, run: &Run) {
        if !self.is_narrow() {
            self.row(run, dump::ROW, "  ");
            return;
        }
        let half = dump::ROW / 2;
        let first = half.saturating_sub(run.indent).min(run.cells.len());
        let (left, right) = run.cells.split_at(first);
        self.row(&Run { cells: left.to_vec(), ..*run }, half, "");
        let indent = run.indent.saturating_sub(half);
        self.row(&Run { row: run.row + half, indent, cells: right.to_vec() }, half, "");
    }

    /// Bytes of one layer in a row of so many.
    fn row(&mut self, run: &Run, columns: usize, margin: &str) {
        let Some(first) = run.cells.first() else { return };
        let style = colour(first.kind);
        let mut hex = String::new();
        for column in 0..columns {
            if column == dump::ROW / 2 {
                hex.push(' ');
            }
            let cell = column.checked_sub(run.indent).and_then(|index| run.cells.get(index));
            match cell {
                Some(cell) => {
                    let _ = write!(hex, "{:02x} ", cell.byte);
                }
                None => hex.push_str("   "),
            }
        }
        let text: String = (0..run.cells.len()).map(|index| glyph(run, index)).collect();
        let (letter, row, indent) = (first.kind.letter(), run.row, run.indent);
        let (hex, text) = (paint(style, &hex), paint(style, &text));
        let gap = margin.len().max(1);
        let space = margin.len() / 2 + indent;
        self.line(&format!("{margin}{letter} {row:04x}{:gap$}{hex}{:space$}{text}", "", ""));
    }

    fn shares(&mut self, lesson: &Lesson) {
        self.heading(BOLD, "What each layer adds");
        let all = lesson.shares.last().map_or(0, |share| share.total);
        let [margin, name, bytes, part, total] =
            if self.is_narrow() { [0, 20, 6, 8, 6] } else { [2, 24, 7, 9, 9] };
        let header = format!(
            "{:margin$}{:name$}{:>bytes$}{:>part$}{:>total$}",
            "", "", "bytes", "share", "total"
        );
        self.line(&paint(DIM, &header));
        for share in &lesson.shares {
            let kind = share.layer.and_then(|index| lesson.layers.get(index)).map(|it| it.kind);
            let style = kind.map_or(DIM, colour);
            let room = self.width.saturating_sub(54);
            let bar = (share.bytes * room).div_ceil(all.max(1));
            let bar = if bar > 0 {
                format!("  {}", paint(style, &"█".repeat(bar)))
            } else {
                String::new()
            };
            let what = paint(style, &format!("{:name$}", share.what));
            let percent = percent(share.bytes as u64, all as u64);
            self.line(&format!(
                "{:margin$}{what}{:>bytes$}{percent:>part$}{:>total$}{bar}",
                "", share.bytes, share.total
            ));
        }
        self.line("");
        for sentence in words::overhead(lesson) {
            self.say(2, Style::new(), &sentence);
        }
    }

    fn conversation(&mut self, lesson: &Lesson) {
        self.heading(BOLD, "The conversation around it");
        for (index, greeting) in lesson.greetings.iter().enumerate() {
            let [from, to] = words::names(lesson, greeting.from);
            let acknowledged = greeting.acknowledgment.as_ref();
            let acknowledged = acknowledged.map(|ack| format!(", ack {ack}")).unwrap_or_default();
            let text = format!(
                "{from} → {to}  [{}] seq {}{acknowledged}",
                greeting.flags, greeting.sequence
            );
            self.say(2, BOLD, &text);
            self.say(4, DIM, greeting.purpose);
            for field in &greeting.options {
                let bytes = field_bytes(&greeting.frame, field).join(" ");
                let purpose = if index == 0 { &field.purpose } else { "" };
                let text = format!("{bytes:5}  {}: {}. {purpose}", field.name, field.value);
                self.say(4, DIM, &text);
            }
        }
        if !lesson.greetings.is_empty() {
            self.line("");
        }
        let heads = if self.is_narrow() {
            ["frames", "bytes", "wire"]
        } else {
            ["frames", "in capture", "on the wire"]
        };
        let heads = self.columns("", heads.map(str::to_owned));
        self.line(&paint(DIM, &heads));
        let tally = &lesson.shown.tally;
        for (what, part) in tally.parts().iter().filter(|(_, part)| part.frames > 0) {
            self.part(what, part);
        }
        self.part("All of it", &tally.total());
        self.line("");
        for sentence in words::around(lesson) {
            self.say(2, Style::new(), &sentence);
        }
    }

    fn part(&mut self, what: &str, part: &Part) {
        let numbers = [part.frames, part.bytes, part.on_wire].map(grouped);
        self.line(&self.columns(what, numbers));
    }

    fn columns(&self, what: &str, [frames, bytes, on_wire]: [String; 3]) -> String {
        if self.is_narrow() {
            format!("{what:20}{frames:>6}{bytes:>7}{on_wire:>7}")
        } else {
            format!("  {what:24}{frames:>9}{bytes:>14}{on_wire:>14}")
        }
    }
}

fn words_of(words: &[u16]) -> String {
    let hex: Vec<String> = words.iter().map(|word| format!("{word:04x}")).collect();
    if hex.is_empty() { "…".to_owned() } else { hex.join(" ") }
}

fn sums_of(step: &Step) -> String {
    format!("{:>TOTAL$x} {:>TOTAL$}", step.total, format!("{:04x}", step.folded))
}

/// What a field is called and says, and what it is for.
fn field_words(layer: &Layer, field: &Field, width: usize) -> Vec<String> {
    let name = format!("{}: {}", field.name, field.value);
    let purpose = words::sourced(&field.purpose, field.source, layer.source);
    let mut lines = Vec::new();
    for (index, line) in textwrap::wrap(&name, width).into_iter().enumerate() {
        lines.push(match line.split_once(": ") {
            Some((name, value)) if index == 0 => format!("{}: {value}", paint(BOLD, name)),
            None if index == 0 => paint(BOLD, &line),
            _ => line.into_owned(),
        });
    }
    lines.extend(textwrap::wrap(&purpose, width).iter().map(|line| paint(DIM, line)));
    lines
}

/// The bytes of a field in rows, and below them its bits where it is less than its bytes.
fn field_bytes(frame: &[u8], field: &Field) -> Vec<String> {
    let bytes = frame.get(field.bytes()).unwrap_or_default();
    let hex = |row: &[u8]| {
        let bytes: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(" ")
    };
    let mut rows: Vec<String> = bytes.chunks(BYTES_A_ROW).take(MAX_ROWS).map(hex).collect();
    if bytes.len() > BYTES_A_ROW * MAX_ROWS
        && let Some(last) = rows.last_mut()
    {
        last.push_str(" …");
    }
    if field.is_bits() {
        rows.extend(words::pattern(frame, field));
    }
    rows
}

/// One cell of the column of characters.
fn glyph(run: &Run, index: usize) -> String {
    match dump::character(&run.cells, index) {
        Some(c) if c.is_ascii() => c.to_string(),
        Some(c) => format!("{c}{LEFT_TO_RIGHT}"),
        None => String::new(),
    }
}

/// In one line, for a log.
pub fn title(lesson: &Lesson) -> String {
    visible::text(words::title(lesson).as_bytes(), USUAL_WIDTH * 2)
}
