//! Who may do what, and what the service promises beyond its stores.

mod audit;
mod devices;
mod documented;
mod ended;
mod factors;
mod guards;
mod invitations;
mod mailing;
mod passkeys;
mod places;
mod programs;
mod provisioning;
mod secrets;
mod sessions;
mod signing_keys;
#[path = "../../../../libs/passkeys/src/tests/soft.rs"]
mod soft;
mod streaming;
mod upstream;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use openframe_clock::ManualClock;
use openframe_fault::Kind;
use openframe_ids::{ApiKeyId, DeviceId, EnrolmentTokenId, PasskeyId, SessionId, TenantId, UserId};
use openframe_pki::{Authority, DeviceKey};
use openframe_tokens::{Caller, Grants, Permission, Role, Subject};

use super::{
    Asked, Auth, Entered, NewPerson, NewToken, Origin, PersonChange, Rotation, Secret, SignedIn,
    new_bootstrap_secret,
};
use crate::domain::{Entry, Event, Filter};
use crate::store::MemoryStore;
use crate::{Config, Error, Stores};

struct World {
    app: Auth,
    clock: ManualClock,
    tenant: TenantId,
}

fn world() -> World {
    let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
    let authority = Arc::new(Authority::create(clock.clock().now()).unwrap().0);
    let tenant = TenantId::new();
    let stores = Stores::of(&MemoryStore::default());
    let app = Auth::new(Config::default(), (stores, authority, clock.clock(), tenant));
    World { app, clock, tenant }
}

fn person(email: &str, role: Role) -> NewPerson {
    let (name, password) = ("Ann".to_owned(), "a good long one".to_owned());
    NewPerson { email: email.to_owned(), name, role, password }
}

fn gateway(tenant: TenantId) -> Caller {
    Caller { tenant, subject: Subject::Service { name: "gateway".to_owned() } }
}

/// The session of a sign-in that needs no second step.
fn whole(entered: Entered) -> SignedIn {
    match entered {
        Entered::Whole(opened) => *opened,
        Entered::Half(_, next) => panic!("a second step is wanted: {next:?}"),
    }
}

impl World {
    async fn owner(&self) -> SignedIn {
        let token = self.app.issue_setup_token().await.unwrap().unwrap();
        let ann = person("ann@example.org", Role::Owner);
        whole(self.app.set_up(&token, ann, &Origin::default()).await.unwrap())
    }

    /// A session of somebody who has just signed in.
    async fn fresh_session(&self) -> SessionId {
        self.log_in("ann@example.org", "a good long one").await.unwrap().session
    }

    async fn resolve(&self, secret: &str) -> Result<Asked, Error> {
        let secret = if secret.starts_with("of_ak_") {
            Secret::ApiKey(secret.to_owned())
        } else {
            Secret::Session(secret.to_owned())
        };
        let found = self.app.resolve(&gateway(self.tenant), &secret, "192.0.2.1").await?;
        Ok(Asked { caller: found.caller, origin: Origin::default() })
    }

    async fn log_in(&self, email: &str, password: &str) -> Result<SignedIn, Error> {
        self.app.log_in((email, password), None, &Origin::default()).await.map(whole)
    }
}

/// Whether `asked` gets past the authorisation of each operation, as a row of `x` and `-`.
async fn row(app: &Auth, asked: &Asked) -> String {
    fn mark<T>(answer: Result<T, Error>) -> char {
        match answer.map(drop) {
            Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::Unauthenticated) => '-',
            Ok(()) | Err(_) => 'x',
        }
    }
    let scopes = vec!["devices:read".to_owned()];
    [
        mark(app.users(asked).await),
        mark(app.create_user(asked, person("", Role::ReadOnly)).await),
        mark(app.change_user(asked, UserId::new(), PersonChange::default()).await),
        mark(app.sessions(asked, false).await),
        mark(app.sessions(asked, true).await),
        mark(app.revoke_session(asked, SessionId::new()).await),
        mark(app.api_keys(asked, false).await),
        mark(app.api_keys(asked, true).await),
        mark(app.create_api_key(asked, "k", scopes, None).await),
        mark(app.revoke_api_key(asked, ApiKeyId::new()).await),
        mark(app.enrolment_tokens(asked).await),
        mark(app.create_enrolment_token(asked, NewToken::default()).await),
        mark(app.revoke_enrolment_token(asked, EnrolmentTokenId::new()).await),
        mark(app.revoke_device(asked, DeviceId::new()).await),
        mark(app.audit(asked, Filter::default(), None, None).await),
        mark(app.export_audit(asked, Filter::default()).await),
        mark(app.verify_audit(asked).await),
        mark(app.audit_streams(asked).await),
        mark(app.keys_shown(asked).await),
        mark(app.rotate_keys(asked, Rotation::Staged).await),
        mark(app.resolve(&asked.caller, &Secret::ApiKey(String::new()), "").await),
    ]
    .into_iter()
    .collect()
}

// ASVS 8.2.1
// B33.person
#[tokio::test]
async fn each_operation_is_open_to_whom_it_should_be() {
    let world = world();
    world.owner().await;
    let (user, session, key) = (UserId::new(), world.fresh_session().await, ApiKeyId::new());
    let grants = Grants::default;
    let person = |role| Subject::User { user, session, role, grants: grants() };
    let key = |scopes: &[Permission]| {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        Subject::ApiKey { key, owner: user, role: Role::Owner, grants: grants(), scopes }
    };
    let table = [
        // users x3, sessions: own, all, revoke; keys: own, all, make, revoke; tokens x3; device;
        // audit: read, export, verify, streams; signing keys x2; resolve
        (person(Role::Owner), "xxxxxxxxxxxxxxxxxxxx-"),
        (person(Role::Technician), "---x-xx-xxxxxx-------"),
        (person(Role::ReadOnly), "---x-x---------------"),
        (key(&[Permission::DevicesRead]), "---------------------"),
        // All but one: it is held back by a scope, so it manages no people, sessions or keys.
        (key(&Permission::ALL[..11]), "----------xxxxxxxxx--"),
        (key(&Permission::ALL), "xxxxxxxxxxxxxxxxxxxx-"),
        (Subject::Device { device: DeviceId::new() }, "---------------------"),
        (Subject::Service { name: "devices".to_owned() }, "-------------x-------"),
        (Subject::Service { name: "monitoring".to_owned() }, "---------------------"),
    ];
    for (subject, wanted) in table {
        let caller = Caller { tenant: world.tenant, subject };
        let asked = Asked { caller, origin: Origin::default() };
        assert_eq!(row(&world.app, &asked).await, wanted, "{:?}", asked.caller.subject);
    }
}

// ASVS 6.4.1
#[tokio::test]
async fn each_setup_token_works_for_a_day_until_there_is_an_owner() {
    let world = world();
    let old = world.app.issue_setup_token().await.unwrap().unwrap();
    world.clock.advance(SignedDuration::from_hours(24));
    // Of two replicas that start each shows its own.
    let new = world.app.issue_setup_token().await.unwrap().unwrap();
    let other = world.app.issue_setup_token().await.unwrap().unwrap();
    for token in [old.as_str(), "", "of_su_x"] {
        let ann = person("ann@example.org", Role::Owner);
        let refused = world.app.set_up(token, ann, &Origin::default()).await;
        assert!(matches!(refused, Err(Error::NoSetup)), "{token}");
    }
    let ann = || person("ann@example.org", Role::Owner);
    world.app.set_up(&new, ann(), &Origin::default()).await.unwrap();
    for token in [new, other] {
        assert!(world.app.set_up(&token, ann(), &Origin::default()).await.is_err());
    }
    assert!(world.app.issue_setup_token().await.unwrap().is_none());
    assert!(!world.app.bootstrap(&new_bootstrap_secret()).await.unwrap());
}

#[tokio::test]
async fn a_bootstrap_key_does_everything_and_people_can_still_come() {
    let world = world();
    let key = new_bootstrap_secret();
    assert!(world.app.bootstrap(&key).await.unwrap());
    assert!(!world.app.bootstrap(&key).await.unwrap(), "once");
    assert!(world.app.holds(&key).await.unwrap());
    let asked = world.resolve(&key).await.unwrap();
    assert!(Permission::ALL.iter().all(|permission| asked.caller.may(*permission)));
    world.app.create_user(&asked, person("bob@example.org", Role::Technician)).await.unwrap();
    assert!(world.app.setup_needed().await.unwrap(), "nobody who owns it can sign in");
    let bootstrap = asked.caller.user().unwrap();
    let disabled = || PersonChange { disabled: Some(true), ..PersonChange::default() };
    let refused = world.app.change_user(&asked, bootstrap, disabled()).await;
    assert!(matches!(refused, Err(Error::LastOwner)));

    let ann = world.owner().await;
    assert!(!world.app.setup_needed().await.unwrap());
    let refused = world.app.change_user(&asked, ann.user.id, disabled()).await;
    assert!(matches!(refused, Err(Error::LastOwner)), "the key's owner cannot sign in");
    let ann = world.resolve(&ann.secret).await.unwrap();
    world.app.change_user(&ann, bootstrap, disabled()).await.unwrap();
    assert!(!world.app.holds(&key).await.unwrap());
}

// ASVS 8.2.1, 8.2.2
// B33.key, B34.manage
#[tokio::test]
async fn a_key_makes_no_key_of_more_rights_and_an_owner_revokes_it() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let make = async |by: &Asked, scopes: &[Permission]| {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        world.app.create_api_key(by, "k", scopes, None).await
    };
    let whole = make(&owner, &Permission::ALL).await.unwrap();
    let scoped = make(&owner, &[Permission::KeysManage, Permission::UsersManage]).await.unwrap();
    let whole = world.resolve(&whole.secret).await.unwrap();
    make(&whole, &[Permission::DevicesRead]).await.unwrap();
    let scoped = world.resolve(&scoped.secret).await.unwrap();
    for wanted in [&[Permission::KeysManage][..], &Permission::ALL] {
        assert!(matches!(make(&scoped, wanted).await, Err(Error::PeopleOnly)));
    }
    let bob = person("bob@example.org", Role::Technician);
    world.app.create_user(&whole, bob).await.unwrap();
    let bob = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let bob = world.resolve(&bob.secret).await.unwrap();
    let his = make(&bob, &[Permission::DevicesRead]).await.unwrap();
    let hers = world.app.api_keys(&owner, false).await.unwrap()[0].id;
    assert!(matches!(world.app.revoke_api_key(&bob, hers).await, Err(Error::Missing(_))));
    assert_eq!(world.app.api_keys(&owner, true).await.unwrap().len(), 4);
    world.app.revoke_api_key(&owner, his.key.id).await.unwrap();
    assert!(!world.app.holds(&his.secret).await.unwrap());
}

#[tokio::test]
async fn what_the_platform_does_by_itself_is_on_record_as_its_own() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    world.app.own_enrolment_token("this machine", 10).await.unwrap();
    let (page, _) = world.app.audit(&owner, Filter::default(), None, None).await.unwrap();
    let own = page.iter().map(|it| &it.event).filter(|it| it.actor_kind == "service");
    let own: Vec<_> = own.map(|it| (it.actor.as_str(), it.action.as_str())).collect();
    assert_eq!(own, [("openframe", "enrolment_token.create"), ("openframe", "setup_token.create")]);
}

#[tokio::test]
async fn refusals_of_services_are_told_together() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let gateway = gateway(world.tenant);
    let refused = |actor: &str| {
        let who = ("user", actor.to_owned());
        let event = world.app.event_by(who, &Origin::default(), "request", "GET /x");
        Event { outcome: "refused".to_owned(), ..event }
    };
    for actor in ["ann", "ann", "bob", "ann"] {
        world.app.record(&gateway, world.tenant, refused(actor)).await.unwrap();
    }
    let told = async || {
        let (page, _) = world.app.audit(&owner, Filter::default(), None, None).await.unwrap();
        page.into_iter().filter(|it| it.event.outcome == "refused").collect::<Vec<_>>()
    };
    assert_eq!(told().await.len(), 2);
    world.clock.advance(SignedDuration::from_secs(60));
    world.app.tell_refusals(false).await;
    assert_eq!(told().await[0].event.detail, "2 more in 60 s");
    let failed = Event { outcome: "failed".to_owned(), ..refused("ann") };
    world.app.record(&gateway, world.tenant, failed).await.unwrap();
    let other = world.app.record(&owner.caller, world.tenant, refused("ann")).await;
    assert!(matches!(other, Err(Error::ServicesOnly)));
}

// ASVS 6.3.1
// B21.sign-in, B22.account
#[tokio::test]
async fn a_wrong_password_and_a_stranger_get_the_same_answer_until_the_budget_is_spent() {
    let world = world();
    world.owner().await;
    for email in ["ann@example.org", "nobody@example.org"] {
        for _ in 0..5 {
            assert!(matches!(world.log_in(email, "wrong").await, Err(Error::BadLogin)));
        }
        let refused = world.log_in(email, "a good long one").await;
        assert!(matches!(refused, Err(Error::TooManyLogins(_))));
    }
    world.clock.advance(SignedDuration::from_secs(30));
    world.log_in("Ann@Example.org", "a good long one").await.unwrap();
}

// ASVS 6.2.2, 6.2.3, 7.4.3
#[tokio::test]
async fn a_changed_password_ends_every_session_but_a_new_one() {
    let world = world();
    let here = world.owner().await;
    let other = world.log_in("ann@example.org", "a good long one").await.unwrap();
    let asked = world.resolve(&here.secret).await.unwrap();
    let key = world.app.create_api_key(&asked, "k", vec!["devices:read".to_owned()], None).await;
    let key = key.unwrap().secret;
    let (old, new) = ("a good long one", "a better long one");
    for (typed, wanted) in [
        (("wrong", new), "wrong_password"),
        ((old, "short"), "invalid"),
        ((old, "password1"), "invalid"),
        ((old, old), "invalid"),
    ] {
        let refused = world.app.change_password(&asked, typed).await.err().unwrap();
        assert_eq!(refused.code(), wanted, "{typed:?}");
    }
    let by_key = world.resolve(&key).await.unwrap();
    let refused = world.app.change_password(&by_key, (old, new)).await;
    assert!(matches!(refused, Err(Error::PeopleOnly)));

    let changed = world.app.change_password(&asked, (old, new)).await.unwrap();
    for secret in [&here.secret, &other.secret] {
        assert!(matches!(world.resolve(secret).await, Err(Error::NotSignedIn)));
    }
    for secret in [&changed.secret, &key] {
        world.resolve(secret).await.unwrap();
    }
    let (trail, _) = world
        .app
        .audit(&world.resolve(&changed.secret).await.unwrap(), Filter::default(), None, None)
        .await
        .unwrap();
    let changes = trail.iter().filter(|it| it.event.action == "password.change");
    let outcomes: Vec<&str> = changes.map(|it| it.event.outcome.as_str()).collect();
    assert_eq!(outcomes, ["done", "refused"]);
    assert!(matches!(world.log_in("ann@example.org", old).await, Err(Error::BadLogin)));
    world.log_in("ann@example.org", new).await.unwrap();
}

// ASVS 6.3.1
#[tokio::test]
async fn whoever_found_an_open_browser_may_not_guess_on() {
    let world = world();
    let asked = world.resolve(&world.owner().await.secret).await.unwrap();
    for _ in 0..Config::default().login_burst {
        let refused = world.app.change_password(&asked, ("wrong", "a better long one")).await;
        assert!(matches!(refused, Err(Error::WrongPassword)));
    }
    let right = ("a good long one", "a better long one");
    let refused = world.app.change_password(&asked, right).await;
    assert!(matches!(refused, Err(Error::TooManyLogins(_))));
}

// ASVS 6.3.1, 16.3.3
// B22.network
#[tokio::test]
async fn strangers_are_refused_before_any_work_and_cost_few_lines() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let from = |address: &str| Origin { remote_address: address.to_owned(), ..Origin::default() };
    let config = Config::default();
    let mut refused = 0;
    for n in 0..config.login_network_burst + 200 {
        let tried = if n % 2 == 0 {
            world.app.log_in((&format!("{n}@example.org"), ""), None, &from("192.0.2.1")).await
        } else {
            let ann = person("ann@example.org", Role::Owner);
            world.app.set_up("of_su_x", ann, &from("192.0.2.2")).await
        };
        refused += u32::from(matches!(tried, Err(Error::TooManyLogins(_))));
    }
    assert_eq!(refused, 200);
    let csr = DeviceKey::generate().unwrap().csr_pem("host").unwrap();
    let mut refused = 0;
    for _ in 0..config.enrol_network_burst + 200 {
        let tried = world.app.enrol("of_et_x", &csr, ("host", None), &from("192.0.2.1")).await;
        refused += u32::from(matches!(tried, Err(Error::TooManyEnrolments(_))));
    }
    assert_eq!(refused, 200);
    // From elsewhere everything is as it was.
    let origin = from("198.51.100.1");
    world.app.log_in(("ann@example.org", "a good long one"), None, &origin).await.unwrap();
    let made = world
        .app
        .create_enrolment_token(&owner, NewToken { uses: Some(2), ..NewToken::default() })
        .await
        .unwrap();
    let (token, _) = made.secret.split_once('.').unwrap();
    world.app.enrol(token, &csr, ("host", None), &origin).await.unwrap();

    let (before, _) = world.app.audit(&owner, Filter::default(), None, Some(500)).await.unwrap();
    assert!(before.len() < 100, "{} lines of {} refusals", before.len(), 1450);
    world.app.tell_refusals(true).await;
    let (after, _) = world.app.audit(&owner, Filter::default(), None, Some(500)).await.unwrap();
    let told: u64 = after[..after.len() - before.len()]
        .iter()
        .filter_map(|entry| entry.event.detail.split(' ').next()?.parse::<u64>().ok())
        .sum();
    let alone = before.iter().filter(|it| it.event.outcome == "refused").count() as u64;
    assert_eq!(told + alone, 250 + 1200);
}

#[tokio::test]
async fn a_busy_platform_takes_no_budget() {
    let mut world = world();
    world.owner().await;
    let config = Config { password_wait_seconds: 0, ..Config::default() };
    let idle = std::mem::replace(&mut world.app.passwords, super::Passwords::new(&config));
    let _all = world.app.passwords.occupy();
    for _ in 0..20 {
        let busy = world.log_in("ann@example.org", "a good long one").await;
        assert!(matches!(busy, Err(Error::Busy)));
    }
    world.app.passwords = idle;
    world.log_in("ann@example.org", "a good long one").await.unwrap();
}

// ASVS 7.3.1, 7.3.2, 7.4.1
#[tokio::test]
async fn a_session_ends_by_idleness_by_age_and_by_logout() {
    let world = world();
    let first = world.owner().await;
    world.clock.advance(SignedDuration::from_mins(30));
    assert!(world.resolve(&first.secret).await.is_err());

    let second = world.log_in("ann@example.org", "a good long one").await.unwrap();
    for _ in 0..24 {
        world.resolve(&second.secret).await.unwrap();
        world.clock.advance(SignedDuration::from_mins(29));
    }
    world.resolve(&second.secret).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(25));
    assert!(world.resolve(&second.secret).await.is_err(), "12 h are over");
    assert_eq!(world.app.clean_up().await.unwrap(), 2);

    let third = world.log_in("ann@example.org", "a good long one").await.unwrap();
    let asked = world.resolve(&third.secret).await.unwrap();
    world.app.log_out(&asked).await.unwrap();
    assert!(world.resolve(&third.secret).await.is_err());
}

// ASVS 7.2.4
#[tokio::test]
async fn a_sign_in_ends_the_session_that_the_browser_had() {
    let world = world();
    let first = world.owner().await;
    let right = ("ann@example.org", "a good long one");
    let origin = Origin::default();
    let forged = format!("{}x", first.secret);
    for old in [None, Some("nonsense"), Some(forged.as_str())] {
        world.app.log_in(right, old, &origin).await.unwrap();
        world.resolve(&first.secret).await.unwrap();
    }
    let wrong = ("ann@example.org", "wrong");
    world.app.log_in(wrong, Some(&first.secret), &origin).await.err().unwrap();
    world.resolve(&first.secret).await.unwrap();
    let second = whole(world.app.log_in(right, Some(&first.secret), &origin).await.unwrap());
    assert!(world.resolve(&first.secret).await.is_err());
    world.resolve(&second.secret).await.unwrap();
}

// ASVS 7.4.2
#[tokio::test]
async fn a_change_of_a_person_counts_at_once() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let bob = world.app.create_user(&owner, person("bob@example.org", Role::Technician)).await;
    let bob = bob.unwrap();
    let signed_in = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let asked = world.resolve(&signed_in.secret).await.unwrap();
    let scopes = vec!["commands:run".to_owned()];
    let key = world.app.create_api_key(&asked, "k", scopes, None).await.unwrap();
    let too_much = vec!["users:manage".to_owned()];
    assert!(world.app.create_api_key(&asked, "k", too_much, None).await.is_err());

    let demoted = PersonChange { role: Some(Role::ReadOnly), ..PersonChange::default() };
    world.app.change_user(&owner, bob.id, demoted).await.unwrap();
    for secret in [&signed_in.secret, &key.secret] {
        let asked = world.resolve(secret).await.unwrap();
        assert!(!asked.caller.may(Permission::CommandsRun));
    }
    let disabled = PersonChange { disabled: Some(true), ..PersonChange::default() };
    world.app.change_user(&owner, bob.id, disabled).await.unwrap();
    for secret in [&signed_in.secret, &key.secret] {
        assert!(matches!(world.resolve(secret).await, Err(Error::NotSignedIn)));
    }
    assert!(world.log_in("bob@example.org", "a good long one").await.is_err());
    let last = PersonChange { role: Some(Role::Technician), ..PersonChange::default() };
    let refused = world.app.change_user(&owner, owner.caller.user().unwrap(), last).await;
    assert!(matches!(refused, Err(Error::LastOwner)));
}
