//! What becomes of codes and tokens, honest clients and thieves.

mod bound;
mod world;

use jiff::{SignedDuration, ToSpan as _};
use openframe_tokens::opaque::{Purpose, read};
use proptest::prelude::*;

use super::refresh::{RETRIES, SAME_ANSWER};
use super::*;
use crate::Code as Refused;
use world::{VERIFIER, World};

// ASVS 10.4.2
// B05.again
#[test]
fn a_code_becomes_tokens_once() {
    let mut world = World::new();
    let issued = world.exchange(VERIFIER).unwrap();
    assert!(issued.about.is_some());
    assert_eq!(issued.expires, world.now + ACCESS_LIFETIME);
    assert!(world.reaches(&issued.access));
    assert_eq!(world.exchange(VERIFIER).unwrap_err().code, Refused::InvalidGrant);
    assert_eq!(world.noted, [Noted::Opened, Noted::CodeReplayed]);
    assert!(!world.reaches(&issued.access), "the tokens of the first use are dead");
}

// B05.second, B05.later
#[test]
fn a_code_that_comes_again_later_ends_what_came_of_it() {
    for seconds in [1, 30, 59, 60, 300] {
        let mut world = World::new();
        let issued = world.exchange(VERIFIER).unwrap();
        world.wait(SignedDuration::from_secs(seconds));
        assert!(world.reaches(&issued.access));
        let again = world.exchange(VERIFIER).unwrap_err();
        assert_eq!(again.code, Refused::InvalidGrant, "after {seconds} s");
        assert!(!world.reaches(&issued.access), "after {seconds} s");
        assert!(world.refresh(&issued).is_err(), "after {seconds} s");
    }
}

// ASVS 10.4.6
// B03.absent, B03.wrong, B03.short, B05.client, B05.redirect
#[test]
fn a_code_is_worth_nothing_without_all_that_goes_with_it() {
    let other_verifier = "b".repeat(43);
    let mut world = World::new();
    for verifier in [None, Some("short"), Some(&*other_verifier)] {
        assert!(world.exchange_with(verifier, Some(world::REDIRECT)).is_err(), "{verifier:?}");
    }
    for redirect in [None, Some("https://app.example.org/other")] {
        assert!(world.exchange_with(Some(VERIFIER), redirect).is_err(), "{redirect:?}");
    }
    let own = world.client.id;
    world.client.id = ClientId::new();
    assert!(world.exchange(VERIFIER).is_err(), "another client");
    world.client.id = own;
    assert!(world.exchange(VERIFIER).is_ok(), "what was refused has not used it up");
}

// B03.unasked
#[test]
fn a_verifier_for_a_code_without_a_challenge_is_refused() {
    let mut world = World::with_challenge(None);
    assert!(world.exchange(VERIFIER).is_err());
    assert!(world.exchange_with(None, Some(world::REDIRECT)).is_ok());
}

// ASVS 10.4.3
// B05.expired
#[test]
fn a_code_lives_a_minute() {
    let mut world = World::new();
    world.wait(CODE_LIFETIME - SignedDuration::from_millis(1));
    assert!(world.clone().exchange(VERIFIER).is_ok());
    world.wait(SignedDuration::from_millis(1));
    assert!(world.exchange(VERIFIER).is_err());
}

// ASVS 10.4.8
// B11.absolute
#[test]
fn tokens_end_in_time() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    world.wait(ACCESS_LIFETIME);
    assert!(!world.reaches(&first.access));
    let second = world.refresh(&first).unwrap();
    world.wait(IDLE_LIFETIME);
    assert!(world.refresh(&second).is_err(), "nobody has used it for too long");
    let mut world = World::new();
    let mut newest = world.exchange(VERIFIER).unwrap();
    let end = world.now + CONFIDENTIAL_LIFETIME;
    while world.now + 240.hours() < end {
        world.wait(SignedDuration::from_hours(240));
        newest = world.refresh(&newest).unwrap();
    }
    world.now = end;
    assert!(world.refresh(&newest).is_err(), "a family ends, however often it is used");
}

// ASVS 10.4.8
// B11.absolute
#[test]
fn what_is_over_answers_nobody_again() {
    let mut world = World::new();
    let mut newest = world.exchange(VERIFIER).unwrap();
    let end = world.now + CONFIDENTIAL_LIFETIME;
    while world.now + 240.hours() < end {
        world.wait(SignedDuration::from_hours(240));
        newest = world.refresh(&newest).unwrap();
    }
    world.now = end - SAME_ANSWER;
    world.refresh(&newest).unwrap();
    world.now = end;
    assert!(world.refresh(&newest).is_err(), "not even as if the answer had been lost");
}

// ASVS 10.4.5
#[test]
fn a_refresh_token_is_good_for_its_own_client() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    let own = std::mem::replace(&mut world.client.id, ClientId::new());
    assert!(world.refresh(&first).is_err());
    world.client.id = own;
    assert!(world.refresh(&first).is_ok(), "what was refused has not used it up");
}

#[test]
fn a_refresh_leaves_the_token_before_for_requests_under_way() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    world.wait(SignedDuration::from_mins(5));
    let second = world.refresh(&first).unwrap();
    assert!(world.reaches(&first.access) && world.reaches(&second.access));
    world.wait(SignedDuration::from_mins(5));
    assert!(!world.reaches(&first.access) && world.reaches(&second.access));
}

#[test]
fn two_windows_that_refresh_at_once_get_the_same() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    let one = world.refresh(&first).unwrap();
    world.wait(SAME_ANSWER);
    let two = world.refresh(&first).unwrap();
    assert!(one == two);
}

// B11.lost
#[test]
fn a_lost_answer_is_replaced_and_dies() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    let lost = world.refresh(&first).unwrap();
    world.wait(SAME_ANSWER + SignedDuration::from_millis(1));
    let next = world.refresh(&first).unwrap();
    assert_eq!(world.noted, [Noted::Opened, Noted::Retried]);
    assert!(!world.reaches(&lost.access));
    assert!(world.clone().refresh(&lost).is_err());
    assert!(world.reaches(&next.access));
}

#[test]
fn answers_are_not_lost_for_ever() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    for _ in 0..=RETRIES {
        world.refresh(&first).unwrap();
        world.wait(SAME_ANSWER + SignedDuration::from_millis(1));
    }
    assert!(world.refresh(&first).is_err());
    assert!(world.family.is_none());
}

// ASVS 10.4.5
// B11.rotate, B11.replay
#[test]
fn a_used_token_ends_all_once_its_successor_was_used() {
    // By the access token, and by the refresh token.
    for by_access in [true, false] {
        let mut world = World::new();
        let first = world.exchange(VERIFIER).unwrap();
        let second = world.refresh(&first).unwrap();
        if by_access {
            assert!(world.reaches(&second.access));
        } else {
            world.refresh(&second).unwrap();
        }
        assert!(world.refresh(&first).is_err());
        assert_eq!(world.noted.last(), Some(&Noted::RefreshReplayed));
        assert!(!world.reaches(&second.access));
    }
}

#[test]
fn a_token_of_nobody_ends_nothing() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    let id = world.family.as_ref().unwrap().id;
    let guessed = Secret::new([9; 32]).text(Purpose::RefreshToken, id.0);
    let guessed = Issued { refresh: Some(guessed), ..world::copy(&first) };
    assert!(world.refresh(&guessed).is_err());
    assert!(world.refresh(&first).is_ok());
}

#[test]
fn a_refresh_reaches_no_further_and_can_reach_less() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    let more = Scopes::read("openid users:manage").unwrap();
    let wider = world.refresh_for(&first, Some(&more)).unwrap_err();
    assert_eq!(wider.code, Refused::InvalidScope);
    let less = Scopes::read("devices:read").unwrap();
    let second = world.refresh_for(&first, Some(&less)).unwrap();
    assert_eq!(second.scopes, less);
    assert_eq!(second.about, None);
    let third = world.refresh(&second).unwrap();
    assert_eq!(third.scopes, first.scopes, "the refresh token still reaches all");
}

#[test]
fn without_offline_access_there_is_no_refresh_token() {
    let mut world = World::new();
    let family = world.family.as_mut().unwrap();
    family.scopes = Scopes::read("openid devices:read").unwrap();
    let issued = world.exchange(VERIFIER).unwrap();
    assert_eq!(issued.refresh, None);
    assert_eq!(world.family.unwrap().expires, issued.expires);
}

// B15.access
#[test]
fn a_revoked_access_token_is_dead_and_the_rest_lives() {
    let mut world = World::new();
    let first = world.exchange(VERIFIER).unwrap();
    let second = world.refresh(&first).unwrap();
    for token in [&second.access, &first.access] {
        let hash = read(Purpose::AccessToken, token).unwrap().hash;
        let family = world.family.take().unwrap();
        assert_eq!(family.without_access(SecretHash([1; 32]), world.now), None);
        world.family = family.without_access(hash, world.now);
        assert!(!world.reaches(token));
    }
    assert!(world.refresh(&second).is_ok());
}

#[test]
fn debug_shows_no_secret() {
    let mut world = World::new();
    let issued = world.exchange(VERIFIER).unwrap();
    assert_eq!(format!("{issued:?}"), "Issued(***, devices:read offline_access openid)");
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Refresh { lost: bool },
    Use,
    Wait { seconds: u32 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        any::<bool>().prop_map(|lost| Act::Refresh { lost }),
        Just(Act::Use),
        (0..1200_u32).prop_map(|seconds| Act::Wait { seconds }),
    ];
    prop::collection::vec(act, 0..60)
}

proptest! {
    /// Whatever answers are lost, as long as not four in a row are, the client goes on; and of all the
    /// refresh tokens it was ever sent no more than two are good, which lead to the same end.
    #[test]
    fn an_honest_client_is_never_logged_out(acts in acts()) {
        let mut world = World::new();
        let mut held = world.exchange(VERIFIER).unwrap();
        let (mut lost_in_a_row, mut sent) = (0, vec![world::copy(&held)]);
        for act in acts {
            match act {
                Act::Refresh { lost } => {
                    let lost = lost && lost_in_a_row < RETRIES;
                    let answer = world.refresh(&held);
                    prop_assert!(answer.is_ok(), "refused after {lost_in_a_row} lost answers");
                    let answer = answer.unwrap();
                    sent.push(world::copy(&answer));
                    if lost {
                        lost_in_a_row += 1;
                    } else {
                        (held, lost_in_a_row) = (answer, 0);
                    }
                }
                Act::Use => drop(world.reaches(&held.access)),
                Act::Wait { seconds } => world.wait(SignedDuration::from_secs(i64::from(seconds))),
            }
            let tried = |token: &&Issued| world.clone().refresh(token).is_ok();
            let mut good: Vec<_> = sent.iter().filter(tried).map(|it| it.refresh.clone()).collect();
            good.dedup();
            prop_assert!(good.len() <= 2, "{} refresh tokens are good", good.len());
        }
    }

    // ASVS 10.4.5
    /// A thief who has copied the tokens at any time, and the client, do not both go on: once each has
    /// refreshed and used what it got, in any order, nobody has anything.
    #[test]
    fn a_thief_and_the_client_do_not_both_go_on(
        before in acts(),
        thief_first in any::<bool>(),
        rounds in 1..4_usize,
    ) {
        let mut world = World::new();
        let mut held = world.exchange(VERIFIER).unwrap();
        for act in before {
            match act {
                Act::Refresh { .. } => held = world.refresh(&held).unwrap(),
                Act::Use => drop(world.reaches(&held.access)),
                Act::Wait { seconds } => world.wait(SignedDuration::from_secs(i64::from(seconds))),
            }
        }
        let mut parties = [world::copy(&held), held];
        if thief_first {
            parties.reverse();
        }
        let [first, second] = &mut parties;
        for _ in 0..rounds {
            *first = world.refresh(first).unwrap();
            world.reaches(&first.access);
        }
        prop_assert!(world.refresh(second).is_err());
        prop_assert!(world.family.is_none());
        prop_assert!(world.refresh(first).is_err());
    }
}
