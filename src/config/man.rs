//! The manual page.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::cli::{AFTER_HELP, Cli};

/// A heading, and what stands below it: terms with what they mean.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

/// What the command line does not tell. No text starts with a dot.
const SECTIONS: [Section; 3] = [
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "The server accepts and reads no more, tells everyone, writes what is due, and \
                 ends. A second one ends it at once.",
            ),
            ("SIGUSR1", "The server logs its counters."),
            (
                "SIGHUP",
                "As SIGTERM, if the terminal that the server was started in is gone; otherwise it \
                 changes nothing.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "RUST_LOG",
                "How much the server logs: info (the default), debug (also each connection), or \
                 hubbub=trace (also each line that is taken, private messages too).",
            ),
            ("NO_COLOR", "Anything in it turns the colours of the client off."),
            ("TZ", "The time zone of the times that the client shows, instead of /etc/localtime."),
            (
                "XDG_STATE_HOME",
                "The client keeps what was typed in hubbub/history below it, instead of below \
                 ~/.local/state.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "The server was asked to stop, and did; the client left."),
            (
                "1",
                "The server cannot start or go on. To the client, the name or a line of a pipe was \
                 refused, or the connection failed.",
            ),
            ("2", "The command line or the file is wrong."),
            ("130", "A second signal ended the server."),
        ],
    ),
];

/// The manual page, hubbub(1), as roff: what `hubbub serve` takes, then the other commands.
///
/// # Errors
///
/// None that are known: it is written to memory.
pub fn man() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    let main = Man::new(command.clone());
    main.render_title(&mut page)?;
    main.render_name_section(&mut page)?;
    main.render_synopsis_section(&mut page)?;
    main.render_description_section(&mut page)?;
    main.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for sub in command.get_subcommands_mut() {
        let usage = sub.render_usage().to_string();
        writeln!(page, ".SS \"{}\"", roff(usage.trim_start_matches("Usage: ")))?;
        writeln!(page, "{}.", roff(&sub.get_about().unwrap_or_default().to_string()))?;
        for arg in sub.get_positionals() {
            let name = arg.get_value_names().unwrap_or_default().join(" ");
            let help = arg.get_help().unwrap_or_default().to_string();
            writeln!(page, ".TP\n\\fI{}\\fR\n{}.", roff(&name), roff(&help))?;
        }
        // The options of `serve` stand above.
        if sub.get_name() == "chat" {
            write_options(&mut page, sub)?;
        }
    }
    for (heading, entries) in SECTIONS {
        writeln!(page, ".SH \"{heading}\"")?;
        for (term, text) in entries {
            writeln!(page, ".TP\n\\fB{}\\fR\n{}", roff(term), roff(text))?;
        }
    }
    writeln!(page, ".SH NOTES\n{}", roff(AFTER_HELP).replace('\n', "\n.br\n"))?;
    main.render_version_section(&mut page)?;
    Ok(page)
}

/// The options of a command, one paragraph each.
fn write_options(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    for arg in command.get_opts().filter(|arg| arg.get_long() != Some("help")) {
        let flag = format!("--{}", arg.get_long().unwrap_or_default());
        let takes_value = arg.get_action().takes_values();
        let value = arg.get_value_names().filter(|_| takes_value).unwrap_or_default().join(" ");
        let help = arg.get_help().unwrap_or_default().to_string();
        writeln!(page, ".TP\n\\fB{}\\fR \\fI{}\\fR\n{}.", roff(&flag), roff(&value), roff(&help))?;
    }
    Ok(())
}

/// Text for roff: a backslash and a dash mean themselves. No line of ours starts with a dot.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
