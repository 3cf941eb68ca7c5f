//! The auth service's promises about other providers that people may sign in at: rules that every engine
//! keeps.

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{IdentityProvider, Invitation, UpstreamLink, User};
use openframe_auth::store::{Change, Known, LinkKept, ProviderKept};
use openframe_ids::IdentityProviderId;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, id, tenant, user};

fn provider(n: u8) -> IdentityProvider {
    IdentityProvider {
        id: IdentityProviderId(id(50, n)),
        tenant: tenant(n % 2),
        name: format!("provider {n}"),
        issuer: format!("https://id{n}.example.org"),
        client_id: format!("client {n}"),
        secret: vec![n; 48],
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        domains: vec!["example.org".to_owned()],
        creates: n.is_multiple_of(4).then_some(Role::ReadOnly),
        trusts_mfa: n.is_multiple_of(4),
        enabled: true,
        created: at(n.into()),
    }
}

fn link(of: &IdentityProvider, subject: &str, user: &User) -> UpstreamLink {
    UpstreamLink {
        provider: of.id,
        subject: subject.to_owned(),
        tenant: of.tenant,
        user: user.id,
        created: at(5),
    }
}

/// Adds a person whose address is verified.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
async fn verified(store: &Stores, n: u8) -> User {
    let user = User { email_verified: true, ..user(n, Role::Technician) };
    assert!(store.people.add(&user, &event(1)).await.unwrap());
    user
}

#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
async fn add(store: &Stores, it: &IdentityProvider) -> ProviderKept {
    store.identity_providers.add(it, &event(2)).await.unwrap()
}

/// A name and a provider are there once in a tenant; what it is called there stays; nobody has too many.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_provider_is_there_once(store: &Stores) {
    let (providers, first) = (&store.identity_providers, provider(0));
    assert_eq!(add(store, &first).await, ProviderKept::Done);
    let IdentityProvider { name, issuer, .. } = first.clone();
    assert_eq!(add(store, &IdentityProvider { name, ..provider(2) }).await, ProviderKept::Taken);
    let same = IdentityProvider { issuer, ..provider(2) };
    assert_eq!(add(store, &same).await, ProviderKept::Taken);
    // Another tenant may have it as well.
    let other = IdentityProvider { tenant: tenant(1), id: provider(1).id, ..first.clone() };
    assert_eq!(add(store, &other).await, ProviderKept::Done);
    assert_eq!(add(store, &provider(2)).await, ProviderKept::Done);
    assert_eq!(providers.list(tenant(0)).await.unwrap(), [first.clone(), provider(2)]);
    assert_eq!(providers.get(tenant(0), first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(providers.get(tenant(1), first.id).await.unwrap(), None);

    let change = async |it: &IdentityProvider| providers.change(it, &event(3)).await.unwrap();
    let next = IdentityProvider {
        id: first.id,
        tenant: first.tenant,
        name: "another".to_owned(),
        enabled: false,
        domains: Vec::new(),
        creates: None,
        ..provider(6)
    };
    assert_eq!(change(&next).await, ProviderKept::Done);
    let IdentityProvider { issuer, client_id, created, .. } = first.clone();
    let want = IdentityProvider { issuer, client_id, created, ..next.clone() };
    assert_eq!(providers.get(tenant(0), first.id).await.unwrap(), Some(want));
    let taken = IdentityProvider { name: provider(2).name, ..next.clone() };
    assert_eq!(change(&taken).await, ProviderKept::Taken);
    let foreign = IdentityProvider { tenant: tenant(1), ..next };
    assert_eq!(change(&foreign).await, ProviderKept::Missing);
    for n in (4..).step_by(2) {
        if providers.list(tenant(0)).await.unwrap().len() == IdentityProvider::MOST {
            break;
        }
        assert_eq!(add(store, &provider(n)).await, ProviderKept::Done);
    }
    assert_eq!(add(store, &provider(200)).await, ProviderKept::TooMany);
}

/// A name means one person for ever, and a person has one name: of many at once one wins. Only an address
/// that its person has shown to read says who somebody is.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_name_there_means_one_person(store: &Stores) {
    let (providers, first) = (&store.identity_providers, provider(0));
    add(store, &first).await;
    let (ann, bob) = (verified(store, 0).await, verified(store, 4).await);
    let keep = async |subject: &str, user: &User| {
        let known = Known::ByAddress(&user.email);
        providers.link(&link(&first, subject, user), known, &event(5)).await.unwrap()
    };
    let whom = async |subject: &str| {
        providers.linked(tenant(0), first.id, subject).await.unwrap().map(|user| user.0)
    };
    let won = join_all([&ann, &bob, &ann, &bob].map(|user| keep("s", user))).await;
    let done: Vec<&User> = won.iter().filter_map(linked).collect();
    assert_eq!(done.len(), 1, "{won:?}");
    let winner = *done.first().unwrap();
    assert_eq!(whom("s").await, Some(winner.id.0));
    let loser = if winner.id == ann.id { &bob } else { &ann };
    assert_eq!(keep("t", winner).await, LinkKept::Taken, "a person has one name");
    assert_eq!(whom("t").await, None);
    assert_eq!(keep("t", loser).await, LinkKept::Done(Box::new(loser.clone())));
    assert_eq!(providers.linked(tenant(1), first.id, "s").await.unwrap(), None);
    assert_eq!(whom("S").await, None, "letter by letter");

    let unread = user(8, Role::Technician);
    store.people.add(&unread, &event(1)).await.unwrap();
    assert_eq!(keep("u", &unread).await, LinkKept::NotGood, "an address that is not verified");
    let foreign = verified(store, 13).await;
    assert_eq!(keep("u", &foreign).await, LinkKept::NotGood, "another tenant's");
    let moved = User { email: "else@example.org".to_owned(), ..verified(store, 16).await };
    assert_eq!(keep("u", &moved).await, LinkKept::NotGood, "another address by now");
    let shut = verified(store, 20).await;
    let disabled = Change { disabled: Some(true), ..Change::default() };
    store.people.change(shut.tenant, shut.id, &disabled, &event(6)).await.unwrap();
    assert_eq!(keep("u", &shut).await, LinkKept::NotGood, "not let in");

    let off = IdentityProvider { enabled: false, ..first.clone() };
    assert_eq!(providers.change(&off, &event(7)).await.unwrap(), ProviderKept::Done);
    let late = verified(store, 24).await;
    assert_eq!(keep("v", &late).await, LinkKept::NotGood, "nobody signs in there");
    assert!(!providers.remove(tenant(1), first.id, &event(8)).await.unwrap());
    assert!(providers.remove(tenant(0), first.id, &event(8)).await.unwrap());
    assert!(!providers.remove(tenant(0), first.id, &event(8)).await.unwrap());
    assert_eq!((whom("s").await, keep("s", &ann).await), (None, LinkKept::NotGood));
}

fn linked(kept: &LinkKept) -> Option<&User> {
    match kept {
        LinkKept::Done(user) => Some(user),
        LinkKept::Taken | LinkKept::NotGood => None,
    }
}

/// Who is made or joins by a link does so with it, or not at all.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_person_is_made_with_the_link(store: &Stores) {
    let (providers, first, ann) =
        (&store.identity_providers, provider(0), verified(store, 0).await);
    add(store, &first).await;
    let new = User { email_verified: true, password: Vec::new(), ..user(4, Role::ReadOnly) };
    let make = async |subject: &str, user: &User| {
        let it = link(&first, subject, user);
        providers.link(&it, Known::New(user), &event(5)).await.unwrap()
    };
    assert_eq!(make("s", &new).await, LinkKept::Done(Box::new(new.clone())));
    let again = User { email: "other@example.org".to_owned(), ..user(8, Role::ReadOnly) };
    assert_eq!(make("s", &again).await, LinkKept::Taken);
    assert_eq!(store.people.get(again.tenant, again.id).await.unwrap(), None, "nobody is left");
    let same = User { email: ann.email.clone(), ..user(8, Role::ReadOnly) };
    assert_eq!(make("t", &same).await, LinkKept::NotGood, "somebody has the address");

    let invited =
        User { password: Vec::new(), invited: Some(at(50)), ..user(12, Role::Technician) };
    let (user, inviter, secret) = (invited.id, ann.id, SecretHash([1; 32]));
    let invitation = Invitation { user, inviter, secret, mailed: false, expires: at(50) };
    store.invitations.invite(&invited, invitation, None, &event(6)).await.unwrap();
    let join = async |subject: &str, email: &str, ms: i64| {
        let known = Known::Invited(email, "Bob");
        providers.link(&link(&first, subject, &invited), known, &event(ms)).await.unwrap()
    };
    assert_eq!(join("t", "else@example.org", 7).await, LinkKept::NotGood);
    assert_eq!(join("t", &invited.email, 50).await, LinkKept::NotGood, "too late");
    assert_eq!(join("s", &invited.email, 7).await, LinkKept::Taken);
    let waits = store.people.get(tenant(0), user).await.unwrap();
    assert_eq!(waits, Some(invited.clone()), "still invited");
    let joined =
        User { name: "Bob".to_owned(), email_verified: true, invited: None, ..invited.clone() };
    assert_eq!(join("t", &invited.email, 7).await, LinkKept::Done(Box::new(joined.clone())));
    assert_eq!(store.people.get(tenant(0), user).await.unwrap(), Some(joined));
    assert_eq!(join("u", &invited.email, 8).await, LinkKept::NotGood, "once");
    let trail = store.trail.after(tenant(0), 0, 100).await.unwrap();
    assert_eq!(trail.len(), 5, "a person, a provider, an invitation and two links: {trail:?}");
}
