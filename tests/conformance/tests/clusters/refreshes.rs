//! A thousand refreshes while PostgreSQL's primary dies in the middle of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use openframe_auth::Stores;
use openframe_auth::domain::{Session, User};
use openframe_clock::Clock;
use openframe_conformance::auth::event;
use openframe_ids::{ClientId, FamilyId, SessionId, TenantId, UserId, random};
use openframe_oauth::family::{Exchange, Issued, Write};
use openframe_oauth::{
    Amr, Ask, Client, Family, Form, GrantType, Pkce, RedirectUri, Scopes, SignedIn,
};
use openframe_postgres::Database;
use openframe_tokens::Role;
use openframe_tokens::opaque::{Purpose, Secret, SecretHash, open, read};

use crate::{POSTGRES, lab, schema};

const PROGRAMS: usize = 20;
/// Before the primary dies, and again after it.
const REFRESHES: u64 = 500;
const REDIRECT: &str = "https://app.example.org/cb";

fn client(tenant: TenantId) -> Client {
    Client {
        id: ClientId::new(),
        tenant,
        name: "app".to_owned(),
        secret: Some(SecretHash([1; 32])),
        redirect_uris: vec![RedirectUri::register(REDIRECT).unwrap()],
        post_logout_uris: Vec::new(),
        backchannel_logout_uri: None,
        grants: BTreeSet::from(GrantType::ALL),
        scopes: Scopes::read("openid offline_access").unwrap(),
        keys: None,
        pkce: Pkce::Waived,
        demands: [].into(),
        created: Clock::system().now(),
    }
}

/// A person who has signed in.
async fn signed_in(stores: &Stores, tenant: TenantId) -> SignedIn {
    let now = Clock::system().now();
    let user = User {
        id: UserId::new(),
        tenant,
        email: "ann@example.org".to_owned(),
        name: "Ann".to_owned(),
        role: Role::Owner,
        disabled: false,
        email_verified: false,
        invited: None,
        password: vec![1],
        created: now,
    };
    let session = Session {
        id: SessionId::new(),
        tenant,
        user: user.id,
        secret: SecretHash([2; 32]),
        created: now,
        last_seen: now,
        expires: now,
        remote_address: String::new(),
        user_agent: String::new(),
        auth_time: now,
        amr: Amr::Password,
    };
    stores.people.add(&user, &event(1)).await.unwrap();
    stores.sessions.add(&session, &event(1)).await.unwrap();
    let (user, session) = (user.id, session.id);
    SignedIn { user, session, auth_time: now, amr: Amr::Password, allowed: Scopes::default() }
}

fn held(issued: &Issued) -> Secret {
    open(Purpose::RefreshToken, issued.refresh.as_ref().unwrap()).unwrap().1
}

fn kept(write: Option<Write>) -> Option<Box<Family>> {
    match write {
        Some(Write::Keep(next)) => Some(next),
        Some(Write::End) | None => None,
    }
}

/// A program with its first tokens.
async fn opened(stores: &Stores, client: &Client, who: &SignedIn) -> (FamilyId, Secret) {
    let request =
        format!("response_type=code&redirect_uri={REDIRECT}&nonce=n&scope=offline_access");
    let form = Form::read(request.as_bytes()).unwrap();
    let ask = Ask::read(&form, client, ("https://id.example.org", None)).unwrap();
    let (id, now) = (FamilyId::new(), Clock::system().now());
    let (family, code) = Family::granted((&ask, client), who, (id, now), &mut random);
    assert!(stores.families.add(&family, Some(&event(1))).await.unwrap());
    let code = read(Purpose::AuthorizationCode, &code).unwrap().hash;
    let shown = Exchange { code, redirect_uri: Some(REDIRECT), verifier: None, key: None };
    let step = family.exchange(client, shown, now, &mut random);
    let next = kept(step.write).unwrap();
    assert!(stores.families.replace(&next, Some(&event(1))).await.unwrap());
    (id, held(&step.answer.unwrap()))
}

/// How many refreshes were answered, and whether to go on.
#[derive(Default)]
struct Tally {
    done: AtomicU64,
    ends: AtomicBool,
}

/// Refreshes until it is told to end. Whatever fails is tried again with the same token, as programs do.
/// Every token that it ever held, in order.
async fn refreshes(
    stores: Stores,
    client: Arc<Client>,
    (id, first): (FamilyId, Secret),
    tally: Arc<Tally>,
) -> (FamilyId, Vec<Secret>) {
    let (mut tokens, mut own) = (vec![first], first);
    while !tally.ends.load(Ordering::SeqCst) {
        let Ok(family) = stores.families.get(id).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let family = family.unwrap();
        let step = family.refresh(&client, (&own, None, None), Clock::system().now(), &mut random);
        assert_ne!(step.write, Some(Write::End), "an honest program is logged out");
        let written = match kept(step.write) {
            Some(next) => matches!(stores.families.replace(&next, None).await, Ok(true)),
            None => true,
        };
        if written {
            own = held(&step.answer.unwrap());
            tokens.push(own);
            tally.done.fetch_add(1, Ordering::SeqCst);
        }
    }
    (id, tokens)
}

// B70
/// What was answered is there, and each program goes on with its newest token and with none before.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes its primary down"]
async fn no_family_is_lost_or_doubled_with_the_primary() {
    let _held = POSTGRES.alone().await;
    let lab = lab();
    let database = Database::connect(&lab.postgres(&schema("auth"))).await.unwrap();
    database.migrate(&openframe_auth_postgres::MIGRATIONS).await.unwrap();
    let stores = openframe_auth_postgres::stores(&database);
    let tenant = TenantId::new();
    let (client, who) = (Arc::new(client(tenant)), signed_in(&stores, tenant).await);
    stores.clients.add(&client, &event(1)).await.unwrap();
    let (tally, mut programs) = (Arc::<Tally>::default(), Vec::new());
    for _ in 0..PROGRAMS {
        let first = opened(&stores, &client, &who).await;
        let going = refreshes(stores.clone(), Arc::clone(&client), first, Arc::clone(&tally));
        programs.push(tokio::spawn(going));
    }
    let done = || tally.done.load(Ordering::SeqCst);
    lab.until(async || done() >= REFRESHES).await.unwrap();
    let killed = lab.postgres_primary().unwrap();
    lab.kill(killed).await.unwrap();
    let from = done();
    lab.until(async || done() >= from + REFRESHES).await.unwrap();
    tally.ends.store(true, Ordering::SeqCst);
    for program in programs {
        let (id, tokens) = program.await.unwrap();
        let family = stores.families.get(id).await.unwrap().unwrap();
        let (newest, before) = tokens.split_last().unwrap();
        assert!(family.has_refresh(newest.hash()), "lost after its answer");
        // The newest is used once more: whoever comes with an older one then has nothing.
        let now = Clock::system().now();
        let step = family.refresh(&client, (newest, None, None), now, &mut random);
        let next = kept(step.write).unwrap();
        for token in before {
            assert!(next.refresh(&client, (token, None, None), now, &mut random).answer.is_err());
        }
    }
    lab.start(killed).await.unwrap();
    database.remove_schema().await.unwrap();
    lab.postgres_whole().await.unwrap();
}
