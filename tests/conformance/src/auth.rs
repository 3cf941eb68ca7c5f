//! The auth service's promises: rules that every engine keeps, and a log of random operations that
//! must read the same from each.

use std::fmt::Write as _;

use jiff::Timestamp;
use openframe_auth::Stores;
use openframe_auth::domain::{
    ApiKey, Claims, DeviceCertificate, EnrolmentToken, Event, Filter, Generation, SETUP_TOKENS,
    Session, SetupToken, Terms, User, link,
};
use openframe_auth::store::{
    Change, Changed, Enrolment, Issuing, Joining, Keys, People, Place, SetUp,
};
use openframe_ids::{ApiKeyId, DeviceId, EnrolmentTokenId, SessionId, TenantId, UserId};
use openframe_oauth::Amr;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;
use uuid::Uuid;

/// One random operation: what to do, to which of a few things, with which value.
pub type Step = (u8, u8, u8);

pub(crate) fn id(kind: u8, n: u8) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 64) | u128::from(n) | 1 << 100)
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn tenant(n: u8) -> TenantId {
    TenantId(id(0, n))
}

/// Something that happened at `ms`.
pub fn event(ms: i64) -> Event {
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

fn setup_token(secret: u8, expires: i64) -> SetupToken {
    SetupToken { secret: SecretHash([secret; 32]), expires: at(expires) }
}

pub(crate) fn user(n: u8, role: Role) -> User {
    User {
        id: UserId(id(1, n)),
        tenant: tenant(n % 2),
        email: format!("{}@example.org", n / 4),
        email_verified: false,
        name: format!("user {n}"),
        role,
        disabled: false,
        password: vec![n; 49],
        created: at(n.into()),
        invited: None,
    }
}

pub(crate) fn token(n: u8, uses_left: u32) -> EnrolmentToken {
    EnrolmentToken {
        id: EnrolmentTokenId(id(2, n)),
        tenant: tenant(n % 2),
        name: format!("token {n}"),
        place: openframe_tokens::Place::ROOT,
        terms: Terms::default(),
        secret: SecretHash([n; 32]),
        uses_left,
        uses: 0,
        created: at(0),
        expires: at(1000),
        last_used: None,
    }
}

fn key(n: u8, owner: &User) -> ApiKey {
    ApiKey {
        id: ApiKeyId(id(4, n)),
        tenant: owner.tenant,
        owner: owner.id,
        name: format!("key {n}"),
        scopes: vec!["devices:read".to_owned(), "commands:run".to_owned()],
        secret: SecretHash([n; 32]),
        created: at(0),
        expires: at(1000),
        last_used: None,
    }
}

/// A session that lasts `n` ms.
pub(crate) fn session_of((tenant, user): (TenantId, UserId), n: u8, now: i64) -> Session {
    Session {
        id: SessionId(id(3, n)),
        tenant,
        user,
        secret: SecretHash([n; 32]),
        created: at(now),
        last_seen: at(now),
        expires: at(now + i64::from(n)),
        remote_address: String::new(),
        user_agent: String::new(),
        auth_time: at(now),
        amr: Amr::Password,
    }
}

/// When the first certificates of devices end here.
const FIRST_EXPIRES: i64 = 50;

pub(crate) fn joining(n: u8, key: u8) -> Joining {
    let (token, device) = (EnrolmentTokenId(id(2, n)), DeviceId::new());
    let first = DeviceCertificate {
        serial: format!("first of {device}"),
        tenant: tenant(n % 2),
        device,
        spki: [key; 32],
        expires: at(FIRST_EXPIRES),
    };
    let waits = Event { action: "device.wait".to_owned(), ..event(0) };
    Joining { token, secret: SecretHash([n; 32]), first, claims: Claims::default(), waits }
}

/// For a device that is bound to a key and has shown no generation.
pub(crate) fn issuing(certificate: DeviceCertificate, bound: u8) -> Issuing {
    Issuing { certificate, bound: [bound; 32], seen: 1, generation: Generation::FIRST }
}

/// Of many first owners at once one is made, and every setup token is dead then. They end by time, and
/// the newest stay.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn one_first_owner_is_made(store: &Stores) {
    let secret = SecretHash([7; 32]);
    for number in 0..=SETUP_TOKENS {
        let token = setup_token(100 + u8::try_from(number).unwrap(), 60);
        assert!(store.people.add_setup_token(tenant(0), token, &event(1)).await.unwrap());
    }
    assert!(store.people.add_setup_token(tenant(0), setup_token(7, 61), &event(1)).await.unwrap());
    let good = async |secret: u8, now: i64| {
        store.people.has_setup_token(tenant(0), SecretHash([secret; 32]), at(now)).await.unwrap()
    };
    // Of those that end at once, the first stay.
    assert!(good(7, 60).await && good(100, 59).await && !good(116, 59).await);
    assert!(!good(7, 61).await && !good(100, 60).await && !good(8, 1).await);
    let late = store.people.set_up(&user(0, Role::Owner), secret, &event(61)).await;
    assert_eq!(late.unwrap(), SetUp::Refused);
    let wrong = store.people.set_up(&user(0, Role::Owner), SecretHash([8; 32]), &event(1)).await;
    assert_eq!(wrong.unwrap(), SetUp::Refused);
    let mut tasks = Vec::new();
    for n in 0..20 {
        let people = std::sync::Arc::clone(&store.people);
        tasks.push(tokio::spawn(async move {
            people.set_up(&user(2 * n, Role::Owner), secret, &event(1)).await.unwrap()
        }));
    }
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap() == SetUp::Done);
    }
    assert_eq!(made, 1);
    assert!(!good(7, 1).await && !good(101, 1).await);
    assert!(!store.people.add_setup_token(tenant(0), setup_token(7, 9), &event(1)).await.unwrap());
}

/// An owner who acts by a key is made with it or not at all, once, and keeps nobody from setting
/// the platform up; the address that somebody has is refused then.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_bootstrapped_owner_leaves_room_for_a_person(store: &Stores) {
    let mut tasks = Vec::new();
    for n in 0..20 {
        let people = std::sync::Arc::clone(&store.people);
        tasks.push(tokio::spawn(async move {
            let owner = User { password: Vec::new(), ..user(2 * n, Role::Owner) };
            people.bootstrap(&owner, &key(n, &owner), &event(1)).await.unwrap()
        }));
    }
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
    let keys = store.keys.list(tenant(0), None).await.unwrap();
    let people = store.people.list(tenant(0)).await.unwrap();
    let ([key], [owner]) = (keys.as_slice(), people.as_slice()) else {
        assert_eq!((keys.len(), people.len()), (1, 1));
        return;
    };
    assert_eq!(key.owner, owner.id);
    assert!(!store.people.owner_signs_in(tenant(0)).await.unwrap());
    let secret = SecretHash([7; 32]);
    assert!(store.people.add_setup_token(tenant(0), setup_token(7, 60), &event(2)).await.unwrap());
    let same = User { id: UserId::new(), email: owner.email.clone(), ..user(100, Role::Owner) };
    assert_eq!(store.people.set_up(&same, secret, &event(3)).await.unwrap(), SetUp::EmailTaken);
    let ann = user(100, Role::Owner);
    assert_eq!(store.people.set_up(&ann, secret, &event(4)).await.unwrap(), SetUp::Done);
    assert!(store.people.owner_signs_in(tenant(0)).await.unwrap());
}

/// Of two changes at once neither undoes the other: what one does not name stays as it is then.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn changes_of_a_person_add_up(store: &Stores) {
    let bob = user(0, Role::ReadOnly);
    store.people.add(&bob, &event(1)).await.unwrap();
    let renamed = Change { name: Some("Bob".to_owned()), ..Change::default() };
    let promoted = Change { role: Some(Role::Technician), ..Change::default() };
    let disabled = Change { disabled: Some(true), ..Change::default() };
    let (event, people) = (event(2), &store.people);
    for change in [renamed, promoted, disabled] {
        let done = people.change(bob.tenant, bob.id, &change, &event).await.unwrap();
        assert!(matches!(done, Changed::Done(_)), "{done:?}");
    }
    let wanted =
        User { name: "Bob".to_owned(), role: Role::Technician, disabled: true, ..bob.clone() };
    assert_eq!(people.get(bob.tenant, bob.id).await.unwrap(), Some(wanted));
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
        let page =
            store.trail.search(tenant, &Filter::default(), Place::Before(5), 3).await.unwrap();
        writeln!(log, "{last:?} {page:?}").unwrap();
    }
    log
}

async fn one(store: &Stores, (what, n, value): Step, now: i64) -> String {
    let n = n % 8;
    let turn = Turn { n, value, now, tenant: tenant(n % 2), whom: UserId(id(1, n)) };
    match what % 13 {
        0..=2 => turn.of_people(&*store.people, &*store.keys, what % 13).await,
        3..=5 => turn.of_sessions(store, what % 13).await,
        6 | 7 => turn.of_keys(store, what % 13).await,
        8..=11 => turn.of_enrolment(&*store.enrolment, what % 13).await,
        _ => turn.by_email(&*store.people).await,
    }
}

/// What one step does, and to whom.
struct Turn {
    n: u8,
    value: u8,
    now: i64,
    tenant: TenantId,
    whom: UserId,
}

#[expect(clippy::unwrap_used, reason = "a store that fails is a failed test")]
impl Turn {
    fn role(&self) -> Role {
        if self.value.is_multiple_of(2) { Role::Owner } else { Role::Technician }
    }

    fn key(&self) -> ApiKeyId {
        ApiKeyId(id(4, self.value % 4))
    }

    /// Whom a change is limited to: every other one is not.
    fn only(&self) -> Option<UserId> {
        self.value.is_multiple_of(2).then_some(self.whom)
    }

    async fn is_known(&self, store: &Stores) -> bool {
        store.people.get(self.tenant, self.whom).await.unwrap().is_some()
    }

    async fn by_email(&self, people: &dyn People) -> String {
        format!("{:?}", people.by_email(self.tenant, "1@example.org").await.unwrap())
    }

    async fn of_people(&self, people: &dyn People, keys: &dyn Keys, what: u8) -> String {
        let (n, value, tenant) = (self.n, self.value, self.tenant);
        let event = event(self.now);
        let mut owner = user(n, Role::Owner);
        match what {
            // An id is somebody's once, also after the mail address was changed.
            0 | 1 if people.get(owner.tenant, owner.id).await.unwrap().is_some() => String::new(),
            0 => format!("{:?}", people.add(&user(n, self.role()), &event).await.unwrap()),
            1 if value.is_multiple_of(2) && keys.get(self.key()).await.unwrap().is_none() => {
                owner.password.clear();
                let key = key(value % 4, &owner);
                format!("{:?}", people.bootstrap(&owner, &key, &event).await.unwrap())
            }
            1 => {
                let secret = SecretHash([value; 32]);
                let token = SetupToken { secret, expires: at(self.now + i64::from(value)) };
                let added = people.add_setup_token(tenant, token, &event).await.unwrap();
                let done = people.set_up(&owner, secret, &event).await.unwrap();
                format!("{added} {done:?}")
            }
            _ => {
                let to = Change {
                    name: (value % 2 == 1).then(|| format!("n{value}")),
                    email: value.is_multiple_of(4).then(|| format!("{}@example.org", value / 4)),
                    role: (value > 1).then_some(self.role()),
                    disabled: (value > 2).then_some(value.is_multiple_of(3)),
                };
                format!("{:?}", people.change(tenant, self.whom, &to, &event).await.unwrap())
            }
        }
    }

    async fn of_sessions(&self, store: &Stores, what: u8) -> String {
        let (sessions, value, now) = (&store.sessions, self.value, self.now);
        let session = SessionId(id(3, value % 4));
        let event = event(now);
        match what {
            3 if !self.is_known(store).await || sessions.get(session).await.unwrap().is_some() => {
                String::new()
            }
            3 => {
                let it = session_of((self.tenant, self.whom), value, now);
                let it = Session { id: session, ..it };
                format!("{:?}", sessions.add(&it, &event).await.unwrap())
            }
            4 => {
                sessions.touch(session, at(now), "192.0.2.9").await.unwrap();
                let removed = sessions.remove(self.tenant, session, self.only(), &event).await;
                format!("{:?}", removed.unwrap())
            }
            _ => format!("{:?}", sessions.remove_ended(at(now), at(now / 2)).await.unwrap()),
        }
    }

    async fn of_keys(&self, store: &Stores, what: u8) -> String {
        let (keys, event, id) = (&store.keys, event(self.now), self.key());
        if what == 7 {
            let removed = keys.remove(self.tenant, self.only(), id, &event).await.unwrap();
            return format!("{removed:?}");
        }
        if !self.is_known(store).await || keys.get(id).await.unwrap().is_some() {
            return String::new();
        }
        let key = key(self.value % 4, &user(self.n, self.role()));
        keys.add(&key, &event).await.unwrap();
        keys.touch(id, at(self.now)).await.unwrap();
        format!("{:?}", keys.list(self.tenant, self.only()).await.unwrap())
    }

    async fn of_enrolment(&self, enrolment: &dyn Enrolment, what: u8) -> String {
        let (n, value, now, tenant) = (self.n, self.value, self.now, self.tenant);
        let event = event(now);
        // The device's id is drawn by the key, so that both engines are given the same.
        let device = DeviceId(Uuid::from_u128((u128::from(n) << 8) | u128::from(value)));
        match what {
            8 => {
                if !enrolment.tokens(tenant, at(0)).await.unwrap().is_empty() {
                    return String::new();
                }
                let fresh = EnrolmentToken { secret: SecretHash([n; 32]), ..token(n, 2) };
                enrolment.remove_token(tenant, fresh.id, &event).await.unwrap();
                format!("{:?}", enrolment.add_token(&fresh, &event).await.unwrap())
            }
            9 => {
                let mut joining = joining(n, value);
                joining.first.device = device;
                joining.first.serial = format!("first {now}");
                let known = enrolment.device(joining.first.tenant, device).await.unwrap();
                if known.is_some_and(|known| known.spki != joining.first.spki) {
                    // It has another key by now, and an id is a device's once.
                    return String::new();
                }
                format!("{:?}", enrolment.join(&joining, &event).await.unwrap())
            }
            10 => format!("{:?}", enrolment.revoke(tenant, device, &event).await.unwrap()),
            _ => {
                let issued = DeviceCertificate {
                    serial: format!("{now}"),
                    tenant,
                    device,
                    spki: [n; 32],
                    expires: at(now + 20),
                };
                let done = enrolment.certify(&issuing(issued, value), &event).await.unwrap();
                let last = format!("{}", now - i64::from(value));
                let counts = enrolment.counts((tenant, device), &last, at(now)).await.unwrap();
                let kept = enrolment.device(tenant, device).await.unwrap();
                format!("{done} {counts} {kept:?}")
            }
        }
    }
}
