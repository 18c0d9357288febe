//! A whole evening, as it would be: forty people come to the real server over real sockets from
//! three kinds of client, talk in their scripts, whisper, and leave in every way there is. What
//! each of them reads, from the first line to the end of the stream, is compared line by line.
//!
//! * [`script`]: the evening as it is written, and its parser.
//! * [`model`]: what everyone has to read, worked out from the script alone.
//! * [`people`]: the clients.
//!
//! The order is exact without a single sleep: whatever a step makes anyone read is read by all of
//! them before the next step is taken.

mod model;
mod people;
mod script;

use std::collections::BTreeMap;

use rustix::process::Signal;

use crate::support::{Client, ENTER_NAME, Server, lacks};
use model::Model;
use people::Person;
use script::{Kind, Step, Way};

/// How many come with each kind of client.
const KINDS: [(Kind, usize); 4] =
    [(Kind::Nc, 13), (Kind::Raw, 15), (Kind::Screen, 8), (Kind::Pipe, 4)];

/// The fewest lines that are typed.
const MIN_LINES: usize = 150;

#[test]
fn forty_people_spend_an_evening_and_each_reads_exactly_their_lines() {
    let mut server = Server::start("--login-timeout 4 --announce-rate 0");
    // Two who never say who they are: one is silent, the other goes silent within a name.
    let mut silent = [server.connect(), server.connect()];
    silent[1].send_bytes("יוס".as_bytes());
    let steps = script::steps();
    assert_it_is_what_was_asked_for(&steps);
    let people = BTreeMap::new();
    let mut evening = Evening { people, silent: silent.into(), model: Model::default() };
    for (number, step) in steps.iter().enumerate() {
        println!("{number}: {step:?}");
        evening.play(&mut server, step);
    }
    assert!(evening.people.is_empty(), "everybody has gone home");
}

struct Evening {
    people: BTreeMap<String, Person>,
    /// Those who have no name.
    silent: Vec<Client>,
    model: Model,
}

impl Evening {
    /// Takes a step, and waits until everyone has read of it.
    fn play(&mut self, server: &mut Server, step: &Step) {
        match step {
            Step::Join { kind, names } => {
                let kind = available(*kind);
                let name = self.model.join(names);
                if kind == Kind::Screen {
                    // The client asks who is here by itself.
                    self.model.line(&name, "list");
                }
                self.people.insert(name.clone(), Person::join(kind, names, server.address()));
            }
            Step::Type { who, text } => {
                self.person(who).enter(text);
                let on_screen = self.person(who).is_at_a_screen();
                for line in text.lines() {
                    if on_screen {
                        self.model.line_on_screen(who, line);
                    } else {
                        self.model.line(who, line);
                    }
                }
            }
            Step::Leave { who, way } => {
                self.person(who).leave(*way);
                self.model.leave(who);
            }
            Step::ShutDown => {
                self.silent.drain(..).for_each(expect_login_timeout);
                server.signal(Signal::TERM);
                self.model.shut_down();
            }
        }
        for (name, person) in &mut self.people {
            person.hear(self.model.heard(name));
        }
        self.see_off();
        if *step == Step::ShutDown {
            assert!(server.await_exit().success());
        }
    }

    fn person(&mut self, name: &str) -> &mut Person {
        self.people.get_mut(name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    /// Whoever has left reads their stream to its end: there is nothing more in it.
    fn see_off(&mut self) {
        let gone: Vec<String> =
            self.people.keys().filter(|name| !self.model.is_here(name)).cloned().collect();
        for name in gone {
            let person = self.people.remove(&name).expect("it was here");
            person.finish(self.model.heard(&name));
        }
    }
}

/// The script keeps the promises of this page.
fn assert_it_is_what_was_asked_for(steps: &[Step]) {
    for (kind, wanted) in KINDS {
        let join = |step: &&Step| matches!(step, Step::Join { kind: k, .. } if *k == kind);
        assert_eq!(steps.iter().filter(join).count(), wanted, "{kind:?}");
    }
    let typed =
        |step: &Step| if let Step::Type { text, .. } = step { text.lines().count() } else { 0 };
    let lines: usize = steps.iter().map(typed).sum();
    assert!(lines >= MIN_LINES, "{lines} lines");
    for way in Way::ALL {
        let left = |step: &Step| matches!(step, Step::Leave { way: w, .. } if *w == way);
        assert!(steps.iter().any(left), "nobody leaves by {way:?}");
    }
}

/// Without nc, those who would use it speak over a socket of the test.
fn available(kind: Kind) -> Kind {
    if kind == Kind::Nc && lacks("nc") { Kind::Raw } else { kind }
}

fn expect_login_timeout(mut client: Client) {
    client.expect(ENTER_NAME);
    client.expect("[SERVER] You took too long to enter a name. Goodbye.");
    client.expect_end();
}
