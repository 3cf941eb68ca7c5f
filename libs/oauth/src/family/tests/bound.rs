//! Tokens that are bound to a key (RFC 9449).

use std::collections::BTreeSet;

use super::world::{VERIFIER, World};
use crate::{Code, Demand};

const ONE: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const OTHER: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

// B12.key
#[test]
fn tokens_need_the_key_that_was_shown_for_them() {
    for confidential in [true, false] {
        let mut world = World::new();
        if !confidential {
            world.client.secret = None;
        }
        world.key = Some(ONE);
        let first = world.exchange(VERIFIER).unwrap();
        assert!(first.bound);
        assert_eq!(world.family.as_ref().and_then(|family| family.key()), Some(ONE));
        world.key = None;
        assert_eq!(world.refresh(&first).unwrap_err().code, Code::InvalidDpopProof);
        world.key = Some(OTHER);
        let changed = world.clone().refresh(&first);
        if confidential {
            // It has shown who it is: the key is its own to change.
            assert!(changed.unwrap().bound);
        } else {
            assert_eq!(changed.unwrap_err().code, Code::InvalidGrant, "a thief with another key");
        }
        world.key = Some(ONE);
        assert!(world.refresh(&first).unwrap().bound, "what was refused has not used it up");
    }
}

#[test]
fn an_answer_is_not_given_again_for_another_key() {
    let mut world = World::new();
    world.key = Some(ONE);
    let first = world.exchange(VERIFIER).unwrap();
    let second = world.refresh(&first).unwrap();
    assert_eq!(world.clone().refresh(&first).unwrap(), second, "the same answer");
    world.key = Some(OTHER);
    let third = world.refresh(&first).unwrap();
    assert_ne!(third, second);
    assert_eq!(world.family.as_ref().and_then(|family| family.key()), Some(OTHER));
}

#[test]
fn a_code_can_say_which_key_goes_with_it() {
    let mut world = World::with(Some(super::world::CHALLENGE), &format!("&dpop_jkt={ONE}"));
    for wrong in [None, Some(OTHER)] {
        world.key = wrong;
        assert!(world.exchange(VERIFIER).is_err(), "{wrong:?}");
    }
    world.key = Some(ONE);
    assert!(world.exchange(VERIFIER).unwrap().bound);
}

#[test]
fn a_client_can_be_held_to_it() {
    let mut world = World::new();
    world.client.demands = BTreeSet::from([Demand::BoundTokens]);
    assert_eq!(world.exchange(VERIFIER).unwrap_err().code, Code::InvalidDpopProof);
    world.key = Some(ONE);
    assert!(world.exchange(VERIFIER).unwrap().bound);
}
