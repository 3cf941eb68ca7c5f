//! The auth service's promises: rules that every engine keeps, and a log of random operations that
//! must read the same from each.

use std::fmt::Write as _;

use jiff::Timestamp;
use openframe_auth::Stores;
use openframe_auth::domain::{ApiKey, EnrolmentToken, Event, Session, User, link};
use openframe_auth::store::{Change, Joining};
use openframe_ids::{ApiKeyId, DeviceId, EnrolmentTokenId, SessionId, TenantId, UserId};
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;
use uuid::Uuid;

/// One random operation: what to do, to which of a few things, with which value.
pub type Step = (u8, u8, u8);

fn id(kind: u8, n: u8) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 64) | u128::from(n) | 1 << 100)
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn tenant(n: u8) -> TenantId {
    TenantId(id(0, n))
}

fn event(ms: i64) -> Event {
    let text = |text: &str| text.to_owned();
    Event {
        at: at(ms),
        actor_kind: text("user"),
        actor: text("ann"),
        action: text("test"),
        target: text("target"),
        outcome: text("done"),
        detail: format!("at {ms}"),
        remote_address: text("192.0.2.1"),
        request_id: text(""),
    }
}

fn user(n: u8, role: Role) -> User {
    User {
        id: UserId(id(1, n)),
        tenant: tenant(n % 2),
        email: format!("{}@example.org", n / 4),
        name: format!("user {n}"),
        role,
        disabled: false,
        password: vec![n; 49],
        created: at(n.into()),
    }
}

fn token(n: u8, uses_left: u32) -> EnrolmentToken {
    EnrolmentToken {
        id: EnrolmentTokenId(id(2, n)),
        tenant: tenant(n % 2),
        name: format!("token {n}"),
        secret: SecretHash([n; 32]),
        uses_left,
        uses: 0,
        created: at(0),
        expires: at(1000),
        last_used: None,
    }
}

fn joining(n: u8, key: u8) -> Joining {
    let (token, device) = (EnrolmentTokenId(id(2, n)), DeviceId::new());
    Joining { token, secret: SecretHash([n; 32]), spki: [key; 32], device }
}

/// Of a hundred devices at once, one joins with a token for one; the same key joins again; wrong
/// and late ones do not.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_single_use_token_lets_one_in(store: &Stores) {
    store.enrolment.add_token(&token(0, 1), &event(1)).await.unwrap();
    let mut tasks = Vec::new();
    for key in 0..100 {
        let enrolment = std::sync::Arc::clone(&store.enrolment);
        tasks.push(tokio::spawn(async move {
            enrolment.join(&joining(0, key), &event(2)).await.unwrap()
        }));
    }
    let mut joined = Vec::new();
    for task in tasks {
        joined.extend(task.await.unwrap());
    }
    assert_eq!(joined.len(), 1);
    let [first] = joined.as_slice() else { return };
    let again = Joining { spki: first.spki, ..joining(0, 0) };
    let same = store.enrolment.join(&again, &event(3)).await.unwrap().unwrap();
    assert_eq!(same.id, first.id);
    let wrong = Joining { secret: SecretHash([9; 32]), ..again.clone() };
    assert_eq!(store.enrolment.join(&wrong, &event(4)).await.unwrap(), None);
    assert_eq!(store.enrolment.join(&again, &event(1000)).await.unwrap(), None);
    assert!(store.enrolment.revoke(first.tenant, first.id, &event(5)).await.unwrap());
    assert_eq!(store.enrolment.join(&again, &event(6)).await.unwrap(), None);
}

/// Of many first owners at once one is made, and the setup token is dead then.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn one_first_owner_is_made(store: &Stores) {
    let secret = SecretHash([7; 32]);
    store.people.set_setup(tenant(0), secret).await.unwrap();
    let wrong = Some(SecretHash([8; 32]));
    assert!(!store.people.add_first(&user(0, Role::Owner), wrong, &event(1)).await.unwrap());
    let mut tasks = Vec::new();
    for n in 0..20 {
        let people = std::sync::Arc::clone(&store.people);
        tasks.push(tokio::spawn(async move {
            people.add_first(&user(2 * n, Role::Owner), Some(secret), &event(1)).await.unwrap()
        }));
    }
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(store.people.setup(tenant(0)).await.unwrap(), None);
}

/// Does each step and writes down every answer and everything that is kept at the end.
///
/// # Panics
/// When a store fails, or an audit chain does not hold.
#[expect(clippy::unwrap_used, reason = "a store that fails is a failed test")]
pub async fn log(store: &Stores, steps: &[Step]) -> String {
    let mut log = String::new();
    for (now, step) in (1..).zip(steps) {
        writeln!(log, "{step:?}: {}", one(store, *step, now).await).unwrap();
    }
    for n in 0..2 {
        let tenant = tenant(n);
        let users = store.people.list(tenant).await.unwrap();
        let sessions = store.sessions.list(tenant, None).await.unwrap();
        let tokens = store.enrolment.tokens(tenant, at(0)).await.unwrap();
        writeln!(log, "{users:?}\n{sessions:?}\n{tokens:?}").unwrap();
        let (mut hash, mut last) = ([0; 32], None);
        for entry in store.trail.after(tenant, 0, 1000).await.unwrap() {
            hash = link(&hash, tenant, entry.seq, &entry.event);
            assert_eq!(hash, entry.hash, "entry {} of the audit trail", entry.seq);
            last = Some((entry.seq, hash));
        }
        assert_eq!(store.trail.head(tenant).await.unwrap(), last);
        let page = store.trail.page(tenant, Some(5), 3).await.unwrap();
        writeln!(log, "{last:?} {page:?}").unwrap();
    }
    log
}

#[expect(clippy::unwrap_used, reason = "a store that fails is a failed test")]
async fn one(store: &Stores, (what, n, value): Step, now: i64) -> String {
    let n = n % 8;
    let (tenant, whom) = (tenant(n % 2), UserId(id(1, n)));
    let role = if value % 2 == 0 { Role::Owner } else { Role::Technician };
    let event = event(now);
    let session = SessionId(id(3, value % 4));
    let key = ApiKeyId(id(4, value % 4));
    let known = store.people.get(tenant, whom).await.unwrap().is_some();
    match what % 12 {
        0 => format!("{:?}", store.people.add(&user(n, role), &event).await.unwrap()),
        1 => format!("{:?}", store.people.add_first(&user(n, role), None, &event).await.unwrap()),
        2 => {
            let to = Change { name: format!("n{value}"), role, disabled: value % 3 == 0 };
            format!("{:?}", store.people.change(tenant, whom, &to, &event).await.unwrap())
        }
        3 if known && store.sessions.get(session).await.unwrap().is_none() => {
            let it = Session {
                id: session,
                tenant,
                user: whom,
                secret: SecretHash([value; 32]),
                created: at(now),
                last_seen: at(now),
                expires: at(now + i64::from(value)),
                remote_address: String::new(),
                user_agent: String::new(),
            };
            format!("{:?}", store.sessions.add(&it, &event).await.unwrap())
        }
        4 => {
            store.sessions.touch(session, at(now), "192.0.2.9").await.unwrap();
            let only = (value % 2 == 0).then_some(whom);
            format!("{:?}", store.sessions.remove(tenant, session, only, &event).await.unwrap())
        }
        5 => format!("{:?}", store.sessions.remove_ended(at(now), at(now / 2)).await.unwrap()),
        6 if known && store.keys.get(key).await.unwrap().is_none() => {
            let it = ApiKey {
                id: key,
                tenant,
                owner: whom,
                name: "k".to_owned(),
                scopes: vec!["devices:read".to_owned(), "commands:run".to_owned()],
                secret: SecretHash([value; 32]),
                created: at(now),
                expires: at(now + 9),
                last_used: None,
            };
            store.keys.add(&it, &event).await.unwrap();
            store.keys.touch(key, at(now)).await.unwrap();
            format!("{:?}", store.keys.list(tenant, whom).await.unwrap())
        }
        7 => format!("{:?}", store.keys.remove(tenant, whom, key, &event).await.unwrap()),
        8 if store.enrolment.tokens(tenant, at(0)).await.unwrap().is_empty() => {
            let fresh = EnrolmentToken { secret: SecretHash([n; 32]), ..token(n, 2) };
            store.enrolment.remove_token(tenant, fresh.id, &event).await.unwrap();
            format!("{:?}", store.enrolment.add_token(&fresh, &event).await.unwrap())
        }
        9 => {
            // The device's id is drawn by the key, so that both engines are given the same.
            let device = DeviceId(Uuid::from_u128((u128::from(n) << 8) | u128::from(value)));
            let joining = Joining { device, ..joining(n, value) };
            format!("{:?}", store.enrolment.join(&joining, &event).await.unwrap())
        }
        10 => {
            let device = DeviceId(Uuid::from_u128((u128::from(n) << 8) | u128::from(value)));
            format!("{:?}", store.enrolment.revoke(tenant, device, &event).await.unwrap())
        }
        _ => format!("{:?}", store.people.by_email(tenant, "1@example.org").await.unwrap()),
    }
}
