//! Texts become packets of SSH (RFC 4253): Wireshark calls anything else malformed.
//!
//! Before keys are exchanged, packets are plain. A text becomes a debug message, which is made for
//! just that. Each side says its version before its first packet.

use hubbub::capture::Side;

/// The version that a side says that says none.
const VERSION: &[u8] = b"SSH-2.0-unknown\r\n";

/// The longest version line, its end included (section 4.2).
const MAX_VERSION: usize = 255;

/// The number of a debug message (section 11.3), and whether it is to be shown.
const DEBUG: [u8; 2] = [4, 1];

/// Packets are a multiple of so many bytes, and have at least so many of padding (section 6).
const BLOCK: usize = 8;
const MIN_PADDING: usize = 4;

/// Who has said its version.
#[derive(Clone, Copy, Debug, Default)]
pub struct Versions {
    said: [bool; 2],
}

impl Versions {
    /// The bytes that a text becomes.
    pub fn message(&mut self, side: Side, text: &[u8]) -> Vec<u8> {
        let said = &mut self.said[usize::from(side == Side::Server)];
        let was_said = std::mem::replace(said, true);
        if was_said {
            return packet(text);
        }
        let line = text.trim_ascii_end();
        let is_line = line.iter().all(|byte| (b' '..=b'~').contains(byte));
        if line.starts_with(b"SSH-2.0-") && is_line && line.len() + 2 <= MAX_VERSION {
            return [line, b"\r\n"].concat();
        }
        [VERSION, &packet(text)].concat()
    }
}

fn packet(text: &[u8]) -> Vec<u8> {
    let mut payload = DEBUG.to_vec();
    payload.extend_from_slice(&length(text.len()));
    payload.extend_from_slice(text);
    // No language.
    payload.extend_from_slice(&length(0));
    let before = 4 + 1 + payload.len() + MIN_PADDING;
    let padding = MIN_PADDING + before.next_multiple_of(BLOCK) - before;
    let mut packet = length(1 + payload.len() + padding).to_vec();
    packet.push(u8::try_from(padding).unwrap_or_default());
    packet.extend_from_slice(&payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// A row has fewer than 2^32 bytes.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_whole_blocks_and_say_how_long_they_are() {
        for length in 0..40 {
            let text = vec![b'x'; length];
            let packet = packet(&text);
            assert_eq!(packet.len() % BLOCK, 0);
            assert_eq!(packet[..4], super::length(packet.len() - 4));
            assert!(usize::from(packet[4]) >= MIN_PADDING);
            assert_eq!(packet[11..11 + length], text);
        }
    }

    #[test]
    fn a_version_is_said_once_and_first() {
        let mut versions = Versions::default();
        assert_eq!(versions.message(Side::Client, b"SSH-2.0-mine\n"), b"SSH-2.0-mine\r\n");
        assert_ne!(versions.message(Side::Client, b"SSH-2.0-mine"), b"SSH-2.0-mine\r\n");
        assert!(versions.message(Side::Server, b"hello").starts_with(VERSION));
    }
}
