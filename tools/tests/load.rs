//! `tools load` as a process: against the server, against the floor, and against servers that do
//! what no server may.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;

/// Runs `tools load` with these words.
fn load(words: &str) -> Assert {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command.arg("load").args(words.split_whitespace()).assert()
}

/// What `tools load --json` prints.
fn json(words: &str) -> Value {
    let output = load(&format!("{words} --json")).success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

/// The medians of one side.
fn medians(report: &Value, side: usize) -> &Value {
    &report["sides"][side]["medians"]
}

/// A number of one side.
#[track_caller]
fn number(report: &Value, side: usize, metric: &str) -> f64 {
    let value = medians(report, side)[metric].as_f64();
    value.unwrap_or_else(|| panic!("no {metric} in {report:#}"))
}

#[track_caller]
fn assert_counts(report: &Value, side: usize, counts: &[(&str, f64)]) {
    for &(metric, expected) in counts {
        let found = number(report, side, metric);
        assert!((found - expected).abs() < 1e-9, "{metric}: {found} and not {expected}");
    }
}

fn stderr_of(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_fanout_reaches_everyone() {
    let report = json("fanout --senders 3 --receivers 17 --count 40 --window 5");
    let counts = [("clients", 20.0), ("messages", 120.0), ("deliveries", 2400.0)];
    assert_counts(&report, 0, &counts);
    let quantiles = ["latency_p50", "latency_p99", "latency_p999"];
    let latency = quantiles.map(|metric| number(&report, 0, metric));
    assert!(latency[0] > 0.0 && latency.is_sorted(), "{latency:?}");
    for metric in ["delivery_rate", "seconds", "server_cpu", "load_cpu", "memory_per_client"] {
        assert!(number(&report, 0, metric) >= 0.0);
    }
    assert!(number(&report, 0, "cpu_per_delivery") > 0.0);
    assert!(report.get("ratios").is_none(), "there is nothing to compare");
}

#[test]
fn a_whisper_reaches_one() {
    let report = json("whisper --pairs 5 --idle 20 --count 30");
    let counts = [("clients", 30.0), ("messages", 300.0), ("deliveries", 300.0)];
    assert_counts(&report, 0, &counts);
    assert!(number(&report, 0, "whisper_p99") > 0.0);
    assert!(medians(&report, 0).get("latency_p99").is_none(), "nobody talks to everyone");
}

#[test]
fn both_at_once() {
    let report = json("fanout --senders 2 --pairs 3 --receivers 4 --count 20 --size 500");
    assert_counts(&report, 0, &[("messages", 160.0), ("deliveries", 2.0 * 20.0 * 12.0 + 120.0)]);
    assert!(number(&report, 0, "latency_p99") > 0.0 && number(&report, 0, "whisper_p99") > 0.0);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn the_idle_are_there_and_cost_memory() {
    let report = json("idle --receivers 300 --seconds 0.1");
    assert_counts(&report, 0, &[("clients", 300.0)]);
    assert!(number(&report, 0, "cpu_per_login") > 0.0);
    assert!(number(&report, 0, "memory_per_client") > 0.0);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_churn_leaves_no_descriptor_behind() {
    let report = json("churn --window 20 --count 300");
    assert_counts(&report, 0, &[("visits", 300.0)]);
    let before = number(&report, 0, "descriptors_before");
    assert_counts(&report, 0, &[("descriptors_after", before)]);
    assert!(number(&report, 0, "cpu_per_visit") > 0.0 && number(&report, 0, "visit_p50") > 0.0);
}

#[test]
fn a_storm_in_a_window_and_without() {
    let report = json(
        "storm --senders 30 --window 0 --receive-buffer 8192 --count 30 --rounds 1 \
         --versus=--window=4",
    );
    for side in [0, 1] {
        assert_counts(&report, side, &[("messages", 900.0), ("deliveries", 27_000.0)]);
    }
    assert!(report["ratios"]["delivery_rate"]["median"].as_f64().unwrap() > 0.0);
}

#[test]
fn those_who_do_not_read_count_for_nothing() {
    let report = json("stalled --senders 2 --receivers 8 --stalled 3 --count 50");
    assert_counts(&report, 0, &[("clients", 13.0), ("deliveries", 1000.0)]);
}

#[test]
fn the_floor_delivers_the_same_and_is_compared() {
    for (words, metric) in [
        ("fanout --senders 2 --receivers 8 --count 50", "deliveries"),
        ("whisper --pairs 3 --count 50", "deliveries"),
        ("churn --window 8 --count 50", "visits"),
    ] {
        let report = json(&format!("{words} --floor --rounds 2"));
        assert_eq!(report["sides"][1]["label"], "floor");
        assert_eq!(report["sides"][1]["rounds"].as_array().unwrap().len(), 2);
        assert_counts(&report, 1, &[(metric, number(&report, 0, metric))]);
        let ratio = &report["ratios"][metric];
        assert_eq!(
            (&ratio["min"], &ratio["median"], &ratio["max"]),
            (&1.0.into(), &1.0.into(), &1.0.into())
        );
    }
}

#[test]
fn the_table_has_a_column_for_each_side_and_the_ratio() {
    let words = "fanout --senders 1 --receivers 2 --count 10 --floor --rounds 2";
    let output = load(words).success().get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(text.contains("hubbub --flood-rate 0\n"), "{text}");
    assert!(text.contains("2 rounds, turn about\n"), "{text}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let find = |word: &str| text.lines().find(|line| line.contains(word)).map(words).unwrap();
    assert_eq!(find(" ratio "), ["hubbub", "floor", "ratio", "min", "max"]);
    assert_eq!(find("deliveries "), ["deliveries", "30", "30", "1.000", "1.000", "1.000"]);
}

#[test]
fn versus_changes_what_it_names_and_nothing_else() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command
        .args(["load", "whisper", "--pairs", "2", "--idle", "9", "--count", "5", "--rounds", "1"]);
    command.args(["--json", "--versus", "--idle 0 -- --flush-slice 0"]);
    let output = command.assert().success().get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(report["sides"][1]["label"], "--idle 0 -- --flush-slice 0");
    assert_counts(&report, 0, &[("clients", 13.0), ("deliveries", 20.0)]);
    assert_counts(&report, 1, &[("clients", 4.0), ("deliveries", 20.0)]);
}

#[test]
fn what_cannot_be_meant_is_told() {
    for (words, told) in [
        ("", "<SCENARIO>"),
        ("dance", "possible values: fanout, whisper, idle, churn, storm, stalled"),
        ("fanout --senders 0", "nobody talks; try --senders or --pairs"),
        ("fanout --size 33", "--size 33 is not from 34 to 60000"),
        ("fanout --window 70000", "--window 70000 is too wide; at most 65536"),
        ("fanout --receivers 4000000", "4000010 clients are too many; 1000000 are the most"),
        ("fanout --receive-buffer 9", "--receive-buffer 9 is not from 4096 to 67108864"),
        ("fanout --count 0", "--count 0 is nothing to measure"),
        ("fanout --count 1 --seconds 1", "cannot be used with"),
        ("fanout --seconds 0", "not from 0.05 to 86400 seconds"),
        ("idle --senders 1", "in idle nobody talks"),
        ("churn --window 0", "churn needs a --window"),
        ("fanout --floor --versus=--relay", "cannot be used with"),
        ("fanout --versus=--nonsense", "unexpected argument '--nonsense'"),
        ("fanout --versus=\"", "--versus holds a quotation mark without its other half"),
        ("fanout --relay -- --flush-slice 0", "the floor takes no flags"),
        ("storm --window 0 --floor", "the floor holds nobody back"),
        ("fanout --pairs 1 --floor", "to everyone or to pairs, not both"),
        ("fanout --pid 1", "--connect"),
        ("fanout --protocol nats", "--connect"),
        ("fanout --connect 127.0.0.1:1 --protocol smtp", "possible values: hubbub, redis, nats"),
        ("storm --connect 127.0.0.1:1 --protocol nats", "try fanout --senders 1"),
        ("whisper --connect 127.0.0.1:1 --protocol nats", "with nats, fanout, storm and idle"),
        ("storm --window 0 --connect 127.0.0.1:1 --protocol redis", "redis drops who reads too"),
    ] {
        let assert = load(words).code(2);
        let stderr = stderr_of(&assert);
        assert!(stderr.contains(told), "{words}: {stderr}");
    }
}

#[test]
fn what_does_not_start_is_told() {
    for (words, told) in [
        ("fanout --program /nonexistent", "cannot start /nonexistent"),
        ("fanout -- --nonsense", "did not say where it listens"),
        ("fanout -- --max-clients 1000", "it has room for 1000"),
    ] {
        let assert = load(words).code(1);
        let stderr = stderr_of(&assert);
        assert!(stderr.contains(told), "{words}: {stderr}");
    }
}

#[test]
fn missing_descriptors_are_counted() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100 && exec \"$0\" load idle --receivers 200"]);
    let assert = command.arg(env!("CARGO_BIN_EXE_tools")).assert().code(1);
    let stderr = stderr_of(&assert);
    assert!(stderr.contains("200 clients take 232 descriptors"), "{stderr}");
    assert!(stderr.contains("132 are missing"), "{stderr}");
}

/// What a server makes of a message: its number and the line that is due for it.
type Deliver = fn(usize, &str) -> String;

/// A server for one client.
fn server(deliver: Deliver) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move |mut socket: TcpStream| {
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let name = lines.next().unwrap().unwrap();
        let commands = "Commands: @Name text, all text, list, help, quit";
        writeln!(socket, "[SERVER] Enter your name:\n[SERVER] Welcome {name}! {commands}").unwrap();
        for (number, line) in lines.map_while(Result::ok).enumerate() {
            let line = format!("[{name}]: {}\n", line.strip_prefix("all ").unwrap());
            match deliver(number, &line) {
                text if text == "close" => break,
                text => socket.write_all(text.as_bytes()).unwrap(),
            }
        }
    };
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    address
}

#[test]
fn a_server_that_delivers_badly_fails_the_load() {
    let well = server(|_, line| line.to_owned());
    let words = "fanout --senders 1 --receivers 0 --count 3 --connect";
    load(&format!("{words} {well}")).success();
    let faults: [(Deliver, &str); 5] = [
        (|number, line| line.repeat(number + 1), "c0 read message 1 of c0 again"),
        (
            |number, line| if number == 1 { String::new() } else { line.to_owned() },
            "c0 read message 2 of c0 where message 1 was due",
        ),
        (|_, line| line.replace("..", ".!"), "c0 read what no client of this load has sent"),
        (
            |_, _| "[SERVER] Server is shutting down.\n".to_owned(),
            "c0 was told: [SERVER] Server is",
        ),
        (|_, _| "close".to_owned(), "c0 was thrown out while it read"),
    ];
    for (fault, told) in faults {
        let assert = load(&format!("{words} {}", server(fault))).code(1);
        let stderr = stderr_of(&assert);
        assert!(stderr.contains(told), "{stderr}");
    }
}

/// What a server of others says to a line of its client, and to what belongs to that.
type Answer = fn(&str, &mut dyn Iterator<Item = String>) -> String;

fn answer_as_redis(line: &str, more: &mut dyn Iterator<Item = String>) -> String {
    match line {
        "HELLO 3" => "%1\r\n$5\r\nproto\r\n:3\r\n".to_owned(),
        "SUBSCRIBE chat" => ">3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n".to_owned(),
        "PING subscribed" => "$10\r\nsubscribed\r\n".to_owned(),
        "*3" => {
            let sent: Vec<String> = more.take(6).collect();
            assert_eq!(sent[..4], ["$7", "PUBLISH", "$4", "chat"]);
            assert_eq!(sent[4], format!("${}", sent[5].len()));
            let (length, text) = (&sent[4], &sent[5]);
            format!(":1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n{length}\r\n{text}\r\n")
        }
        line => format!("-ERR {line}\r\n"),
    }
}

fn answer_as_nats(line: &str, more: &mut dyn Iterator<Item = String>) -> String {
    match line.split_once(' ') {
        Some(("CONNECT", _)) => "INFO {}\r\n".to_owned(),
        Some(("SUB", "chat 1")) => String::new(),
        Some(("PUB", place)) => {
            let text = more.next().unwrap();
            assert_eq!(place, format!("chat {}", text.len()));
            format!("PING\r\nMSG chat 1 {}\r\n{text}\r\n", text.len())
        }
        None if line == "PING" => "PONG\r\n".to_owned(),
        _ => format!("-ERR {line}\r\n"),
    }
}

#[test]
fn the_same_load_on_servers_of_others() {
    let servers: [(&str, Answer); 2] = [("redis", answer_as_redis), ("nats", answer_as_nats)];
    for (protocol, answer) in servers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move |mut socket: TcpStream| {
            let lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let mut lines = lines.map_while(Result::ok);
            while let Some(line) = lines.next() {
                socket.write_all(answer(&line, &mut lines).as_bytes()).unwrap();
            }
        };
        thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
        let words = "fanout --senders 1 --receivers 0 --count 50 --connect";
        let report = json(&format!("{words} {address} --protocol {protocol}"));
        assert_counts(&report, 0, &[("messages", 50.0), ("deliveries", 50.0)]);
    }
}
