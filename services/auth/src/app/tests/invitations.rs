//! Invitations, and mail addresses that are verified.

use super::mailing::{ANN, Fake, NEW, from, mailing};
use super::*;
use crate::app::grants::need_held;
use crate::app::{Invited, Joins};
use crate::domain::Letter;

const BOB: &str = "bob@example.org";

/// The token of the first link in a letter, or of one that was shown.
fn token(text: &str) -> String {
    let (_, rest) = text.split_once("#token=").unwrap();
    rest.split('\n').next().unwrap().to_owned()
}

/// The letters that wait to be sent: those with a link first, then by whom they are for.
async fn sent(world: &World, server: &Fake) -> Vec<Letter> {
    world.send().await;
    let mut letters = server.letters();
    letters.sort_by_key(|it| (!it.text.contains("#token="), it.to.clone()));
    letters
}

fn told(letters: &[Letter]) -> Vec<(&str, &str)> {
    letters.iter().map(|it| (it.to.as_str(), it.subject.as_str())).collect()
}

impl World {
    async fn ann(&self) -> Asked {
        let owner = self.owner().await;
        self.resolve(&owner.secret).await.unwrap()
    }

    async fn accept(&self, token: &str) -> Result<Entered, Error> {
        let joins = Joins { name: " Bob B. ".to_owned(), password: NEW.to_owned() };
        self.app.accept_invitation(token, joins, &Origin::default()).await
    }

    async fn refuses(&self, token: &str, why: &str) {
        let refused = self.accept(token).await.map(drop);
        assert!(matches!(refused, Err(Error::BadInvitation)), "{why}: {refused:?}");
    }

    async fn is(&self, id: UserId) -> crate::domain::User {
        self.app.store.people.get(self.tenant, id).await.unwrap().unwrap()
    }

    async fn verify(&self, token: &str) -> Result<(), Error> {
        self.app.use_email_link(token, &Origin::default()).await
    }
}

// ASVS 6.4.1
// B28.once
#[tokio::test]
async fn an_invitation_is_accepted_once_within_three_days_by_whoever_reads_the_mail() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    let Invited { user, url, .. } = world.app.invite(&ann, BOB, Role::Technician).await.unwrap();
    assert_eq!(url, None, "whoever invites does not see it");
    assert!(user.invited.is_some() && !user.has_password());
    let letters = sent(&world, &server).await;
    assert_eq!(told(&letters), [(BOB, "You are invited to OpenFrame")]);
    assert!(letters[0].text.contains("\n\nhttps://of.example/invitation#token=of_in_"));
    let first = token(&letters[0].text);
    assert!(world.log_in(BOB, "").await.is_err(), "nothing is a password of somebody who has none");
    world.clock.advance(SignedDuration::from_hours(72));
    world.refuses(&first, "it is over").await;
    let ann = world.log_in(ANN, "a good long one").await.unwrap();
    let ann = world.resolve(&ann.secret).await.unwrap();
    world.app.invite_again(&ann, user.id).await.unwrap();
    let second = token(&sent(&world, &server).await[0].text);
    world.refuses(&first, "another took its place").await;
    world.clock.advance(SignedDuration::from_millis(72 * 3_600_000 - 1));
    let joined = whole(world.accept(&second).await.unwrap());
    assert_eq!((joined.user.name.as_str(), joined.user.role), ("Bob B.", Role::Technician));
    assert!(joined.user.email_verified && joined.user.invited.is_none());
    world.refuses(&second, "it was accepted").await;
    world.log_in(BOB, NEW).await.unwrap();
    let all = world.actions().await;
    for action in ["invitation.create done", "invitation.accept done", "invitation.accept refused"]
    {
        assert!(all.iter().any(|it| it == action), "{action}: {all:?}");
    }
}

// B28.bound
#[tokio::test]
async fn an_invitation_is_bound_to_its_person_and_ends_with_what_it_rests_on() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    let bob = world.app.invite(&ann, BOB, Role::Owner).await.unwrap().user.id;
    let cleo = world.app.invite(&ann, "cleo@example.org", Role::Owner).await.unwrap().user.id;
    let letters = sent(&world, &server).await;
    let [mut own, other] = [0, 1].map(|n: usize| token(&letters[n].text));
    let moved = own.replace(&bob.0.simple().to_string(), &cleo.0.simple().to_string());
    for bad in [moved.as_str(), "", "of_in_", &own.replace("of_in_", "of_pl_")] {
        world.refuses(bad, bad).await;
    }
    let change = |disabled| PersonChange { disabled: Some(disabled), ..PersonChange::default() };
    for disabled in [true, false] {
        world.app.change_user(&ann, bob, change(disabled)).await.unwrap();
        world.refuses(&own, "the person was disabled").await;
        let again = world.app.invite_again(&ann, bob).await;
        assert_eq!(again.is_err(), disabled);
    }
    own = token(&sent(&world, &server).await[0].text);
    world.app.withdraw_invitation(&ann, cleo).await.unwrap();
    world.refuses(&other, "it was taken back").await;
    assert!(world.app.users(&ann).await.unwrap().iter().all(|user| user.id != cleo));
    let missing = world.app.withdraw_invitation(&ann, cleo).await;
    assert!(matches!(missing, Err(Error::Missing(_))));

    // Whoever has invited is no owner any more.
    let dora = person("dora@example.org", Role::Owner);
    let dora = world.app.create_user(&ann, dora).await.unwrap();
    let owner = world.log_in("dora@example.org", "a good long one").await.unwrap();
    let owner = world.resolve(&owner.secret).await.unwrap();
    let inviter = ann.caller.user().unwrap();
    let demoted = PersonChange { role: Some(Role::Technician), ..PersonChange::default() };
    world.app.change_user(&owner, inviter, demoted).await.unwrap();
    world.refuses(&own, "an owner may not be made by a technician").await;
    world.app.invite_again(&owner, bob).await.unwrap();
    own = token(&sent(&world, &server).await[0].text);
    whole(world.accept(&own).await.unwrap());
    assert!(world.app.withdraw_invitation(&owner, bob).await.is_err(), "bob has joined");
    assert!(world.app.withdraw_invitation(&owner, dora.id).await.is_err(), "dora was not invited");
}

#[tokio::test]
async fn without_mail_whoever_invites_hands_the_link_over_and_nothing_is_verified() {
    let world = world();
    let ann = world.ann().await;
    let invited = world.app.invite(&ann, BOB, Role::ReadOnly).await.unwrap();
    let joined = whole(world.accept(&token(&invited.url.unwrap())).await.unwrap());
    assert!(!joined.user.email_verified, "nobody has read any mail");
    let taken = world.app.invite(&ann, " Bob@Example.org ", Role::ReadOnly).await;
    assert!(matches!(taken, Err(Error::EmailTaken)));
    assert!(matches!(world.app.invite(&ann, "bob", Role::ReadOnly).await, Err(Error::Invalid(_))));
}

// ASVS 8.2.1
#[tokio::test]
async fn whoever_does_not_manage_people_invites_nobody() {
    let (world, _) = mailing();
    let ann = world.ann().await;
    let bob = world.app.invite(&ann, BOB, Role::ReadOnly).await.unwrap().user.id;
    let scopes = |held: &[Permission]| held.iter().map(ToString::to_string).collect();
    let (user, session) = (UserId::new(), world.fresh_session().await);
    let key = |role, held: &[Permission]| {
        let (key, owner, scopes) = (ApiKeyId::new(), user, scopes(held));
        Subject::ApiKey { key, owner, role, grants: Grants::default(), scopes }
    };
    for subject in [
        Subject::User { user, session, role: Role::Technician, grants: Grants::default() },
        key(Role::Owner, &[Permission::UsersManage]),
        key(Role::Technician, &Permission::ALL),
        Subject::Device { device: DeviceId::new() },
    ] {
        let caller = Caller { tenant: world.tenant, subject };
        let asked = Asked { caller, origin: Origin::default() };
        let kind = |refused: Option<Error>| refused.map(|error| error.kind());
        let new = world.app.invite(&asked, "new@example.org", Role::ReadOnly).await;
        let again = world.app.invite_again(&asked, bob).await;
        let withdrawn = world.app.withdraw_invitation(&asked, bob).await;
        for refused in [kind(new.err()), kind(again.err()), kind(withdrawn.err())] {
            assert_eq!(refused, Some(Kind::Forbidden), "{:?}", asked.caller.subject);
        }
    }
    world.clock.advance(SignedDuration::from_mins(16));
    let stale = world.app.invite(&ann, "new@example.org", Role::ReadOnly).await;
    assert!(matches!(stale, Err(Error::StepUpNeeded)));
}

#[test]
fn nobody_gives_more_than_they_hold() {
    let roles = [Role::Owner, Role::Technician, Role::ReadOnly];
    let holder = |role| {
        let (user, session) = (UserId::new(), SessionId::new());
        let grants = Grants::default();
        Caller { tenant: TenantId::new(), subject: Subject::User { user, session, role, grants } }
    };
    for held in roles {
        for given in roles {
            let more = Permission::ALL.iter().any(|it| given.permits(*it) && !held.permits(*it));
            let may = need_held(&holder(held), given, &openframe_tokens::Place::ROOT);
            assert_eq!(may.is_err(), more, "{held} gives {given}");
        }
    }
}

#[tokio::test]
async fn who_has_not_joined_gets_no_password_another_way() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    let bob = world.app.invite(&ann, BOB, Role::ReadOnly).await.unwrap().user.id;
    sent(&world, &server).await;
    world.ask(BOB).await;
    assert!(sent(&world, &server).await.is_empty());
    let refused = world.app.create_password_link(&ann, bob).await;
    assert!(matches!(refused, Err(Error::Missing(_))));
    let email = Some("robert@example.org".to_owned());
    let moved = PersonChange { email, ..PersonChange::default() };
    let refused = world.app.change_user(&ann, bob, moved).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "it was sent to the address of before");
}

// ASVS 6.2.1
#[tokio::test]
async fn what_is_chosen_is_judged_like_any_and_a_needed_factor_is_enrolled() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    world.app.invite(&ann, "schmitzig@example.org", Role::ReadOnly).await.unwrap();
    let token = token(&sent(&world, &server).await[0].text);
    for (name, password) in [("", NEW), ("Bob", "short"), ("Bob", "schmitzig-1")] {
        let joins = Joins { name: name.to_owned(), password: password.to_owned() };
        let refused = world.app.accept_invitation(&token, joins, &Origin::default()).await;
        assert!(matches!(refused.err(), Some(Error::Invalid(_))), "{name:?} {password}");
    }
    let required = crate::domain::TenantSettings { second_factor_required: true };
    let event = world.app.own_event("settings.change", "");
    world.app.store.settings.set(world.tenant, required, &event).await.unwrap();
    assert!(matches!(world.accept(&token).await.unwrap(), Entered::Half(..)));
}

// ASVS 6.4.1
#[tokio::test]
async fn an_address_is_ones_own_once_its_mail_was_read() {
    let (world, server) = mailing();
    let mut ann = world.ann().await;
    ann.origin = from("192.0.2.77");
    let id = ann.caller.user().unwrap();
    world.app.ask_email(&ann, " New@Example.org ").await.unwrap();
    let letters = sent(&world, &server).await;
    let wanted = [
        ("new@example.org", "Confirm your mail address"),
        (ANN, "Another mail address was asked for"),
    ];
    assert_eq!(told(&letters), wanted);
    assert!(letters[0].text.contains("\n\nhttps://of.example/email#token=of_el_"));
    let link = token(&letters[0].text);
    assert_eq!(world.is(id).await.email, ANN, "not yet");
    world.ask("new@example.org").await;
    assert!(sent(&world, &server).await.is_empty(), "nobody is found by it");
    world.clock.advance(SignedDuration::from_millis(24 * 3_600_000 - 1));
    world.verify(&link).await.unwrap();
    let now = world.is(id).await;
    assert_eq!((now.email.as_str(), now.email_verified), ("new@example.org", true));
    assert_eq!(told(&sent(&world, &server).await), [(ANN, "Your mail address was changed")]);
    for bad in [link.as_str(), "", &link.replace("of_el_", "of_in_")] {
        assert!(matches!(world.verify(bad).await, Err(Error::BadEmailLink)), "{bad}");
    }
    world.log_in("new@example.org", "a good long one").await.unwrap();
    assert!(world.log_in(ANN, "a good long one").await.is_err());
}

#[tokio::test]
async fn a_link_for_an_address_ends_with_time_a_password_and_its_person() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    let ask = async |asked: &Asked| {
        world.app.ask_email(asked, "new@example.org").await.unwrap();
        token(&sent(&world, &server).await[0].text)
    };
    let link = ask(&ann).await;
    world.clock.advance(SignedDuration::from_hours(24));
    assert!(matches!(world.verify(&link).await, Err(Error::BadEmailLink)), "it is over");
    let ann = world.log_in(ANN, "a good long one").await.unwrap();
    let ann = world.resolve(&ann.secret).await.unwrap();
    let link = ask(&ann).await;
    world.app.change_password(&ann, ("a good long one", NEW)).await.unwrap();
    sent(&world, &server).await;
    assert!(matches!(world.verify(&link).await, Err(Error::BadEmailLink)), "who asked is out");
    let ann = world.log_in(ANN, NEW).await.unwrap();
    let ann = world.resolve(&ann.secret).await.unwrap();
    world.app.create_user(&ann, person(BOB, Role::Owner)).await.unwrap();
    let bob = world.log_in(BOB, "a good long one").await.unwrap();
    let (asked, id) = (world.resolve(&bob.secret).await.unwrap(), bob.user.id);
    let link = ask(&asked).await;
    let disabled = |disabled| PersonChange { disabled, ..PersonChange::default() };
    for disabled in [disabled(Some(true)), disabled(Some(false))] {
        world.app.change_user(&ann, id, disabled).await.unwrap();
        assert!(matches!(world.verify(&link).await, Err(Error::BadEmailLink)), "disabled");
    }
}

#[tokio::test]
async fn an_address_of_somebody_else_is_told_to_who_reads_its_mail_only() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    let bob = world.app.create_user(&ann, person(BOB, Role::ReadOnly)).await.unwrap();
    world.app.ask_email(&ann, BOB).await.unwrap();
    let link = token(&sent(&world, &server).await[0].text);
    assert!(matches!(world.verify(&link).await, Err(Error::EmailTaken)));
    assert_eq!(world.is(bob.id).await.email, BOB);
    let key = new_bootstrap_secret();
    assert!(world.app.bootstrap(&key).await.is_ok());
    let owners_key = Subject::ApiKey {
        key: ApiKeyId::new(),
        owner: ann.caller.user().unwrap(),
        role: Role::Owner,
        grants: Grants::default(),
        scopes: Permission::ALL.map(|it| it.to_string()).to_vec(),
    };
    let caller = Caller { tenant: world.tenant, subject: owners_key };
    let asked = Asked { caller, origin: Origin::default() };
    let refused = world.app.ask_email(&asked, "new@example.org").await;
    assert!(matches!(refused, Err(Error::PeopleOnly)), "a key has no mailbox");
    for _ in 0..3 {
        world.app.ask_email(&ann, "flood@example.org").await.unwrap();
    }
    let refused = world.app.ask_email(&ann, "flood@example.org").await;
    assert!(matches!(refused, Err(Error::TooManyMails(_))));
    world.clock.advance(SignedDuration::from_mins(16));
    let stale = world.app.ask_email(&ann, "new@example.org").await;
    assert!(matches!(stale, Err(Error::StepUpNeeded)));
}

#[tokio::test]
async fn an_owner_corrects_an_address_which_is_not_verified_then() {
    let (world, server) = mailing();
    let ann = world.ann().await;
    let bob = world.app.invite(&ann, BOB, Role::ReadOnly).await.unwrap().user.id;
    let link = token(&sent(&world, &server).await[0].text);
    whole(world.accept(&link).await.unwrap());
    world.ask(BOB).await;
    let link = token(&sent(&world, &server).await[0].text);
    let to =
        |email: &str| PersonChange { email: Some(email.to_owned()), ..PersonChange::default() };
    let taken = world.app.change_user(&ann, bob, to(ANN)).await;
    assert!(matches!(taken, Err(Error::EmailTaken)));
    let moved = world.app.change_user(&ann, bob, to(" Robert@example.org")).await.unwrap();
    assert_eq!((moved.email.as_str(), moved.email_verified), ("robert@example.org", false));
    assert_eq!(told(&sent(&world, &server).await), [(BOB, "Your mail address was changed")]);
    let used = world.choose(&link, "another good one").await;
    assert!(matches!(used, Err(Error::BadPasswordLink)), "it went to the address of before");
    let own = world.app.change_user(&ann, ann.caller.user().unwrap(), to("x@example.org")).await;
    assert!(matches!(own, Err(Error::Invalid(_))), "one's own is shown to be read");
    world.ask("robert@example.org").await;
    let link = token(&sent(&world, &server).await[0].text);
    whole(world.choose(&link, "another good one").await.unwrap());
    assert!(world.is(bob).await.email_verified, "whoever has used the link has read the mail");
    let handed = world.app.change_user(&ann, bob, to(BOB)).await.unwrap();
    let link = world.app.create_password_link(&ann, handed.id).await.unwrap().url;
    whole(world.choose(&token(&link), NEW).await.unwrap());
    assert!(!world.is(bob).await.email_verified, "nobody has read any mail");
}
