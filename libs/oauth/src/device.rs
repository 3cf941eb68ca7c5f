//! A program on a device without a browser asks, and a person answers on another (RFC 8628).
//!
//! What the person has allowed is a [`Family`] from then on, which begins with the device code as others
//! do with an authorization code: it is good once, and shown twice it ends what came of it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{ClientId, FamilyId, TenantId};
use openframe_tokens::opaque::{Purpose, Secret, SecretHash};
use sha2::{Digest as _, Sha256};

use crate::family::{Code as Begun, Holder, Phase, Random};
use crate::{Client, Code, Family, Form, GrantType, Refusal, Scopes, SignedIn};

/// How long a person has to answer.
pub const DEVICE_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How often a program may ask whether the person has; it grows by the same when it asks more often
/// (RFC 8628, 3.5).
const POLL_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Letters that are not mistaken for each other and spell no word (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code: 34 bits.
const LENGTH: usize = 8;

/// What a person types in.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

// It is a secret for as long as it is good.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(***)")
    }
}

impl fmt::Display for UserCode {
    /// In two halves, as it is read out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        write!(f, "{first}-{second}")
    }
}

impl UserCode {
    fn new(random: Random<'_>) -> Self {
        let mut letters = String::new();
        while letters.len() < LENGTH {
            // Bytes beyond a multiple of 20 would make some letters likelier.
            let even = random().into_iter().filter(|byte| *byte < 240);
            let drawn = even.filter_map(|byte| LETTERS.get(usize::from(byte % 20)));
            letters.extend(drawn.take(LENGTH - letters.len()).map(|letter| char::from(*letter)));
        }
        Self(letters)
    }

    /// Reads what a person has typed: in any case, with marks and spaces between.
    pub fn read(text: &str) -> Option<Self> {
        let typed = text.chars().take(4 * LENGTH).filter(char::is_ascii_alphanumeric);
        let letters: String = typed.map(|letter| letter.to_ascii_uppercase()).collect();
        let known = letters.bytes().all(|letter| LETTERS.contains(&letter));
        (known && letters.len() == LENGTH).then_some(Self(letters))
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(&self.0).into())
    }
}

/// What a program waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceGrant {
    /// The id, which becomes the family's.
    pub id: FamilyId,
    /// The tenant.
    pub tenant: TenantId,
    /// Who waits.
    pub client: ClientId,
    /// What for.
    pub scopes: Scopes,
    /// The hash of what the program shows.
    pub device_code: SecretHash,
    /// The hash of what the person types in.
    pub user_code: SecretHash,
    /// From which address it asked, and as what: the person is told.
    pub asked_from: (String, String),
    /// When it asked.
    pub created: Timestamp,
    /// When nobody can answer any more.
    pub expires: Timestamp,
    /// Whether the person has said no.
    pub denied: bool,
    /// When the program last asked whether there is an answer.
    pub polled: Option<Timestamp>,
    /// How long it has to wait in between.
    pub interval: SignedDuration,
}

impl DeviceGrant {
    /// What a client asks for (RFC 8628, 3.1), what its program shows, and what the person types in.
    pub fn ask(
        (form, client): (&Form, &Client),
        asked_from: (String, String),
        (id, now): (FamilyId, Timestamp),
        random: Random<'_>,
    ) -> Result<(Self, String, UserCode), Refusal> {
        client.needs(GrantType::DeviceCode)?;
        let scopes = crate::authorize::scopes(form, client)?;
        let (secret, user_code) = (Secret::new(random()), UserCode::new(random));
        let grant = Self {
            id,
            tenant: client.tenant,
            client: client.id,
            scopes,
            device_code: secret.hash(),
            user_code: user_code.hash(),
            asked_from,
            created: now,
            expires: now + DEVICE_LIFETIME,
            denied: false,
            polled: None,
            interval: POLL_INTERVAL,
        };
        Ok((grant, secret.text(Purpose::DeviceCode, id.0), user_code))
    }

    /// The program asks although there is no answer, or a no (RFC 8628, 3.5): what it is told, and what
    /// to keep instead.
    pub fn poll(
        &self,
        client: &Client,
        shown: SecretHash,
        now: Timestamp,
    ) -> (Refusal, Option<Self>) {
        if client.id != self.client || shown != self.device_code {
            return (Refusal::grant(), None);
        }
        if self.denied {
            return (Refusal::new(Code::AccessDenied, "the person does not allow it"), None);
        }
        if now >= self.expires {
            return (Refusal::new(Code::ExpiredToken, "nobody has answered; start anew"), None);
        }
        let early = self.polled.is_some_and(|last| now.duration_since(last) < self.interval);
        let next = Self { polled: Some(now), ..self.clone() };
        if early {
            let interval = self.interval + POLL_INTERVAL;
            let slower = Refusal::new(Code::SlowDown, "ask less often");
            return (slower, Some(Self { interval, ..next }));
        }
        (Refusal::new(Code::AuthorizationPending, "the person has not answered yet"), Some(next))
    }

    /// What the person has allowed.
    pub fn allowed(&self, client: &Client, who: &SignedIn, now: Timestamp) -> Family {
        let SignedIn { user, session, auth_time, amr, .. } = *who;
        let holder = Holder { user, session, auth_time, amr };
        Family {
            id: self.id,
            tenant: self.tenant,
            client: self.client,
            holder: Some(holder),
            scopes: self.scopes.clone(),
            created: now,
            expires: now + client.family_lifetime(),
            version: 0,
            code: Some(self.device_code),
            phase: Phase::Code(Begun {
                redirect_uri: None,
                challenge: None,
                nonce: None,
                key: None,
                expires: self.expires,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::ToSpan as _;
    use openframe_ids::{SessionId, UserId};
    use openframe_tokens::opaque::read;

    use super::*;
    use crate::Pkce;
    use crate::family::{Exchange, Write};

    fn client() -> Client {
        Client {
            id: ClientId::new(),
            tenant: TenantId::new(),
            name: "app".to_owned(),
            secret: None,
            redirect_uris: Vec::new(),
            post_logout_uris: Vec::new(),
            backchannel_logout_uri: None,
            grants: BTreeSet::from([GrantType::DeviceCode, GrantType::RefreshToken]),
            scopes: Scopes::read("openid offline_access devices:read").unwrap(),
            keys: None,
            pkce: Pkce::Required,
            demands: [].into(),
            created: Timestamp::UNIX_EPOCH,
        }
    }

    fn asked(client: &Client) -> (DeviceGrant, SecretHash) {
        let form = Form::read(b"scope=openid+devices:read+users:manage").unwrap();
        let (mut drawn, at) = (0_u8, (FamilyId::new(), Timestamp::UNIX_EPOCH));
        let mut random = || {
            drawn += 1;
            [drawn; 32]
        };
        let from = ("192.0.2.1".to_owned(), "tv".to_owned());
        let (grant, code, _) = DeviceGrant::ask((&form, client), from, at, &mut random).unwrap();
        (grant, read(Purpose::DeviceCode, &code).unwrap().hash)
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        let mut drawn = 255_u8;
        let code = UserCode::new(&mut || {
            drawn = drawn.wrapping_sub(5);
            std::array::from_fn(|at| drawn.wrapping_add(at.try_into().unwrap()))
        });
        let shown = code.to_string();
        assert_eq!((shown.len(), shown.find('-')), (9, Some(4)));
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " ")] {
            assert_eq!(UserCode::read(&typed), Some(code.clone()), "{typed}");
        }
        for bad in ["", "BCDF-GHJ", "BCDF-GHJA", "BCDF-GHJKL", "BCDF-GH1K", "ÄCDF-GHJK"] {
            assert_eq!(UserCode::read(bad), None, "{bad}");
        }
        assert_eq!(format!("{code:?}"), "UserCode(***)");
    }

    // B13.slow-down, B13.denied, B13.expired
    #[test]
    fn who_asks_too_often_waits_longer() {
        let client = client();
        let (grant, code) = asked(&client);
        assert_eq!(grant.scopes.to_string(), "devices:read openid", "what it may have");
        let at = |seconds: i64| Timestamp::UNIX_EPOCH + seconds.seconds();
        let poll = |grant: &DeviceGrant, seconds| {
            let (refusal, next) = grant.poll(&client, code, at(seconds));
            (refusal.code, next.unwrap())
        };
        let (code_, grant) = poll(&grant, 0);
        assert_eq!(code_, Code::AuthorizationPending);
        let (code_, grant) = poll(&grant, 4);
        assert_eq!((code_, grant.interval), (Code::SlowDown, SignedDuration::from_secs(10)));
        let (code_, grant) = poll(&grant, 13);
        assert_eq!((code_, grant.interval), (Code::SlowDown, SignedDuration::from_secs(15)));
        let (code_, grant) = poll(&grant, 28);
        assert_eq!(code_, Code::AuthorizationPending);
        let (refusal, next) = grant.poll(&client, code, at(600));
        assert_eq!((refusal.code, next), (Code::ExpiredToken, None));
        let denied = DeviceGrant { denied: true, ..grant.clone() };
        assert_eq!(denied.poll(&client, code, at(60)).0.code, Code::AccessDenied);
        let other = Client { id: ClientId::new(), ..client.clone() };
        assert_eq!(grant.poll(&other, code, at(60)), (Refusal::grant(), None));
        assert_eq!(grant.poll(&client, SecretHash([0; 32]), at(60)), (Refusal::grant(), None));
    }

    #[test]
    fn what_was_allowed_is_given_once() {
        let client = client();
        let (grant, code) = asked(&client);
        let who = SignedIn {
            user: UserId::new(),
            session: SessionId::new(),
            auth_time: Timestamp::UNIX_EPOCH,
            amr: crate::Amr::Password,
            allowed: Scopes::default(),
        };
        let family = grant.allowed(&client, &who, Timestamp::UNIX_EPOCH);
        let shown = Exchange { code, redirect_uri: None, verifier: None, key: None };
        let exchange = |family: &Family| {
            family.exchange(&client, shown, Timestamp::UNIX_EPOCH, &mut || [9; 32])
        };
        let step = exchange(&family);
        let issued = step.answer.unwrap();
        assert_eq!(
            (issued.scopes.to_string().as_str(), issued.about.is_some()),
            ("devices:read openid", true)
        );
        let Some(Write::Keep(next)) = step.write else { unreachable!("it is kept") };
        assert_eq!(exchange(&next).write, Some(Write::End), "shown twice");
    }

    #[test]
    fn a_client_needs_the_grant() {
        let client = Client { grants: BTreeSet::new(), ..client() };
        let at = (FamilyId::new(), Timestamp::UNIX_EPOCH);
        let from = (String::new(), String::new());
        let asked =
            DeviceGrant::ask((&Form::default(), &client), from, at, &mut || [1; 32]).unwrap_err();
        assert_eq!(asked.code, Code::UnauthorizedClient);
    }
}
