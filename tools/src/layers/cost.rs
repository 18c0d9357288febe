//! What a message costs: the bytes that each layer adds, and those of the conversation around it.

use hubbub::capture::Frame;

use crate::encap::talks::Step;

use super::field::Layer;

/// What Ethernet sends before each frame: seven bytes of preamble and the start frame delimiter
/// (IEEE 802.3, clause 3.2).
pub const PREAMBLE: usize = 8;

/// What stands behind each frame: the frame check sequence, a CRC-32 (clause 3.2.9).
pub const CHECK: usize = 4;

/// How long the wire is silent behind each frame, in bytes (clause 4.4.2).
pub const GAP: usize = 12;

/// The shortest frame without its check sequence; shorter ones are filled up (clause 3.2.8).
pub const MIN_FRAME: usize = 60;

/// How much a frame is filled up.
pub fn padding(frame: usize) -> usize {
    MIN_FRAME.saturating_sub(frame)
}

/// What a frame takes on the wire.
pub fn on_wire(frame: usize) -> usize {
    PREAMBLE + frame + padding(frame) + CHECK + GAP
}

/// What a layer adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The layer, by its place among the layers of the frame; `None` is the wire.
    pub layer: Option<usize>,
    /// What it is.
    pub what: &'static str,
    /// How many bytes it adds.
    pub bytes: usize,
    /// How many bytes there are with it.
    pub total: usize,
}

/// From the message down to the wire.
pub fn shares(layers: &[Layer]) -> Vec<Share> {
    let mut total = 0;
    let mut add = |layer, what, bytes| {
        total += bytes;
        Share { layer, what, bytes, total }
    };
    let mut shares: Vec<Share> = Vec::new();
    for (index, layer) in layers.iter().enumerate().rev() {
        shares.push(add(Some(index), layer.name, layer.bytes.len()));
    }
    let frame = layers.iter().map(|layer| layer.bytes.len()).sum();
    let of_wire = [
        ("Padding to 60 bytes", padding(frame)),
        ("Preamble and start", PREAMBLE),
        ("Frame check sequence", CHECK),
        ("Gap between frames", GAP),
    ];
    for (what, bytes) in of_wire.into_iter().filter(|(_, bytes)| *bytes > 0) {
        shares.push(add(None, what, bytes));
    }
    shares
}

/// A part of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many frames.
    pub frames: u64,
    /// Their bytes in the capture.
    pub bytes: u64,
    /// The bytes that they take on the wire.
    pub on_wire: u64,
}

impl Part {
    fn add(&mut self, frame: usize) {
        self.frames += 1;
        self.bytes += frame as u64;
        self.on_wire += on_wire(frame) as u64;
    }
}

/// All frames of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many messages it has.
    pub messages: u64,
    /// The handshake.
    pub opening: Part,
    /// The frames that carry the message.
    pub data: Part,
    /// What acknowledges it.
    pub acks: Part,
    /// The other messages, with what acknowledges them.
    pub others: Part,
    /// The close.
    pub closing: Part,
}

impl Tally {
    /// A frame of the conversation; `is_it` when it is of the message that is shown.
    pub fn add(&mut self, step: Step, is_it: bool, frame: &Frame<'_>) {
        let part = match step {
            Step::Opening => &mut self.opening,
            Step::Closing => &mut self.closing,
            Step::Message if !is_it => &mut self.others,
            Step::Message if frame.is_data => &mut self.data,
            Step::Message => &mut self.acks,
        };
        part.add(frame.bytes.len());
    }

    /// Its parts in the order of the wire, with what they are.
    pub fn parts(&self) -> [(&'static str, Part); 5] {
        [
            ("Handshake", self.opening),
            ("This message", self.data),
            ("Its acknowledgements", self.acks),
            ("Other messages", self.others),
            ("Close", self.closing),
        ]
    }

    /// All of it.
    pub fn total(&self) -> Part {
        self.parts().iter().fold(Part::default(), |all, (_, part)| Part {
            frames: all.frames + part.frames,
            bytes: all.bytes + part.bytes,
            on_wire: all.on_wire + part.on_wire,
        })
    }

    /// How many frames there are so far.
    pub fn frames(&self) -> u64 {
        self.total().frames
    }
}
