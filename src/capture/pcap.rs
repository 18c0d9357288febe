//! The pcap format, with nanoseconds (draft-ietf-opsawg-pcap).

use std::io::Write;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriteError, PcapWriter};
use pcap_file::{DataLink, Endianness};

use super::Frame;
use super::writer::WriteError;

/// The longest frame that readers expect, in bytes; what Wireshark writes too.
pub(super) const SNAP_LENGTH: u32 = 262_144;

/// A file that is being written. Its bytes are the same on every machine.
#[derive(Debug)]
pub(super) struct PcapFile<W: Write>(PcapWriter<W>);

impl<W: Write> PcapFile<W> {
    pub(super) fn new(out: W) -> Result<Self, WriteError> {
        let header = PcapHeader {
            snaplen: SNAP_LENGTH,
            datalink: DataLink::ETHERNET,
            ts_resolution: PcapTsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        Ok(Self(PcapWriter::with_header(out, header)?))
    }

    pub(super) fn write(&mut self, frame: &Frame<'_>) -> Result<usize, WriteError> {
        let time = Duration::from_nanos(frame.time_ns);
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        let packet = PcapPacket::new(time, length, frame.bytes)
            .map_err(|error| WriteError::Format(error.to_string()))?;
        Ok(self.0.write_packet(&packet)?)
    }

    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        Ok(self.0.flush()?)
    }

    pub(super) fn finish(self) -> W {
        self.0.into_inner()
    }
}

impl From<PcapWriteError> for WriteError {
    fn from(error: PcapWriteError) -> Self {
        match error {
            PcapWriteError::Io(error) | PcapWriteError::FieldWriteFailed(_, error) => {
                Self::Io(error)
            }
            error @ PcapWriteError::Validation(_) => Self::Format(error.to_string()),
        }
    }
}
