//! Framing: a stream cut into any reads gives the same lines as in one piece, and never keeps more
//! than its limit.

use hubbub::wire::{Foreign, Frame, Framer};

use super::cut;

/// Short, so that streams of a fuzzer's size exceed it.
const MAX_LINE: usize = 16;

/// The first bytes say how the stream is cut; the rest is the stream.
pub fn run(data: &[u8]) {
    let Some((reads, stream)) = cut(data) else { return };
    assert_eq!(frames(&reads), frames(&[stream]));
}

/// A frame, apart from the bytes that it was found in.
#[derive(Debug, PartialEq, Eq)]
enum Owned {
    Line(Vec<u8>),
    TooLong,
    Foreign(Foreign),
}

fn frames(reads: &[&[u8]]) -> Vec<Owned> {
    let mut framer = Framer::default();
    let (mut kept, mut out) = (Vec::new(), Vec::new());
    for read in reads {
        kept.extend_from_slice(read);
        let mut input = kept.as_slice();
        while let Some(frame) = framer.next(&mut input, MAX_LINE) {
            out.push(own(frame));
            // A server closes here.
            if matches!(out.last(), Some(Owned::Foreign(_))) {
                return out;
            }
        }
        kept = input.to_vec();
        assert!(kept.len() < MAX_LINE, "{} bytes are kept", kept.len());
    }
    let mut input = kept.as_slice();
    out.extend(framer.finish(&mut input).map(own));
    assert!(input.is_empty());
    out
}

fn own(frame: Frame<'_>) -> Owned {
    match frame {
        Frame::Line(line) => {
            assert!(line.len() < MAX_LINE && !line.contains(&b'\n'));
            Owned::Line(line.to_vec())
        }
        Frame::TooLong => Owned::TooLong,
        Frame::Foreign(foreign) => Owned::Foreign(foreign),
    }
}
