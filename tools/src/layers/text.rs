//! The lesson for a terminal, in the colours of ANSI; whoever prints it takes them out where there
//! is none.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::Lesson;
use super::checksum::Working;
use super::cost::Part;
use super::dump::{self, Glyph, Line, Run};
use super::field::{Field, Kind, Layer};
use super::visible;
use super::words::{self, count, grouped, percent};

/// How wide a line is where there is no terminal, in characters.
pub const USUAL_WIDTH: usize = 80;

/// Narrower ones are not read well, and wider ones neither.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=110;

/// The columns of a table of fields: the offset in the frame and in the header, and the bytes.
const OFFSET: usize = 6;
const BYTES: usize = 19;
const BEFORE_FIELD: usize = 2 + 2 * OFFSET + 2 + BYTES + 2;

/// Bytes in a row of such a table, and rows of a field that is long.
const BYTES_A_ROW: usize = 6;
const MAX_ROWS: usize = 3;

/// The columns of a sum: its words, and the total.
const WORDS: usize = 39;
const TOTAL: usize = 7;

/// What stands before the text of a sum.
const BEFORE_SUM: usize = 2 + WORDS + 1 + TOTAL + 1 + TOTAL + 2;

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

    fn heading(&mut self, style: Style, text: &str) {
        self.line("");
        self.line(&paint(style.bold(), text));
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
        let mut boxes = String::new();
        let mut total = 0;
        for layer in lesson.layers.iter().rev() {
            total += layer.bytes.len();
            let label = format!("[{} {}]", layer.name, layer.bytes.len());
            boxes = format!("{}{boxes}", paint(colour(layer.kind), &label));
            let wide = anstream::adapter::strip_str(&boxes).to_string().len();
            let room = (self.width - 2).saturating_sub(13 + 7 + wide);
            let name = paint(colour(layer.kind), &format!("{:<13}", layer.kind.name()));
            self.line(&format!("  {name}{:room$}{boxes}{total:>7}", ""));
        }
    }

    fn layer(&mut self, lesson: &Lesson, layer: &Layer) {
        let title = format!("{}, {}", words::layer_title(layer), words::extent(layer));
        self.heading(colour(layer.kind), &title);
        self.say(2, Style::new(), &words::sourced(&layer.purpose, layer.source, ""));
        self.line("");
        let header =
            format!("  {:>OFFSET$}{:>OFFSET$}  {:BYTES$}  field", "frame", "layer", "bytes");
        self.line(&paint(DIM, &header));
        for field in &layer.fields {
            self.field(lesson, layer, field);
        }
    }

    /// Bytes at the left, words at the right, line by line.
    fn field(&mut self, lesson: &Lesson, layer: &Layer, field: &Field) {
        let style = colour(layer.kind);
        let width = self.width - BEFORE_FIELD;
        let bytes = field_bytes(&lesson.shown.frame, field);
        let name = format!("{}: {}", field.name, field.value);
        let mut right: Vec<(bool, String)> = Vec::new();
        right.extend(textwrap::wrap(&name, width).into_iter().map(|line| (true, line.into())));
        let purpose = words::sourced(&field.purpose, field.source, layer.source);
        right.extend(textwrap::wrap(&purpose, width).into_iter().map(|line| (false, line.into())));
        for index in 0..bytes.len().max(right.len()) {
            let (start, here) = (field.bytes().start, field.bytes().start - layer.bytes.start);
            let offsets = if index == 0 {
                format!("{start:>OFFSET$}{:>OFFSET$}", format!("+{here}"))
            } else {
                format!("{:1$}", "", 2 * OFFSET)
            };
            let left = bytes.get(index).map_or("", String::as_str);
            let left = paint(style, &format!("{left:BYTES$}"));
            let right = match right.get(index) {
                Some((true, text)) if index == 0 => match text.split_once(": ") {
                    Some((name, value)) => format!("{}: {value}", paint(BOLD, name)),
                    None => paint(BOLD, text),
                },
                Some((true, text)) => text.clone(),
                Some((false, text)) => paint(DIM, text),
                None => String::new(),
            };
            self.line(&format!("  {offsets}  {left}  {right}"));
        }
    }

    fn working(&mut self, working: &Working) {
        let style = colour(working.layer);
        self.heading(style, &format!("{}, worked out", working.name));
        self.say(2, Style::new(), &words::how_to_sum(working));
        self.line("");
        let header = format!("  {:WORDS$} {:>TOTAL$} {:>TOTAL$}  what", "words", "sum", "folded");
        self.line(&paint(DIM, &header));
        for step in &working.steps {
            let words: Vec<String> = step.words.iter().map(|word| format!("{word:04x}")).collect();
            let words = if words.is_empty() { "…".to_owned() } else { words.join(" ") };
            let words = paint(style, &format!("{words:WORDS$}"));
            let sums =
                format!("{:>TOTAL$x} {:>TOTAL$}", step.total, format!("{:04x}", step.folded));
            let what = textwrap::wrap(&step.what, self.width - BEFORE_SUM);
            for (index, what) in what.iter().enumerate() {
                if index == 0 {
                    self.line(&format!("  {words} {sums}  {what}"));
                } else {
                    self.line(&format!("{:BEFORE_SUM$}{what}", ""));
                }
            }
        }
        self.line("");
        self.say(2, BOLD, &words::outcome(working));
    }

    fn dump(&mut self, lesson: &Lesson) {
        self.heading(BOLD, "The bytes");
        let mut legend = String::new();
        for layer in &lesson.layers {
            let name = format!("{} {}", layer.kind.letter(), layer.kind.name());
            let _ = write!(legend, "{}  ", paint(colour(layer.kind), &name));
        }
        self.line(&format!("  {legend}"));
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
        let Some(first) = run.cells.first() else { return };
        let style = colour(first.kind);
        let mut hex = String::new();
        for column in 0..dump::ROW {
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
        let text: String =
            run.cells.iter().enumerate().map(|(i, cell)| glyph(run, i, cell.glyph)).collect();
        let (letter, hex) = (first.kind.letter(), paint(style, &hex));
        let indent = run.indent;
        self.line(&format!(
            "  {letter} {:04x}  {hex} {:indent$}{}",
            run.row,
            "",
            paint(style, &text)
        ));
    }

    fn shares(&mut self, lesson: &Lesson) {
        self.heading(BOLD, "What each layer adds");
        let all = lesson.shares.last().map_or(0, |share| share.total);
        let header = format!("  {:24}{:>7}{:>9}{:>9}", "", "bytes", "share", "total");
        self.line(&paint(DIM, &header));
        for share in &lesson.shares {
            let kind = share.layer.and_then(|index| lesson.layers.get(index)).map(|it| it.kind);
            let style = kind.map_or(DIM, colour);
            let room = self.width.saturating_sub(54);
            let bar = (share.bytes * room).div_ceil(all.max(1));
            let bar = paint(style, &"█".repeat(bar));
            let what = paint(style, &format!("{:24}", share.what));
            let part = percent(share.bytes as u64, all as u64);
            self.line(&format!("  {what}{:>7}{part:>9}{:>9}  {bar}", share.bytes, share.total));
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
        let header = format!("  {:24}{:>9}{:>14}{:>14}", "", "frames", "in capture", "on the wire");
        self.line(&paint(DIM, &header));
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
        let [frames, bytes, on_wire] = numbers;
        self.line(&format!("  {what:24}{frames:>9}{bytes:>14}{on_wire:>14}"));
    }
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

/// One cell of the column of characters; a wide character at the end of a row has no room.
fn glyph(run: &Run, index: usize, glyph: Glyph) -> String {
    match glyph {
        Glyph::One(c) if c.is_ascii() => c.to_string(),
        Glyph::One(c) => format!("{c}{LEFT_TO_RIGHT}"),
        Glyph::Two(c) if run.cells.get(index + 1).is_some() => c.to_string(),
        Glyph::Two(_) | Glyph::More => "·".to_owned(),
        Glyph::Covered if index > 0 => String::new(),
        Glyph::Covered => "·".to_owned(),
        Glyph::None => ".".to_owned(),
    }
}

/// In one line, for a log.
pub fn title(lesson: &Lesson) -> String {
    visible::text(words::title(lesson).as_bytes(), USUAL_WIDTH * 2)
}
