//! The pcapng format (draft-ietf-opsawg-pcapng): one section, one interface, names before the
//! frames, statistics behind them.
//!
//! There are no custom blocks: Wireshark shows each as a packet.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::name_resolution::{
    Ipv4Record, Ipv6Record, NameResolutionBlock, Record,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};
use pcap_file::{DataLink, Endianness};

use super::Frame;
use super::pcap::SNAP_LENGTH;
use super::writer::{WriteError, is_inbound};

/// Names in one block: Wireshark refuses blocks of more than 16 MiB.
const NAMES_PER_BLOCK: usize = 1_000;

/// The longest name that is told, in bytes.
const MAX_NAME: usize = 255;

/// The direction of a frame, in the two lowest bits of its flags (section 4.3.1).
const INBOUND: u32 = 0b01;
const OUTBOUND: u32 = 0b10;

/// What a file says about itself. Empty texts are not written.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    /// The machine that the frames would be from.
    pub hardware: &'a str,
    /// Its system.
    pub system: &'a str,
    /// Who wrote the file.
    pub application: &'a str,
    /// The interface, as in `lo`.
    pub interface: &'a str,
    /// What the interface is.
    pub description: &'a str,
    /// What addresses are called. Where one has several names, Wireshark shows the last.
    pub names: &'a [(IpAddr, String)],
}

/// A file that is being written. Its bytes are the same on every machine.
pub(super) struct PcapNgFile<W: Write> {
    writer: PcapNgWriter<W>,
    packets: u64,
    /// What the interface had that is not in the file.
    dropped: u64,
    /// When the first and the last frame were.
    times_ns: Option<(u64, u64)>,
}

impl<W: Write> std::fmt::Debug for PcapNgFile<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PcapNgFile").field("packets", &self.packets).finish_non_exhaustive()
    }
}

impl<W: Write> PcapNgFile<W> {
    pub(super) fn new(out: W, about: &About<'_>) -> Result<Self, WriteError> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: [
                SectionHeaderOption::Hardware(about.hardware.into()),
                SectionHeaderOption::OS(about.system.into()),
                SectionHeaderOption::UserApplication(about.application.into()),
            ]
            .into_iter()
            .zip([about.hardware, about.system, about.application])
            .filter_map(|(option, text)| (!text.is_empty()).then_some(option))
            .collect(),
            ..SectionHeaderBlock::default()
        };
        let mut writer = PcapNgWriter::with_section_header(out, section)?;
        writer.write_pcapng_block(interface(about))?;
        for names in about.names.chunks(NAMES_PER_BLOCK) {
            let records = names.iter().map(|(address, name)| record(*address, name)).collect();
            writer.write_pcapng_block(NameResolutionBlock { records, options: Vec::new() })?;
        }
        Ok(Self { writer, packets: 0, dropped: 0, times_ns: None })
    }

    pub(super) fn write(
        &mut self,
        frame: &Frame<'_>,
        comment: Option<&str>,
    ) -> Result<usize, WriteError> {
        let direction = if is_inbound(frame.from) { INBOUND } else { OUTBOUND };
        let comment = comment
            .map(|text| EnhancedPacketOption::Common(CommonOption::Comment(Cow::Borrowed(text))));
        let flags = EnhancedPacketOption::Flags(direction);
        let bytes = self.writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(frame.time_ns),
            original_len: u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame.bytes),
            options: std::iter::once(flags).chain(comment).collect(),
        })?;
        self.packets += 1;
        let (first, _) = self.times_ns.unwrap_or((frame.time_ns, 0));
        self.times_ns = Some((first, frame.time_ns));
        Ok(bytes)
    }

    pub(super) fn add_dropped(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        Ok(self.writer.get_mut().flush()?)
    }

    pub(super) fn finish(mut self) -> Result<W, WriteError> {
        let (first, last) = self.times_ns.unwrap_or_default();
        let (first, last) = (Duration::from_nanos(first), Duration::from_nanos(last));
        self.writer.write_pcapng_block(InterfaceStatisticsBlock {
            interface_id: 0,
            timestamp: last,
            options: vec![
                InterfaceStatisticsOption::IsbStartTime(first),
                InterfaceStatisticsOption::IsbEndTime(last),
                InterfaceStatisticsOption::IsbIfRecv(self.packets),
                InterfaceStatisticsOption::IsbIfDrop(self.dropped),
            ],
        })?;
        Ok(self.writer.into_inner())
    }
}

fn interface<'a>(about: &About<'a>) -> InterfaceDescriptionBlock<'a> {
    let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, SNAP_LENGTH);
    if !about.interface.is_empty() {
        block.options.push(InterfaceDescriptionOption::IfName(about.interface.into()));
    }
    if !about.description.is_empty() {
        block.options.push(InterfaceDescriptionOption::IfDescription(about.description.into()));
    }
    block.options.push(InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO));
    block
}

fn record(address: IpAddr, name: &str) -> Record<'_> {
    let names = vec![label(name)];
    match address {
        IpAddr::V4(ip_addr) => Record::Ipv4(Ipv4Record { ip_addr, names }),
        IpAddr::V6(ip_addr) => Record::Ipv6(Ipv6Record { ip_addr, names }),
    }
}

/// A name as a record can hold it: a NUL would end it, and no tool should have to print a control
/// character.
fn label(name: &str) -> Cow<'_, str> {
    let end = name.floor_char_boundary(MAX_NAME);
    let name = &name[..end];
    if name.contains(char::is_control) {
        return name.replace(char::is_control, "_").into();
    }
    name.into()
}

impl From<PcapNgWriteError> for WriteError {
    fn from(error: PcapNgWriteError) -> Self {
        match error {
            PcapNgWriteError::Io(error) => Self::Io(error),
            error => Self::Format(error.to_string()),
        }
    }
}
