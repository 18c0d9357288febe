//! `tools dissector`: Wireshark learns to read Hubbub's protocol.

use std::io::{self, Write};

/// The dissector, in the Lua that Wireshark runs.
pub const SCRIPT: &str = include_str!("hubbub.lua");

/// Where it goes.
const WHERE: &str = "\
Put it where Wireshark looks: Help, About, Folders, \"Personal Lua Plugins\"; or, for once:
  tshark -X lua_script:hubbub.lua -r FILE -Y hubbub
";

/// Prints the dissector on `out`, and on `log` where it goes.
///
/// # Errors
///
/// When it cannot be printed. Whoever stops reading has read enough.
pub fn run(out: &mut dyn Write, log: &mut dyn Write) -> anyhow::Result<u8> {
    match out.write_all(SCRIPT.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => log.write_all(WHERE.as_bytes())?,
    }
    Ok(0)
}
