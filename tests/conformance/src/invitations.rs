//! The auth service's promises about invitations and verified mail addresses: rules that every engine keeps.

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{
    Accepted, EmailLink, Invitation, MailKind, PasswordLink, SealedMail, User,
};
use openframe_auth::store::{Change, Changed, EmailUsed};
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;
use uuid::Uuid;

use crate::auth::{at, event, tenant, user};

fn letter(n: u128, kind: MailKind) -> SealedMail {
    let (id, sealed) = (Uuid::from_u128(n), vec![7; 40]);
    SealedMail { id, tenant: tenant(0), kind, sealed, created: at(1), ends: at(90), tries: 0 }
}

fn invited(n: u8, until: i64) -> User {
    User { password: Vec::new(), invited: Some(at(until)), ..user(n, Role::Technician) }
}

fn invitation(of: &User, by: &User, secret: u8, until: i64) -> Invitation {
    let (secret, mailed) = (SecretHash([secret; 32]), secret.is_multiple_of(2));
    Invitation { user: of.id, inviter: by.id, secret, mailed, expires: at(until) }
}

/// The person after a change that was made.
fn done(changed: Changed) -> Option<User> {
    match changed {
        Changed::Done(user) => Some(user),
        Changed::Missing | Changed::LastOwner | Changed::EmailTaken | Changed::Denied => None,
    }
}

/// How many letters wait.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
async fn letters(store: &Stores) -> usize {
    let mut all = 0;
    while store.mails.take(tenant(0), Uuid::nil(), (at(1), at(99))).await.unwrap().is_some() {
        all += 1;
    }
    all
}

/// An invitation is accepted once, until it ends, another takes its place or it is taken back. Whoever has
/// not accepted has no link for a password.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn an_invitation_is_accepted_once(store: &Stores) {
    let (ann, bob) = (user(0, Role::Owner), invited(4, 10));
    let (people, invitations) = (&store.people, &store.invitations);
    let whose = (bob.tenant, bob.id);
    people.add(&ann, &event(1)).await.unwrap();
    let accept = async |secret: u8, at: i64, n: u8| {
        let accepted = Accepted { name: format!("name {n}"), password: vec![n; 49] };
        let (secret, event) = (SecretHash([secret; 32]), event(at));
        invitations.accept(whose, secret, &accepted, &event).await.unwrap()
    };
    let again = async |secret: u8, until: i64| {
        let invitation = invitation(&bob, &ann, secret, until);
        invitations.invite_again(tenant(0), invitation, None, &event(2)).await.unwrap()
    };
    assert!(!again(1, 10).await, "nobody was invited");
    let (first, mail) = (invitation(&bob, &ann, 1, 10), letter(1, MailKind::Invitation));
    assert!(invitations.invite(&bob, first, Some(&mail), &event(1)).await.unwrap());
    let taken = User { email: bob.email.clone(), ..invited(8, 10) };
    let other = invitation(&taken, &ann, 1, 10);
    let mail = letter(2, MailKind::Invitation);
    assert!(!invitations.invite(&taken, other, Some(&mail), &event(1)).await.unwrap());
    assert_eq!(letters(store).await, 1);
    assert_eq!(people.get(bob.tenant, bob.id).await.unwrap(), Some(bob.clone()));
    assert_eq!(invitations.invitation(bob.tenant, bob.id).await.unwrap(), Some(first));
    assert_eq!(invitations.invitation(tenant(1), bob.id).await.unwrap(), None);

    let secret = SecretHash([9; 32]);
    let link = PasswordLink { user: bob.id, secret, mailed: true, expires: at(90) };
    assert!(!people.add_password_link(bob.tenant, link, &event(2)).await.unwrap());
    assert!(again(2, 20).await);
    assert!(accept(1, 3, 1).await.is_none(), "another took its place");
    assert!(accept(2, 20, 1).await.is_none(), "it is over");
    let won = join_all((0..16).map(|n| accept(2, 19, n))).await;
    let won: Vec<User> = won.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert!(won.iter().all(|it| it.email_verified && it.invited.is_none()));
    assert_eq!(people.get(bob.tenant, bob.id).await.unwrap().as_ref(), won.first());
    assert!(accept(2, 19, 1).await.is_none() && !again(3, 30).await, "it was accepted");
    assert!(!invitations.withdraw(bob.tenant, bob.id, &event(20)).await.unwrap());
    assert!(people.add_password_link(bob.tenant, link, &event(20)).await.unwrap());
}

/// An invitation ends when it is taken back, with its person, and when its person is disabled.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn an_invitation_ends_with_its_person(store: &Stores) {
    let (ann, bob) = (user(0, Role::Owner), invited(4, 50));
    let (people, invitations) = (&store.people, &store.invitations);
    people.add(&ann, &event(1)).await.unwrap();
    let (whose, secret) = ((bob.tenant, bob.id), SecretHash([1; 32]));
    let accepted = Accepted { name: "Bob".to_owned(), password: vec![1; 49] };
    let first = invitation(&bob, &ann, 1, 50);
    assert!(invitations.invite(&bob, first, None, &event(1)).await.unwrap());
    let change = async |disabled, at| {
        let to = Change { disabled: Some(disabled), ..Change::default() };
        people.change(bob.tenant, bob.id, &to, &event(at)).await.unwrap()
    };
    assert_eq!(done(change(true, 3).await).unwrap().invited, Some(at(3)));
    assert!(!invitations.invite_again(bob.tenant, first, None, &event(4)).await.unwrap());
    change(false, 5).await;
    let refused = invitations.accept(whose, secret, &accepted, &event(6)).await.unwrap();
    assert!(refused.is_none(), "it has ended for good");
    assert!(invitations.invite_again(bob.tenant, first, None, &event(7)).await.unwrap());
    assert!(!invitations.withdraw(tenant(1), bob.id, &event(8)).await.unwrap(), "elsewhere");
    assert!(!invitations.withdraw(ann.tenant, ann.id, &event(8)).await.unwrap(), "a member");
    assert!(invitations.withdraw(bob.tenant, bob.id, &event(8)).await.unwrap());
    let refused = invitations.accept(whose, secret, &accepted, &event(9)).await.unwrap();
    assert!(refused.is_none(), "it was taken back");
    assert_eq!(people.list(bob.tenant).await.unwrap(), [ann]);
}

/// A person gets the address that a link went to, once, unless somebody else has it. The links before go
/// with the address before.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn an_address_is_verified_once(store: &Stores) {
    let (ann, bob) = (user(0, Role::Owner), user(4, Role::Owner));
    let (people, links) = (&store.people, &store.email_links);
    people.add(&ann, &event(1)).await.unwrap();
    people.add(&bob, &event(1)).await.unwrap();
    let add = async |n: u8, email: &str| {
        let (secret, email) = (SecretHash([n; 32]), email.to_owned());
        let link = EmailLink { user: ann.id, email, secret, expires: at(10) };
        let mail = letter(n.into(), MailKind::EmailLink);
        links.add_email_link(ann.tenant, &link, &mail, &event(2)).await.unwrap()
    };
    let verify = async |n: u8, at: i64| {
        let (whose, event) = ((ann.tenant, ann.id), event(at));
        links.use_email_link(whose, SecretHash([n; 32]), &event).await.unwrap()
    };
    assert!(add(1, "new@example.org").await && add(2, "new@example.org").await);
    assert_eq!(letters(store).await, 2);
    assert_eq!(people.by_email(ann.tenant, "new@example.org").await.unwrap(), None, "not yet");
    assert_eq!(verify(1, 3).await, EmailUsed::NotGood, "another took its place");
    assert_eq!(verify(2, 10).await, EmailUsed::NotGood, "it is over");
    let (secret, expires) = (SecretHash([9; 32]), at(90));
    let password = PasswordLink { user: ann.id, secret, mailed: true, expires };
    people.add_password_link(ann.tenant, password, &event(3)).await.unwrap();
    let won = join_all((0..8).map(|_| verify(2, 9))).await;
    let won: Vec<_> = won.into_iter().filter(|it| *it != EmailUsed::NotGood).collect();
    let now = User { email: "new@example.org".to_owned(), email_verified: true, ..ann.clone() };
    assert_eq!(won, [EmailUsed::Done(Box::new((ann.clone(), now.clone())))]);
    assert_eq!(people.get(ann.tenant, ann.id).await.unwrap(), Some(now));
    let (whose, event9) = ((ann.tenant, ann.id), event(9));
    let used = people.use_password_link(whose, secret, &[1; 49], &event9).await.unwrap();
    assert!(used.is_none(), "it went to the address before");

    assert!(add(3, &bob.email).await, "whose it is, is not told before it is read");
    assert_eq!(verify(3, 4).await, EmailUsed::Taken);
    assert!(add(4, "third@example.org").await);
    let to = |email: &str| Change { email: Some(email.to_owned()), ..Change::default() };
    let change =
        async |email: &str| people.change(ann.tenant, ann.id, &to(email), &event(5)).await.unwrap();
    assert_eq!(change(&bob.email).await, Changed::EmailTaken);
    let same = done(change("new@example.org").await).unwrap();
    assert!(same.email_verified, "it is the one that she has");
    let moved = done(change("fourth@example.org").await).unwrap();
    assert!(!moved.email_verified && moved.email == "fourth@example.org");
    assert_eq!(verify(4, 6).await, EmailUsed::NotGood, "it was another address before");
    assert!(add(5, "fifth@example.org").await);
    let from_to = (ann.password.as_slice(), [8; 49].as_slice());
    assert!(people.set_password(whose, from_to, &event(6)).await.unwrap());
    assert_eq!(verify(5, 7).await, EmailUsed::NotGood, "the password was changed since");
    let disabled = Change { disabled: Some(true), ..Change::default() };
    people.change(ann.tenant, ann.id, &disabled, &event(8)).await.unwrap();
    assert!(!add(6, "sixth@example.org").await, "the person is disabled");
}
