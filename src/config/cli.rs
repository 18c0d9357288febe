//! The command line: what there is to type, its help, its completions.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ValueHint;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser};
use clap::{Subcommand, value_parser};
use clap_complete::Shell;

use super::Settings;
use super::chat::Chat;
use super::problem::Problems;
use super::resolve::Resolver;
use super::setting::{self, Kind, Setting};

/// No line of the help is longer, in columns.
const HELP_COLUMNS: usize = 100;

/// The id and name of the flag that names the file.
const CONFIG: &str = "config";

/// What is said below the help of the server.
pub(super) const AFTER_HELP: &str = "\
Sizes are bytes, or have KiB, MiB or GiB at their end. Times are seconds; fractions are fine.
Every setting is also a key of the file that --config names, with _ for -: max_line = 4096,
log_bytes = \"8MiB\", listen = [\"127.0.0.1:12345\", \"[::1]:12345\"].
A flag wins over the file, the file over the default.
Exit codes: 0 done, 1 it failed, 2 the command line or the file is wrong, 130 a second signal.";

/// What is said below the help of `hubbub chat`.
const CHAT_HELP: &str = "\
What you type goes to everyone; @Name text goes to Name alone; /help tells the commands. Tab
completes names and commands, the arrow keys bring back what was typed. Ctrl-C clears a line that is
half typed; quit, Ctrl-D, and Ctrl-C on an empty line leave.
What was typed in earlier sessions, private lines excepted, is in $XDG_STATE_HOME/hubbub/history
(~/.local/state/hubbub/history).
Where standard input or output is no terminal, chat is a plain pipe: it sends the lines as they are
(all text, @Name text, list, help, quit), and prints what comes until the server has closed.
Exit codes: 0 done, 1 the name or a line was refused, or the connection failed, 2 the command line
is wrong.";

/// A chat server for a crowd, and its client.
///
/// Without a command, hubbub serves: on 127.0.0.1:12345, ready at once, nothing to configure.
#[derive(Debug, Parser)]
#[command(name = "hubbub", version, max_term_width = HELP_COLUMNS, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Serve the chat (this is what hubbub does without a command)
    #[command(after_help = AFTER_HELP)]
    Serve(Flags),
    /// Chat in this terminal
    #[command(after_help = CHAT_HELP)]
    Chat(Chat),
    /// Print completions for a shell
    Completions {
        /// The shell to complete in
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page, hubbub(1), as roff
    Man,
}

/// The flags of `hubbub serve` as they were typed. [`resolve`](Self::resolve) makes sense of them.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    config: Option<PathBuf>,
    given: BTreeMap<&'static str, Vec<String>>,
}

impl Cli {
    /// What to do: what was asked for, or to serve.
    pub fn action(self) -> Action {
        self.action.unwrap_or(Action::Serve(self.flags))
    }
}

impl Flags {
    /// The settings: these flags, over the file that they name, over the defaults.
    ///
    /// # Errors
    ///
    /// [`Problems`]: everything that is wrong with the flags and with the file, which can then be
    /// mended in one go.
    pub fn resolve(&self) -> Result<Settings, Problems> {
        let mut resolver = Resolver::default();
        for setting in setting::ALL {
            if let Some(texts) = self.given.get(setting.flag) {
                resolver.add_flag(setting, texts);
            }
        }
        if let Some(path) = &self.config {
            resolver.add_file(path);
        }
        resolver.finish()
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let wrong = |error| clap::Error::raw(ErrorKind::InvalidValue, error);
        if let Some(path) = matches.try_get_one::<PathBuf>(CONFIG).map_err(wrong)? {
            self.config = Some(path.clone());
        }
        for setting in setting::ALL {
            let given = matches.try_get_many::<OsString>(setting.flag).map_err(wrong)?;
            if let Some(texts) = given {
                let texts = texts.map(|text| text.to_string_lossy().into_owned()).collect();
                self.given.insert(setting.flag, texts);
            }
        }
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("Read settings from this TOML file [default: none]");
        command.arg(config).args(setting::ALL.map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// A setting as clap sees it. The value stays text: a bad one is told with all the others.
fn arg(setting: &Setting) -> Arg {
    let action = if setting.kind == Kind::Addresses { ArgAction::Append } else { ArgAction::Set };
    let hint = if setting.kind == Kind::Capture { ValueHint::FilePath } else { ValueHint::Unknown };
    Arg::new(setting.flag)
        .long(setting.flag)
        .action(action)
        .value_hint(hint)
        .value_name(setting.value_name())
        .value_parser(value_parser!(OsString))
        .allow_negative_numbers(true)
        .help_heading(setting.heading)
        .help(setting.full_help())
}

/// The completions for a shell, to be put where it looks for them.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hubbub", &mut script);
    script
}
