//! A name: what is accepted keeps every promise, both keys are idempotent, and nobody gets near a
//! reserved word.

use hubbub::name::{Folded, LookAlike, MAX_SCALARS, Name, RESERVED};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.chars().count() <= 2 * MAX_SCALARS {
        let folded = Folded::of(text);
        assert_eq!(Folded::of(folded.as_str()), folded, "{text:?}");
        let look = LookAlike::of(text);
        assert_eq!(LookAlike::of(look.as_str()), look, "{text:?}");
    }
    let Ok(name) = Name::parse(text) else { return };
    assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
    assert!((1..=MAX_SCALARS).contains(&name.as_str().chars().count()));
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "[]:@,".contains(c);
    assert!(!name.as_str().contains(forbidden), "{name:?}");
    for word in RESERVED {
        assert_ne!(name.folded(), Folded::of(word), "{name:?}");
        assert_ne!(name.look_alike(), LookAlike::of(word), "{name:?}");
    }
}
