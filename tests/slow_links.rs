//! Readers behind a slow link, between two network namespaces: whoever reads what comes is never
//! dropped, however much the others say.

use std::thread;

use crate::support::{Client, Launch, Link, lacks, skip};

/// How many lines are said, of a thousand bytes each: sixteen times what the log holds.
const LINES: usize = 4000;

/// A server on the far host of a link: so many victims read through the link, and so many quick
/// readers beside the server, where the talker is, too.
fn readers_behind_a_slow_link_read_every_line(victims: usize, quick: usize) {
    if lacks("ip") || lacks("tc") {
        return;
    }
    let link = match Link::shaped(&format!("{}mbit", 10 * victims)) {
        Ok(link) => link,
        Err(why) => return skip(&why),
    };
    let server = Launch::new("--max-line 1024 --log-bytes 256KiB --announce-up-to 0")
        .listen(&[&format!("{}:0", Link::FAR)])
        .through(link.on_far_host())
        .start();
    let join = |name: String| {
        let mut client = Client::connect(server.address());
        client.login(&name);
        client
    };
    let victims = (0..victims).map(|n| link.near(|| join(format!("victim{n}"))));
    let quick = (0..quick).map(|n| link.far(|| join(format!("quick{n}"))));
    let readers: Vec<Client> = victims.chain(quick).collect();
    let mut talker = link.far(|| join("Talker".to_owned()));
    let said: Vec<String> =
        (0..LINES).map(|number| format!("{number:04} {}", "x".repeat(1000))).collect();
    thread::scope(|scope| {
        for mut reader in readers {
            let said = &said;
            scope.spawn(move || hear(&mut reader, said));
        }
        // The talker waits for nobody but itself.
        for lines in said.chunks(20) {
            for line in lines {
                talker.send(&format!("all {line}"));
            }
            hear(&mut talker, lines);
        }
    });
    for counter in ["lapped", "too_slow", "stalled", "failed"] {
        assert_eq!(server.counter(counter), 0, "{counter}");
    }
    assert!(server.counter("holds") > 0, "the talker has waited");
}

/// Reads these lines of the talker, in their order. Notices of who is here may come between.
fn hear(reader: &mut Client, said: &[String]) {
    for text in said {
        let mut line = reader.line();
        while line.starts_with("[SERVER] ") {
            line = reader.line();
        }
        assert_eq!(line, format!("[Talker]: {text}"));
    }
}

#[test]
fn a_reader_behind_a_slow_link_reads_every_line_with_few_quick_readers_beside() {
    readers_behind_a_slow_link_read_every_line(2, 1);
}

#[test]
fn a_reader_behind_a_slow_link_reads_every_line_with_many_quick_readers_beside() {
    readers_behind_a_slow_link_read_every_line(1, 30);
}
