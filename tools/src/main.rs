//! `tools`: Hubbub's workbench. So far it only says what it will hold.

use clap::{CommandFactory, Parser};

/// Hubbub's tools.
///
/// There are none yet: packets for Wireshark, layers explained and captures analysed will be
/// commands of this program.
#[derive(Debug, Parser)]
#[command(name = "tools", version)]
struct Cli {}

fn main() -> std::io::Result<()> {
    let Cli {} = Cli::parse();
    Cli::command().print_long_help()
}
