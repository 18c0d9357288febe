//! The model: a state machine that knows the town makes up evenings in which everyone has a reason
//! for what it does, and shrinks those that fail.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::bodies::model::State;
use crate::bodies::net::{Stage, play};
use crate::bodies::town::{Operation, Town};

/// When every evening begins.
const START: Duration = Duration::from_secs(1000);

/// What may happen next in a town, and what it leads to.
struct Evenings;

/// A town, and the seed of the world that the server is in.
#[derive(Clone, Debug)]
struct Evening {
    seed: u64,
    town: Town,
}

impl ReferenceStateMachine for Evenings {
    type State = Evening;
    type Transition = Operation;

    fn init_state() -> BoxedStrategy<Evening> {
        any::<u64>().prop_map(|seed| Evening { seed, town: Town::new(START) }).boxed()
    }

    fn transitions(Evening { town, .. }: &Evening) -> BoxedStrategy<Operation> {
        let mut may = vec![
            (2, (0..30_u8).prop_map(Operation::Pass).boxed()),
            (1, Just(Operation::Pass(255)).boxed()),
            (1, any::<(u8, u8, u8)>().prop_map(|(a, b, c)| Operation::Faults(a, b, c, 0)).boxed()),
        ];
        if town.is_open() {
            let eagerness = if town.guests.len() < 4 { 20 } else { 3 };
            may.push((eagerness, Just(Operation::Connect).boxed()));
        }
        if !town.guests.is_empty() && !town.over {
            may.push((1, Just(Operation::ShutDown).boxed()));
        }
        let newcomers = town.who(|guest, state| guest.sends && *state == State::Newcomer);
        if !newcomers.is_empty() {
            may.push((20, names_itself(newcomers)));
        }
        let present = town.who(|guest, state| guest.sends && matches!(state, State::Present(_)));
        if !present.is_empty() {
            may.push((40, talks(present)));
        }
        let senders = town.who(|guest, _| guest.sends);
        if !senders.is_empty() {
            may.push((10, sends_anything(senders.clone())));
            may.push((2, select(senders.clone()).prop_map(Operation::End).boxed()));
            may.push((2, select(senders).prop_map(Operation::Reset).boxed()));
        }
        let readers = town.who(|guest, _| guest.reads);
        if !readers.is_empty() {
            may.push((3, select(readers).prop_map(Operation::StopReading).boxed()));
        }
        let stalled = town.who(|guest, _| !guest.reads);
        if !stalled.is_empty() {
            may.push((6, select(stalled).prop_map(Operation::Read).boxed()));
        }
        prop::strategy::Union::new_weighted(may).boxed()
    }

    fn preconditions(Evening { town, .. }: &Evening, operation: &Operation) -> bool {
        match operation {
            Operation::Connect => town.is_open(),
            Operation::ShutDown => !town.over,
            Operation::Pass(_) | Operation::Faults(..) => true,
            Operation::StopReading(who) | Operation::Read(who) => town.guest(*who).is_some(),
            Operation::End(who) | Operation::Reset(who) => town.sender(*who).is_some(),
            line => line.sends().is_some_and(|(who, _)| town.sender(who).is_some()),
        }
    }

    fn apply(mut evening: Evening, operation: &Operation) -> Evening {
        evening.town.does(operation);
        evening
    }
}

fn names_itself(who: Vec<u8>) -> BoxedStrategy<Operation> {
    (select(who), any::<u8>()).prop_map(|(who, name)| Operation::Name(who, name)).boxed()
}

fn talks(who: Vec<u8>) -> BoxedStrategy<Operation> {
    let text = prop_oneof!["[a-z ]{1,12}", "\\PC{0,20}", "[\u{1b}\u{202e}\t\r a-z]{0,20}"];
    let (who, name) = (select(who), any::<u8>());
    prop_oneof![
        4 => (who.clone(), text.clone()).prop_map(|(who, text)| Operation::All(who, text)),
        3 => (who.clone(), name, text).prop_map(|(who, to, text)| {
            Operation::Private(who, to, text)
        }),
        2 => who.clone().prop_map(Operation::List),
        1 => who.prop_map(Operation::Quit),
    ]
    .boxed()
}

/// Lines cut anywhere, lines that are too long, and bytes that are no text.
fn sends_anything(who: Vec<u8>) -> BoxedStrategy<Operation> {
    let pieces = select(vec!["all ", "@Ann ", "list", "x", "\n", "\r\n", "\n\n", "ש", "\u{feff}"]);
    let split = prop::collection::vec(pieces, 1..4).prop_map(|pieces| pieces.concat().into());
    let bytes = select(&b"al @\r\n\xff\xd7\x90x"[..]);
    let telnet = select(&b"a \xff\xfa\xfb\xfd\xfe\xf0\xf4\xf7\x06\0\r\n\x08\x7f"[..]);
    let any = prop_oneof![
        3 => split,
        1 => prop::collection::vec(bytes, 0..100),
        1 => prop::collection::vec(telnet, 0..20),
    ];
    (select(who), any).prop_map(|(who, bytes)| Operation::Raw(who, bytes)).boxed()
}

impl StateMachineTest for Evenings {
    type SystemUnderTest = Stage;
    type Reference = Self;

    fn init_test(evening: &Evening) -> Stage {
        Stage::new(evening.seed, START)
    }

    fn apply(mut stage: Stage, evening: &Evening, operation: Operation) -> Stage {
        match operation {
            Operation::Connect => {
                stage.connect();
            }
            _ => stage.does(&operation, &evening.town),
        }
        stage.check(&evening.town);
        stage
    }

    fn teardown(stage: Stage, evening: Evening) {
        stage.check_all(&evening.town);
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(
            FileFailurePersistence::Direct("proptest-regressions/sim-model.txt"),
        )),
        max_shrink_iters: 4096,
        ..ProptestConfig::default()
    })]

    #[test]
    fn everyone_hears_what_the_reference_says(sequential 1..80 => Evenings);
}

/// Evenings that an earlier form of the model made up, and failed at.
#[test]
fn evenings_that_once_failed() {
    use Operation::{Connect, Faults, Pass, ShutDown, StopReading};
    // Events without a reason in nearly every turn: the clock of the world stood still.
    let mut restless = vec![Connect; 5];
    restless.extend([Faults(0, 0, 59, 0), Connect, Pass(19)]);
    play(0, &restless);
    // Whoever reads nothing until the grace is over has heard a beginning only.
    play(114_506_659_144, &[Connect, Connect, StopReading(0), Pass(255), Pass(255), ShutDown]);
}
