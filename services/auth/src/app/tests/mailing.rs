//! Mail: links for who has forgotten a password, and word of what was changed.

use std::sync::Mutex;

use super::*;
use crate::domain::Letter;
use crate::mail::{Mailer, Post};

pub(super) const ANN: &str = "ann@example.org";
pub(super) const NEW: &str = "a better long one";

/// What a mail server got, and how it is.
#[derive(Default)]
struct Got {
    letters: Vec<Letter>,
    away: bool,
}

#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Got>>);

#[async_trait::async_trait]
impl Post for Fake {
    async fn post(&self, _: uuid::Uuid, letter: &Letter, _: Timestamp) -> Result<(), String> {
        let mut got = self.0.lock().unwrap();
        if got.away {
            return Err("it is away".to_owned());
        }
        got.letters.push(letter.clone());
        Ok(())
    }
}

impl Fake {
    pub(super) fn is_away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    /// What it got since it was last asked.
    pub(super) fn letters(&self) -> Vec<Letter> {
        std::mem::take(&mut self.0.lock().unwrap().letters)
    }
}

pub(super) fn mailing() -> (World, Fake) {
    let (mut world, server) = (world(), Fake::default());
    world.app = world.app.mailing_by(&Mailer(Some(Arc::new(server.clone()))));
    let config = Config { url: "https://of.example/".to_owned(), ..Config::default() };
    world.app.config = Arc::new(config);
    (world, server)
}

pub(super) fn from(address: &str) -> Origin {
    Origin { remote_address: address.to_owned(), ..Origin::default() }
}

/// The token of the link in a letter.
pub(super) fn token(letter: &Letter) -> String {
    let (_, rest) = letter.text.split_once("\n\nhttps://of.example/password#token=").unwrap();
    rest.split('\n').next().unwrap().to_owned()
}

impl World {
    pub(super) async fn ask(&self, address: &str) {
        self.app.ask_password_link(address, &Origin::default()).await.unwrap();
    }

    /// Sends what is due.
    pub(super) async fn send(&self) {
        while self.app.send_mail().await.unwrap() {}
    }

    pub(super) async fn choose(&self, token: &str, password: &str) -> Result<Entered, Error> {
        self.app.use_password_link(token, password, &Origin::default()).await
    }

    pub(super) async fn actions(&self) -> Vec<String> {
        let entries = self.app.store.trail.after(self.tenant, 0, 1000).await.unwrap();
        entries.into_iter().map(|it| format!("{} {}", it.event.action, it.event.outcome)).collect()
    }
}

// ASVS 6.4.1, 6.4.3
// B27.once, B27.older, B27.expired
#[tokio::test]
async fn a_mailed_link_is_good_once_for_a_quarter_of_an_hour_until_the_next() {
    let (world, server) = mailing();
    let old = world.owner().await;
    for _ in 0..2 {
        world.ask(" Ann@Example.org ").await;
        world.send().await;
    }
    let letters = server.letters();
    assert_eq!(letters.iter().map(|it| it.to.as_str()).collect::<Vec<_>>(), [ANN, ANN]);
    let [first, second] = [&letters[0], &letters[1]].map(token);
    assert!(matches!(world.choose(&first, NEW).await, Err(Error::BadPasswordLink)));
    assert!(world.resolve(&old.secret).await.is_ok());
    world.clock.advance(SignedDuration::from_millis(15 * 60_000 - 1));
    whole(world.choose(&second, NEW).await.unwrap());
    assert!(world.resolve(&old.secret).await.is_err(), "every session has ended");
    assert!(matches!(world.choose(&second, NEW).await, Err(Error::BadPasswordLink)), "used");
    world.log_in(ANN, NEW).await.unwrap();

    world.ask(ANN).await;
    world.send().await;
    let late = server.letters().iter().rev().find_map(token_if).unwrap();
    world.clock.advance(SignedDuration::from_mins(15));
    assert!(matches!(world.choose(&late, NEW).await, Err(Error::BadPasswordLink)), "over");
}

/// The token of a letter that has one.
fn token_if(letter: &Letter) -> Option<String> {
    letter.text.contains("#token=").then(|| token(letter))
}

// ASVS 6.4.3
// B26.link
#[tokio::test]
async fn a_mailed_link_does_not_stand_for_the_second_factor() {
    let (world, server) = mailing();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    let secret = world.app.enrol_totp(&asked).await.unwrap().secret;
    let secret = totp_rs::Secret::try_from_base32(&secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = world.clock.clock().now().as_second().try_into().unwrap();
    world.app.confirm_totp(&asked, &totp.generate(now).to_string()).await.unwrap();
    world.ask(ANN).await;
    world.send().await;
    let token = server.letters().iter().find_map(token_if).unwrap();
    let entered = world.choose(&token, NEW).await.unwrap();
    assert!(matches!(entered, Entered::Half(..)), "a code is wanted");
}

// B21.mail
#[tokio::test]
async fn nobody_gets_no_letter_and_whoever_asks_is_not_told() {
    let (world, server) = mailing();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    let bob = world.app.create_user(&asked, person("bob@example.org", Role::ReadOnly)).await;
    let disabled = PersonChange { disabled: Some(true), ..PersonChange::default() };
    world.app.change_user(&asked, bob.unwrap().id, disabled).await.unwrap();
    let before = world.actions().await.len();
    for address in ["nobody@example.org", "bob@example.org"] {
        world.ask(address).await;
    }
    let asked = world.actions().await.split_off(before);
    assert_eq!(asked, ["password_link.ask done", "password_link.ask done"]);
    world.send().await;
    assert!(server.letters().is_empty());
    assert_eq!(world.actions().await.len(), before + 2, "no link was made");
    let none = world.app.ask_password_link("nobody", &Origin::default()).await;
    assert!(matches!(none, Err(Error::Invalid(_))));
}

// ASVS 6.3.1
#[tokio::test]
async fn mails_are_few_for_each_network_and_each_account() {
    let (world, _) = mailing();
    let ask = |account: &str, network: u8| {
        let (account, origin) = (account.to_owned(), from(&format!("192.0.{network}.1")));
        let app = world.app.clone();
        async move { app.ask_password_link(&account, &origin).await }
    };
    for _ in 0..3 {
        ask("nobody@example.org", 1).await.unwrap();
    }
    let refused = ask("nobody@example.org", 1).await;
    assert!(matches!(refused, Err(Error::TooManyMails(_))), "of this network");
    for network in 2..4 {
        ask("nobody@example.org", network).await.unwrap();
    }
    let refused = ask("nobody@example.org", 4).await;
    assert!(matches!(refused, Err(Error::TooManyMails(_))), "from wherever");
    let mut sent = 0;
    while ask(&format!("{sent}@example.org"), 1).await.is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 17, "20 with those before");
    world.clock.advance(SignedDuration::from_hours(2));
    ask("nobody@example.org", 1).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_gets_every_letter_once_when_it_is_back() {
    let (world, server) = mailing();
    world.owner().await;
    server.is_away(true);
    world.ask(ANN).await;
    world.send().await;
    assert!(world.app.mail_failing().unwrap().contains("it is away"));
    world.clock.advance(SignedDuration::from_secs(1));
    world.send().await;
    server.is_away(false);
    assert!(server.letters().is_empty());
    world.clock.advance(SignedDuration::from_secs(2));
    world.send().await;
    assert_eq!(server.letters().len(), 1);
    assert_eq!(world.app.mail_failing().unwrap(), "");
    world.clock.advance(SignedDuration::from_hours(1));
    world.send().await;
    assert!(server.letters().is_empty(), "once");
}

#[tokio::test]
async fn what_is_worth_nothing_any_more_is_given_up_and_on_the_trail() {
    let (world, server) = mailing();
    world.owner().await;
    server.is_away(true);
    world.ask(ANN).await;
    world.send().await;
    world.clock.advance(SignedDuration::from_mins(15));
    server.is_away(false);
    world.send().await;
    assert!(server.letters().is_empty());
    assert_eq!(world.actions().await.last().unwrap(), "mail.give_up failed");
    assert!(!world.app.send_mail().await.unwrap(), "it is forgotten");
}

/// T25.
#[tokio::test]
async fn what_waits_cannot_be_read_in_the_store() {
    let (world, server) = mailing();
    world.owner().await;
    server.is_away(true);
    world.ask(ANN).await;
    world.send().await;
    world.clock.advance(SignedDuration::from_mins(1));
    let now = world.app.now();
    let (tenant, replica) = (world.tenant, uuid::Uuid::nil());
    let taken = world.app.store.mails.take(tenant, replica, (now, now)).await.unwrap().unwrap();
    let kept = String::from_utf8_lossy(&taken.sealed).into_owned();
    assert!(!kept.contains("of_pl_") && !kept.contains("ann"), "{kept}");
}

#[tokio::test]
async fn people_are_told_what_was_changed() {
    let (world, server) = mailing();
    let owner = world.owner().await;
    let mut asked = world.resolve(&owner.secret).await.unwrap();
    asked.origin = from("192.0.2.77");
    world.app.change_password(&asked, ("a good long one", NEW)).await.unwrap();
    world.send().await;
    let letters = server.letters();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.to.as_str(), letter.subject.as_str()), (ANN, "Your password was changed"));
    assert!(
        letter.text.contains("192.0.2.77") && letter.text.contains("https://of.example/forgot")
    );
    assert!(!letter.text.contains(NEW));
}

#[tokio::test]
async fn without_a_server_nothing_is_kept() {
    let world = world();
    world.owner().await;
    let refused = world.app.ask_password_link(ANN, &Origin::default()).await;
    assert!(matches!(refused, Err(Error::NoMail)));
    assert_eq!(world.app.mail_failing(), None);
    let (owner, now) = (world.log_in(ANN, "a good long one").await.unwrap(), world.app.now());
    let asked = world.resolve(&owner.secret).await.unwrap();
    world.app.change_password(&asked, ("a good long one", NEW)).await.unwrap();
    let replica = uuid::Uuid::nil();
    let waits = world.app.store.mails.take(world.tenant, replica, (now, now)).await.unwrap();
    assert_eq!(waits, None);
}
