//! What a conversation yields: frames, each with its time and its direction.

use super::Side;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was on the wire, in nanoseconds since 1970.
    pub time_ns: u64,
    /// Who sent it.
    pub from: Side,
    /// Whether it carries application bytes.
    pub is_data: bool,
    /// How many bytes the client and the server said right before it that nobody saw.
    pub missed: [u64; 2],
    /// Everything from the Ethernet header on, without the frame check sequence.
    pub bytes: &'a [u8],
}

/// Frames in the order in which one conversation made them. It is cleared and used again, so its
/// memory is that of the largest step: the bytes that were said, and the headers of their segments.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    list: Vec<Meta>,
    /// What is missed before the next frame.
    missed: [u64; 2],
}

#[derive(Debug)]
struct Meta {
    time_ns: u64,
    from: Side,
    is_data: bool,
    missed: [u64; 2],
    end: usize,
}

impl Frames {
    /// The frames, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut start = 0;
        self.list.iter().map(move |meta| {
            let bytes = &self.bytes[start..meta.end];
            start = meta.end;
            let Meta { time_ns, from, is_data, missed, .. } = *meta;
            Frame { time_ns, from, is_data, missed, bytes }
        })
    }

    /// Forgets them all and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.list.clear();
    }

    /// When the last one was, in nanoseconds since 1970.
    pub fn last_ns(&self) -> Option<u64> {
        self.list.last().map(|meta| meta.time_ns)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The next frame comes behind so many bytes of the client and the server that nobody saw.
    pub(super) fn miss(&mut self, bytes: [u64; 2]) {
        self.missed = bytes;
    }

    /// Adds one whose bytes `emit` writes behind those of the last; none when it cannot.
    pub(super) fn try_push<E>(
        &mut self,
        time_ns: u64,
        from: Side,
        is_data: bool,
        emit: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        emit(&mut self.bytes)?;
        let missed = std::mem::take(&mut self.missed);
        self.list.push(Meta { time_ns, from, is_data, missed, end: self.bytes.len() });
        Ok(())
    }
}
