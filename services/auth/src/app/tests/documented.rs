//! What `docs/guide/signing-in.md` says, compared with what holds.

use std::collections::{BTreeMap, BTreeSet};

use openframe_oauth::{DEVICE_LIFETIME, LOGOUT_LIFETIME, family, id_token};
use openframe_tokens::internal;
use openframe_tokens::opaque::Purpose;

use super::*;
use crate::app::{
    addresses, ended, factors, invitations, passkey_shown, setup, sign_in, step_up, upstream,
};
use crate::domain::CONTEXT;

const PAGE: &str = include_str!("../../../../../docs/guide/signing-in.md");

/// The rows of the table whose head begins with these words, cell by cell, without the code marks.
fn table(head: &str) -> Vec<Vec<String>> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(&format!("| {head} |"))).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "there is no table {head:?}");
    rows
}

/// The first two columns of a table.
fn pairs(head: &str) -> BTreeMap<String, String> {
    let row = |row: Vec<String>| {
        let [first, second, ..] = &row[..] else { panic!("{row:?}") };
        (first.clone(), second.clone())
    };
    table(head).into_iter().map(row).collect()
}

/// The first column of a table.
fn names(head: &str) -> BTreeSet<String> {
    table(head).into_iter().map(|row| row[0].clone()).collect()
}

// ASVS 6.1.1, 7.1.1
#[test]
fn every_limit_and_timeout_is_on_the_page_with_its_default() {
    let serde_json::Value::Object(settings) = serde_json::to_value(Config::default()).unwrap()
    else {
        panic!("settings have names")
    };
    let limits = ["login_", "factor_", "enrol_", "password_", "session_"];
    let known = settings.iter().filter(|(name, _)| limits.iter().any(|it| name.starts_with(it)));
    let known: BTreeMap<String, String> =
        known.map(|(name, value)| (format!("auth.{name}"), value.to_string())).collect();
    assert_eq!(pairs("setting"), known);
}

// ASVS 6.1.1, 6.3.1
// B22.known
#[tokio::test]
async fn who_guesses_from_one_network_locks_nobody_out_elsewhere() {
    let world = world();
    world.owner().await;
    let from = |address: &str| Origin { remote_address: address.to_owned(), ..Origin::default() };
    let try_in = async |password: &str, address: &str| {
        world.app.log_in(("ann@example.org", password), None, &from(address)).await.map(whole)
    };
    for _ in 0..Config::default().login_burst {
        assert!(matches!(try_in("wrong", "192.0.2.1").await, Err(Error::BadLogin)));
    }
    let refused = try_in("a good long one", "192.0.2.1").await;
    assert!(matches!(refused, Err(Error::TooManyLogins(_))));
    try_in("a good long one", "198.51.100.1").await.unwrap();
}

// ASVS 6.1.3, 6.3.4
#[test]
fn every_way_in_is_on_the_page() {
    let all = [
        Purpose::Session,
        Purpose::HalfSignIn,
        Purpose::ApiKey,
        Purpose::Enrolment,
        Purpose::Setup,
        Purpose::PasswordLink,
        Purpose::Invitation,
        Purpose::EmailLink,
        Purpose::ClientSecret,
        Purpose::AuthorizationCode,
        Purpose::PushedRequest,
        Purpose::DeviceCode,
        Purpose::AccessToken,
        Purpose::RefreshToken,
    ];
    for purpose in all {
        // One that is new does not compile here: it belongs into the list, and onto the page.
        match purpose {
            Purpose::Session
            | Purpose::HalfSignIn
            | Purpose::ApiKey
            | Purpose::Enrolment
            | Purpose::Setup
            | Purpose::PasswordLink
            | Purpose::Invitation
            | Purpose::EmailLink
            | Purpose::ClientSecret
            | Purpose::AuthorizationCode
            | Purpose::PushedRequest
            | Purpose::DeviceCode
            | Purpose::AccessToken
            | Purpose::RefreshToken => {}
        }
    }
    let rows = table("what is shown");
    let told: BTreeSet<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(told, all.map(Purpose::prefix).into_iter().collect());
    assert!(rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())));
    let session = rows.iter().find(|row| row[1] == Purpose::Session.prefix()).unwrap();
    for amr in openframe_oauth::Amr::ALL {
        assert!(session[3].contains(amr.acr()), "{amr:?}");
    }
}

// ASVS 6.1.2
#[test]
fn the_words_that_count_for_nothing_are_on_the_page() {
    assert_eq!(names("word"), CONTEXT.map(str::to_owned).into_iter().collect());
}

/// A length of time as the page says it.
fn text(length: SignedDuration) -> String {
    let unit = |n: i64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let (days, hours) = (length.as_hours() / 24, length.as_hours());
    match length.as_mins() {
        minutes if minutes < 60 => unit(minutes, "minute"),
        _ if hours <= 24 => unit(hours, "hour"),
        _ => unit(days, "day"),
    }
}

// ASVS 7.1.1, 7.1.3
#[tokio::test]
async fn how_long_everything_is_good_is_on_the_page() {
    let world = world();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    let link = world.app.create_password_link(&asked, owner.user.id).await.unwrap();
    let holds = [
        ("a sign-in that waits for its second step", sign_in::HALF_LIFETIME),
        ("a fresh sign-in, for what gives or takes authority", step_up::FRESH),
        ("an app that waits for the code that confirms it", factors::ENROLMENT_LIFETIME),
        ("a passkey that a browser was asked for", passkey_shown::CHALLENGE_LIFETIME),
        ("a sign-in at another provider", upstream::TRY_LIFETIME),
        ("a link for a new password", link.expires.duration_since(world.app.now())),
        ("an invitation", invitations::INVITATION_LIFETIME),
        ("a link for a mail address", addresses::EMAIL_LINK_LIFETIME),
        ("the link of the first start", setup::SETUP_LIFE),
        ("a program's code", family::CODE_LIFETIME),
        ("a pushed request until a browser comes", openframe_oauth::PUSHED_LIFETIME),
        ("a pushed request from then on", openframe_oauth::OPENED_LIFETIME),
        ("a waiting program's code", DEVICE_LIFETIME),
        ("an access token", family::ACCESS_LIFETIME),
        ("a refresh token that is not used", family::IDLE_LIFETIME),
        ("what a program with a secret was allowed", family::CONFIDENTIAL_LIFETIME),
        ("what a program without a secret was allowed", family::PUBLIC_LIFETIME),
        ("an ID token", id_token::ID_LIFETIME),
        ("a logout token", LOGOUT_LIFETIME),
        ("what the gateway tells a service of a caller", internal::LIFETIME),
    ];
    let holds = holds.map(|(what, length)| (what.to_owned(), text(length)));
    assert_eq!(pairs("what"), holds.into_iter().collect());
}

// ASVS 7.1.3
#[test]
fn what_ends_together_is_on_the_page() {
    assert_eq!(names("action"), ended::PEOPLE.map(str::to_owned).into_iter().collect());
}

// ASVS 7.1.2
#[tokio::test]
async fn a_person_may_have_any_number_of_sessions_as_the_page_says() {
    assert!(PAGE.contains("A person may have any number of sessions at once"));
    let world = world();
    let first = world.owner().await;
    let mut all = vec![first.secret];
    for _ in 0..40 {
        all.push(world.log_in("ann@example.org", "a good long one").await.unwrap().secret);
    }
    for secret in &all {
        world.resolve(secret).await.unwrap();
    }
}
