//! What the configuration promises to those who type it.

use std::fs;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use proptest::prelude::*;

use super::setting::{self, Kind};
use super::*;

/// What a command line, without the program's name, comes to.
fn resolve(args: &[&str]) -> Result<Settings, Vec<String>> {
    let cli = Cli::try_parse_from([&["hubbub"], args].concat()).expect("clap takes it");
    let Action::Serve(flags) = cli.action() else { panic!("not serve") };
    flags.resolve().map_err(|problems| problems.lines().to_vec())
}

/// The same, with a file; its name in what is told is `FILE`.
fn resolve_file(text: &str, args: &[&str]) -> Result<Settings, Vec<String>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    resolve(&[args, &["--config", path]].concat())
        .map_err(|lines| lines.iter().map(|line| line.replace(path, "FILE")).collect())
}

/// The only problem of a command line.
fn problem(args: &[&str]) -> String {
    let mut lines = resolve(args).expect_err("it is wrong");
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// The only problem of a file.
fn file_problem(text: &str) -> String {
    let mut lines = resolve_file(text, &[]).expect_err("it is wrong");
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(resolve(&[]).unwrap(), Settings::default());
    assert_eq!(resolve(&["serve"]).unwrap(), Settings::default());
    assert_eq!(resolve_file("", &[]).unwrap(), Settings::default());
}

#[test]
fn the_default_in_the_help_is_the_default() {
    let mut args = Vec::new();
    for setting in setting::ALL {
        if !setting.default.contains(' ') {
            args.extend([format!("--{}", setting.flag), setting.default.to_owned()]);
        }
    }
    assert_eq!(args.len(), 2 * (setting::ALL.len() - 6), "six defaults are in words");
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    assert_eq!(resolve(&args).unwrap(), Settings::default());
}

#[test]
fn every_flag_works_before_and_after_serve_and_in_a_file() {
    for setting in setting::ALL {
        let (text, quoted) = match setting.kind {
            Kind::Bytes(..) if ["max-line", "list-bytes"].contains(&setting.flag) => ("512", "512"),
            Kind::Bytes(..) | Kind::BytesOrOff(..) => ("1MiB", "\"1MiB\""),
            Kind::Count(..) | Kind::Seconds | Kind::WholeSeconds(..) => ("7", "7"),
            Kind::Addresses => ("[::1]:7", "\"[::1]:7\""),
            Kind::Format => ("json", "\"json\""),
            Kind::Capture => ("chat.pcap", "\"chat.pcap\""),
        };
        let flag = format!("--{}", setting.flag);
        if ["capture-size", "capture-files"].contains(&setting.flag) {
            // They need another one, and have a test of their own.
            continue;
        }
        let without = resolve(&[&flag, text]).unwrap();
        let with = resolve(&["serve", &flag, text]).unwrap();
        let in_file = resolve_file(&format!("{} = {quoted}", setting.key()), &[]).unwrap();
        assert_ne!(without, Settings::default(), "{flag}");
        assert_eq!(without, with, "{flag}");
        assert_eq!(without, in_file, "{flag}");
    }
}

#[test]
fn every_flag_of_clap_is_a_setting_with_its_default_in_the_help() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    for command in [&command, serve] {
        let mut flags: Vec<_> = command.get_arguments().map(clap::Arg::get_id).collect();
        flags.retain(|id| *id != "config" && *id != "help" && *id != "version");
        assert_eq!(flags, setting::ALL.map(|setting| setting.flag));
        for setting in setting::ALL {
            let arg = command.get_arguments().find(|arg| arg.get_id() == setting.flag).unwrap();
            let help = arg.get_help().unwrap().to_string();
            assert!(help.contains(&format!("[default: {}", setting.default)), "{help}");
            assert!(arg.get_help_heading().is_some(), "{help}");
        }
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_fits_100_columns() {
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![command.render_help(), command.render_long_help()];
    pages.extend(command.get_subcommands_mut().map(clap::Command::render_long_help));
    for line in
        pages.iter().flat_map(|p| p.to_string().lines().map(String::from).collect::<Vec<_>>())
    {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn the_manual_has_every_flag_and_command() {
    let page = String::from_utf8(man().unwrap()).unwrap();
    assert!(page.contains(".TH hubbub 1"), "{page}");
    for setting in setting::ALL {
        let flag = format!("--{}", setting.flag).replace('-', "\\-");
        assert!(page.contains(&flag), "{flag}");
    }
    for heading in ["SIGNALS", "ENVIRONMENT", "EXIT STATUS"] {
        assert!(page.contains(&format!(".SH \"{heading}\"")), "{heading}");
    }
    for command in ["serve", "chat", "completions", "man"] {
        assert!(page.contains(&format!("hubbub {command}")), "{command}");
    }
}

#[test]
fn completions_exist_for_every_shell() {
    use clap::ValueEnum;
    for shell in clap_complete::Shell::value_variants() {
        let script = String::from_utf8(completions(*shell)).unwrap();
        assert!(script.contains("max-line"), "{shell}");
    }
}

#[test]
fn a_number_outside_its_range_is_refused() {
    let cases = [
        (["--max-line", "63"], "63 is out of range; 64 to 64KiB would work"),
        (["--max-line", "65537"], "65537 is out of range; 64 to 64KiB would work"),
        (["--max-line", "-5"], "-5 is out of range; 64 to 64KiB would work"),
        (["--log-bytes", "128GiB"], "128GiB is out of range; 32KiB to 64GiB would work"),
        (["--mailbox-bytes", "0"], "0 is out of range; 640 to 64GiB would work"),
        (["--mailbox-total", "1"], "1 is out of range; 640 to 64GiB would work"),
        (["--input-bytes", "65536"], "65536 is out of range; 65600 to 64GiB would work"),
        (["--out-budget", "319"], "319 is out of range; 320 to 64GiB would work"),
        (["--list-bytes", "255"], "255 is out of range; 256 to 64GiB would work"),
        (["--capture-size", "1"], "1 is out of range; 64KiB to 64GiB, or 0, would work"),
        (["--capture", "chat"], "`chat` is no name of a capture; such as chat.pcapng or chat.pcap"),
        (["--flood-rate", "1000001"], "1000001 is out of range; 0 to 1000000 would work"),
        (["--flood-burst", "0"], "0 is out of range; 1 to 1000000 would work"),
        (["--max-clients", "0"], "0 is out of range; 1 to 10000000 would work"),
        (["--max-pending", "0"], "0 is out of range; 1 to 10000000 would work"),
        (["--max-per-address", "-1"], "-1 is out of range; 0 to 10000000 would work"),
        (["--flush-slice", "-1"], "-1 is out of range; 0 to 10000000 would work"),
        (["--announce-up-to", "99999999999999999999"], "99999999999999999999 is out of range"),
        (["--keepalive", "5"], "5 is out of range; 6 to 32767, or 0, would work"),
        (["--keepalive", "60.5"], "`60.5` is not a whole number"),
        (["--log-format", "xml"], "`xml` is no format; text or json would work"),
    ];
    for ([flag, text], expected) in cases {
        let told = problem(&[flag, text]);
        assert!(told.starts_with(&format!("{flag}: {expected}")), "{told}");
    }
}

#[test]
fn times_are_decimal_seconds() {
    let times = setting::ALL.into_iter().filter(|setting| setting.kind == Kind::Seconds);
    for setting in times {
        let flag = format!("--{}", setting.flag);
        for bad in ["0", "0.04", "86401", "-1", "inf", "NaN"] {
            let expected =
                format!("{flag}: {bad} is out of range; 0.05 to 86400 seconds would work");
            assert_eq!(problem(&[&flag, bad]), expected);
        }
        for bad in ["", "30s", "1:00"] {
            assert!(problem(&[&flag, bad]).contains("such as 30 or 0.2"), "{flag} {bad}");
        }
    }
    assert_eq!(resolve(&["--close-timeout", "0.2"]).unwrap().close_timeout.as_millis(), 200);
    let settings = resolve_file("close_timeout = 0.05\nstall_timeout = 86400", &[]).unwrap();
    assert_eq!(settings.close_timeout, Duration::from_millis(50));
    assert_eq!(settings.stall_timeout, Duration::from_secs(86_400));
}

#[test]
fn keepalive_is_off_or_whole_seconds() {
    assert_eq!(resolve(&["--keepalive", "0"]).unwrap().keepalive, None);
    let six = Some(Duration::from_secs(6));
    assert_eq!(resolve(&["--keepalive", "6"]).unwrap().keepalive, six);
    assert_eq!(
        file_problem("keepalive = 6.5"),
        "FILE:1: keepalive: a number with a point does not do; an integer would work"
    );
}

#[test]
fn a_value_for_nobody_and_one_for_everybody() {
    let settings = resolve(&["--max-per-address", "0", "--max-clients", "7"]).unwrap();
    assert_eq!((settings.max_per_address, settings.max_clients), (Some(0), Some(7)));
}

#[test]
fn sizes_have_suffixes() {
    let log = |text: &str| resolve(&["--log-bytes", text]).map(|settings| settings.log_bytes);
    for text in ["1048576", "1024KiB", "1MiB", "1mib"] {
        assert_eq!(log(text), Ok(1 << 20), "{text}");
    }
    assert_eq!(log("1GiB"), Ok(1 << 30));
    let of_file = |text: &str| resolve_file(text, &[]).unwrap().log_bytes;
    assert_eq!(of_file("log_bytes = \"1MiB\""), 1 << 20);
    assert_eq!(of_file("log_bytes = 1_048_576"), 1 << 20);
    assert_eq!(of_file("log_bytes = 0x100000"), 1 << 20);
    for text in ["1MB", "1 MiB", "MiB", "", "1.5MiB", "é", "1GiBGiB"] {
        let expected = "is not a size; bytes, or KiB, MiB, GiB as in 8MiB";
        assert_eq!(problem(&["--log-bytes", text]), format!("--log-bytes: `{text}` {expected}"));
    }
}

#[test]
fn the_log_is_a_power_of_two() {
    assert_eq!(
        problem(&["--log-bytes", "5000000"]),
        "--log-bytes: 5000000 is not a power of two; 4MiB or 8MiB would work"
    );
    assert_eq!(
        problem(&["--log-bytes", "300000"]),
        "--log-bytes: 300000 is not a power of two; 512KiB would work"
    );
}

#[test]
fn the_log_holds_64_lines_of_the_server() {
    assert!(resolve(&["--log-bytes", "524288"]).is_ok());
    assert_eq!(
        problem(&["--log-bytes", "256KiB"]),
        "--log-bytes: 256KiB is too small for --max-line 4096; 512KiB or more would work"
    );
    assert!(resolve(&["--max-line", "65536"]).is_ok());
    assert_eq!(
        resolve(&["--max-line", "65536", "--log-bytes", "4MiB", "--mailbox-bytes", "128KiB"])
            .unwrap_err(),
        [
            "--log-bytes: 4MiB is too small for --max-line 65536; 8MiB or more would work",
            "--mailbox-bytes: 128KiB is too small for --max-line 65536; 131584 or more would work",
        ]
    );
}

#[test]
fn what_one_value_asks_of_another() {
    assert_eq!(
        problem(&["--mailbox-bytes", "64KiB"]),
        "--mailbox-bytes: 64KiB is too small for --list-bytes 64KiB; 128KiB or more would work"
    );
    assert_eq!(
        problem(&["--mailbox-bytes", "1000", "--list-bytes", "256"]),
        "--mailbox-bytes: 1000 is too small for --max-line 4096; 8704 or more would work"
    );
    assert_eq!(
        problem(&["--mailbox-total", "128KiB"]),
        "--mailbox-total: 128KiB is too small for --mailbox-bytes 256KiB; 256KiB or more would work"
    );
    assert_eq!(
        problem(&["--input-bytes", "66000"]),
        "--input-bytes: 66000 is too small for --max-line 4096; 68KiB or more would work"
    );
    assert_eq!(
        problem(&["--out-budget", "320"]),
        "--out-budget: 320 is too small for --max-line 4096; 4352 or more would work"
    );
    assert_eq!(
        file_problem("\n\nlist_bytes = \"1MiB\""),
        "FILE:3: list_bytes: 1MiB needs more than the 256KiB of --mailbox-bytes; --mailbox-bytes \
         2MiB or more would work"
    );
}

#[test]
fn what_is_bad_in_itself_is_not_compared() {
    let lines = resolve(&["--max-line", "x", "--log-bytes", "32KiB"]).unwrap_err();
    assert_eq!(lines, ["--max-line: `x` is not a size; bytes, or KiB, MiB, GiB as in 8MiB"]);
}

#[test]
fn addresses_with_and_without_a_port() {
    let args =
        ["--listen", "::1", "--listen", "0.0.0.0", "--listen", "[::1]:7", "--listen", "[::]"];
    let listen = resolve(&args).unwrap().listen;
    let listen: Vec<_> = listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["[::1]:12345", "0.0.0.0:12345", "[::1]:7", "[::]:12345"]);
    let names = ["--listen", "localhost:0", "--listen", "[fe80::1%eth0]:7"];
    let listen = resolve(&names).unwrap().listen;
    let listen: Vec<_> = listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["localhost:0", "[fe80::1%eth0]:7"]);
    assert_eq!(
        problem(&["--listen", "::g"]),
        "--listen: `::g` is no address: `::g` is no IPv6 address; such as 127.0.0.1:12345, \
         [::1]:12345, localhost or 0.0.0.0"
    );
    for (typed, what) in [
        ("12388", "`12388` is a port; 127.0.0.1:12388 would work"),
        (":12388", "`:12388` is a port; 127.0.0.1:12388 would work"),
        ("[::1]:99999", "`99999` is no port; 0 to 65535 would work"),
    ] {
        assert_eq!(problem(&["--listen", typed]), format!("--listen: {what}"));
    }
    assert_eq!(
        problem(&["--listen", "0:0::1", "--listen", "[::1]:12345"]),
        "--listen: [::1]:12345 is given twice; once would work"
    );
    assert!(resolve(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]).is_ok());
}

#[test]
fn a_size_of_no_capture_is_refused() {
    let what = "there is no capture; --capture chat.pcapng besides would work";
    assert_eq!(problem(&["--capture-size", "1MiB"]), format!("--capture-size: {what}"));
    let both = resolve(&["--capture-size", "1MiB", "--capture", "chat.pcapng"]).unwrap();
    assert_eq!(both.capture_size, Some(1 << 20));
    let file = "capture = \"chat.pcapng\"\ncapture_size = \"1MiB\"";
    assert_eq!(resolve_file(file, &[]).unwrap(), both);
    assert!(resolve(&["--capture-size", "0"]).is_ok());
    let what = "there is one file; --capture-size 100MiB besides would work";
    let one = problem(&["--capture", "chat.pcapng", "--capture-files", "3"]);
    assert_eq!(one, format!("--capture-files: {what}"));
    let file = "capture = \"chat.pcapng\"\ncapture_size = \"1MiB\"\ncapture_files = 3";
    assert_eq!(resolve_file(file, &[]).unwrap().capture_files, Some(3));
}

#[test]
fn listen_in_a_file() {
    let of_file = |text: &str| resolve_file(text, &[]).unwrap().listen.len();
    assert_eq!(of_file("listen = \"[::1]:7\""), 1);
    assert_eq!(of_file("listen = [\"[::1]:7\", \"127.0.0.1:7\"]"), 2);
    assert_eq!(
        resolve_file("listen = [\n  \"::1\",\n  \"no where\",\n  7,\n]", &[]).unwrap_err(),
        [
            "FILE:3: listen: `no where` is no address: the host holds a space or a control \
             character; such as 127.0.0.1:12345, [::1]:12345, localhost or 0.0.0.0",
            "FILE:4: listen: an integer does not do; a string such as \"127.0.0.1:12345\", or an \
             array of them, would work",
        ]
    );
    assert!(file_problem("listen = []").contains("an empty array does not do"));
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let text = "flood_rate = 7\nflood_burst = 8\nlisten = [\"[::1]:7\", \"[::1]:8\"]";
    let settings = resolve_file(text, &["--flood-rate", "9", "--listen", "[::1]:9"]).unwrap();
    assert_eq!((settings.flood_rate, settings.flood_burst), (9, 8));
    assert_eq!(settings.listen, ["[::1]:9".parse().unwrap()]);
    assert_eq!(settings.max_line, 4096);
    let in_file = resolve_file("flood_rate = -1", &["--flood-rate", "9"]).unwrap_err();
    assert_eq!(in_file, ["FILE:1: flood_rate: -1 is out of range; 0 to 1000000 would work"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "# a comment\nflood_burst = \"many\"\nmax_lines = 80\n\nclose_timeout = 0.001\n";
    let args = ["--log-bytes", "1000000", "--listen", "ho me", "--max-line=big"];
    let expected = [
        "--listen: `ho me` is no address: the host holds a space or a control character; such as \
         127.0.0.1:12345, [::1]:12345, localhost or 0.0.0.0",
        "--max-line: `big` is not a size; bytes, or KiB, MiB, GiB as in 8MiB",
        "--log-bytes: 1000000 is not a power of two; 512KiB or 1MiB would work",
        "FILE:2: flood_burst: a string does not do; an integer would work",
        "FILE:3: max_lines: unknown key; did you mean `max_line`?",
        "FILE:5: close_timeout: 0.001 is out of range; 0.05 to 86400 seconds would work",
    ];
    assert_eq!(resolve_file(text, &args).unwrap_err(), expected);
}

#[test]
fn an_unknown_key_may_mean_a_known_one() {
    let told = file_problem("login-timeout = 3");
    assert_eq!(told, "FILE:1: login-timeout: unknown key; did you mean `login_timeout`?");
    assert!(file_problem("colour = 3").starts_with("FILE:1: colour: unknown key; `hubbub serve"));
    assert!(file_problem("[limits]\nmax_line = 80").starts_with("FILE:1: limits: unknown key"));
    assert!(file_problem("config = \"x\"").contains("config: unknown key"));
}

#[test]
fn what_is_not_toml_hides_nothing_else() {
    let text = "max_line = \nflood_rate = -1\nflood_rate = 7\nmax_lien = 1\nclose_timeout = 1";
    let lines = resolve_file(text, &["--flood-burst", "0"]).unwrap_err();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines.iter().skip(1).all(|line| line.starts_with("FILE:")), "{lines:#?}");
    assert!(file_problem("max_line = 80 80").starts_with("FILE:1: not TOML: "));
    let unclosed = "listen = [\"a b\",\nlog_bytes = 3\n";
    let lines = resolve_file(unclosed, &[]).unwrap_err();
    assert_eq!(lines.len(), 2, "one a line: {lines:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem_of_all() {
    let lines = resolve(&["--config", "/no/such/file", "--max-line", "1"]).unwrap_err();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("--config: cannot read /no/such/file: ")));
    assert!(problem(&["--config", "/"]).contains("--config: cannot read /: "));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), b"\xFF").unwrap();
    assert!(problem(&["--config", file.path().to_str().unwrap()]).contains("UTF-8"));
    fs::write(file.path(), "#".repeat((1 << 20) + 1)).unwrap();
    assert!(problem(&["--config", file.path().to_str().unwrap()]).contains("larger than 1 MiB"));
}

#[test]
fn chat_takes_a_server_with_or_without_a_port() {
    let server = |args: &[&str]| match Cli::try_parse_from([&["hubbub", "chat"], args].concat()) {
        Ok(cli) => match cli.action() {
            Action::Chat(chat) => Some((chat.name.clone(), chat.server().to_string())),
            _ => None,
        },
        Err(_) => None,
    };
    let at = |place: &str| Some((Some("Alice".to_owned()), place.to_owned()));
    assert_eq!(server(&["Alice"]), at("127.0.0.1:12345"));
    assert_eq!(server(&["Alice", "chat.example"]), at("chat.example:12345"));
    assert_eq!(server(&["Alice", "chat.example:7"]), at("chat.example:7"));
    assert_eq!(server(&["Alice", "::1"]), at("[::1]:12345"));
    assert_eq!(server(&["Alice", "[::1]:7"]), at("[::1]:7"));
    for bad in ["", ":7", "host:", "host:x", "host:70000", "host:0", "a b", "[::1", "::g"] {
        assert_eq!(server(&["Alice", bad]), None, "{bad}");
    }
    assert_eq!(server(&[]), Some((None, "127.0.0.1:12345".to_owned())));
    assert_eq!(server(&["--server", "::1"]), Some((None, "[::1]:12345".to_owned())));
    assert_eq!(server(&["Alice", "--server", "h:1"]), at("h:1"));
    assert_eq!(server(&["Alice", "h:1", "--server", "h:2"]), None, "two servers");
    assert_eq!(server(&["Alice", "--no-times", "--time-format", "%H"]), None);
    assert_eq!(server(&["Alice", "--time-format", "%!"]), None);
}

proptest! {
    #[test]
    fn no_file_panics_and_every_problem_is_one_line(text in "[\\x00-\\x7fé]{0,80}") {
        for (_, what) in file::parse(&text).problems {
            prop_assert!(!what.chars().any(char::is_control), "{what:?}");
        }
    }

    #[test]
    fn no_value_panics_and_every_problem_is_one_line(text in "\\PC{0,9}[\\x00-\\x7f]{0,9}") {
        for setting in setting::ALL {
            let flag = format!("--{}={text}", setting.flag);
            for what in resolve(&[&flag]).err().unwrap_or_default() {
                prop_assert!(!what.chars().any(char::is_control), "{what:?}");
            }
        }
    }

    #[test]
    fn what_is_taken_holds_what_it_promises(
        max_line in 0_usize..70_000,
        log in 0_u32..40,
        mailbox in 0_usize..1 << 20,
        list in 0_usize..1 << 20,
    ) {
        let [max_line, log, mailbox, list] =
            [max_line, 1 << log, mailbox, list].map(|number: usize| number.to_string());
        let args = ["--max-line", &max_line, "--log-bytes", &log, "--mailbox-bytes", &mailbox];
        if let Ok(settings) = resolve(&[&args[..], &["--list-bytes", &list]].concat()) {
            let line = settings.server_line();
            prop_assert!((64..=65_536).contains(&settings.max_line));
            prop_assert!(settings.log_bytes >= 64 * line && settings.log_bytes.is_power_of_two());
            prop_assert!(settings.mailbox_bytes >= 2 * line.max(settings.list_bytes));
            prop_assert!(settings.out_budget >= line);
        }
    }
}
