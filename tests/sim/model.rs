//! The model: evenings that proptest makes up and shrinks, against the reference chat.

use proptest::prelude::*;

use crate::bodies::net::{Evening, NAMES, Operation};

fn operation() -> impl Strategy<Value = Operation> {
    let who = 0..8_u8;
    let text = prop_oneof!["[a-z ]{1,12}", "\\PC{0,20}", "[\u{1b}\u{202e}\t\r a-z]{0,20}"];
    let bytes = prop::collection::vec(prop::sample::select(&b"al @\r\n\xff\xd7\x90x"[..]), 0..100);
    prop_oneof![
        4 => Just(Operation::Connect),
        6 => (who.clone(), 0..NAMES.len()).prop_map(|(who, name)| {
            Operation::Name(who, u8::try_from(name).unwrap_or_default())
        }),
        8 => (who.clone(), text.clone()).prop_map(|(who, text)| Operation::All(who, text)),
        6 => (who.clone(), 0..8_u8, text).prop_map(|(who, to, text)| {
            Operation::Private(who, to, text)
        }),
        2 => who.clone().prop_map(Operation::List),
        1 => who.clone().prop_map(Operation::Quit),
        4 => (who.clone(), bytes).prop_map(|(who, bytes)| Operation::Raw(who, bytes)),
        1 => who.clone().prop_map(Operation::End),
        1 => who.clone().prop_map(Operation::Reset),
        2 => who.clone().prop_map(Operation::StopReading),
        3 => who.prop_map(Operation::Read),
        2 => (0..30_u8).prop_map(Operation::Pass),
        1 => Just(Operation::Pass(255)),
        2 => any::<(u8, u8, u8, u8)>().prop_map(|(a, b, c, d)| Operation::Faults(a, b, c, d)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(
            prop::test_runner::FileFailurePersistence::Direct("proptest-regressions/sim-model.txt"),
        )),
        ..ProptestConfig::default()
    })]

    #[test]
    fn everyone_hears_what_the_reference_says(
        seed in any::<u64>(),
        operations in prop::collection::vec(operation(), 1..80),
        shut_down in any::<bool>(),
    ) {
        let mut evening = Evening::new(seed);
        for operation in &operations {
            evening.does(operation);
        }
        if shut_down {
            evening.does(&Operation::ShutDown);
        }
        evening.check();
    }
}
