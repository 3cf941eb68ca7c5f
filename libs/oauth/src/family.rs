//! A token family: what one permission, given to one client, has become. It begins as a code, the code
//! becomes tokens, tokens become newer ones, and all of them end together.
//!
//! Every change is a pure step: what is kept and a request go in, the answer and what to keep instead
//! come out. Whoever keeps families writes the new one only in the place of the one that was read
//! ([`Family::version`]), and answers only then; if another was faster, the step is taken anew.

pub(crate) mod kept;
mod refresh;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{ClientId, FamilyId, SessionId, TenantId, UserId};
use openframe_tokens::opaque::{Purpose, Secret, SecretHash};
use serde::{Deserialize, Serialize};

use crate::pkce::Challenge;
use crate::scope::{OFFLINE_ACCESS, OPENID};
use crate::{Amr, Ask, Client, GrantType, Refusal, Scopes, SignedIn};

/// How long a code is good.
pub const CODE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// How long an access token is good.
pub const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How long a refresh token is good that nobody uses.
pub const IDLE_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 14);
/// How long a family of a client with a secret lasts at most.
pub const CONFIDENTIAL_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);
/// The same of one that cannot keep a secret.
pub const PUBLIC_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Where 256 unguessable bits come from.
pub type Random<'a> = &'a mut dyn FnMut() -> [u8; 32];

/// Everything that comes of one permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The id; every code and token names it.
    pub id: FamilyId,
    /// The tenant.
    pub tenant: TenantId,
    /// Whose tokens they are.
    pub client: ClientId,
    /// For whom the client acts; none: for itself.
    pub holder: Option<Holder>,
    /// What was allowed.
    pub scopes: Scopes,
    /// When it was allowed.
    pub created: Timestamp,
    /// When it ends in any case.
    pub expires: Timestamp,
    /// How often it was changed.
    pub version: u64,
    /// The hash of the code that it began with; none where the client acts for itself.
    pub code: Option<SecretHash>,
    /// What it is now.
    pub phase: Phase,
}

/// The person behind a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The person.
    pub user: UserId,
    /// The session in which it was allowed. Whoever ends it ends the family.
    pub session: SessionId,
    /// When the person last showed to be that person.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Amr,
}

/// What a family is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A code is on its way to the client.
    Code(Code),
    /// The client has tokens.
    Open(Box<Tokens>),
}

/// What the client must show with its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The address that the code was sent to; none where no browser has brought it.
    pub redirect_uri: Option<String>,
    /// What it must prove.
    pub challenge: Option<Challenge>,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// The key that has to go with it, by its thumbprint (RFC 9449, 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When the code is good no more.
    pub expires: Timestamp,
}

/// The tokens that are good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// The newest access token.
    pub access: Access,
    /// The one before: requests that are under way shall not fail for a refresh.
    pub older: Option<Access>,
    /// How to come to the next.
    pub refresh: Option<Refresh>,
    /// The key that has to go with all of them, by its thumbprint (RFC 9449, 6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Its hash.
    #[serde(with = "kept::hash")]
    pub hash: SecretHash,
    /// What it reaches.
    pub scopes: Scopes,
    /// When it is good no more.
    pub expires: Timestamp,
}

/// The refresh token that is good, and those that were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Its hash.
    #[serde(with = "kept::hash")]
    pub hash: SecretHash,
    /// When it is good no more, unless it is used.
    pub expires: Timestamp,
    /// The one that was shown for it, as long as nothing proves that the answer has arrived.
    pub spent: Option<Spent>,
    /// Marks of those that are certainly used up: the newest last.
    pub used: Vec<u64>,
}

/// A refresh token whose answer may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Its hash.
    #[serde(with = "kept::hash")]
    pub hash: SecretHash,
    /// When it was answered.
    pub at: Timestamp,
    /// From it and the token itself the answer can be made again.
    #[serde(with = "kept::bytes")]
    pub salt: [u8; 32],
    /// How often the answer was replaced by another.
    pub retries: u8,
}

/// What a step comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// For the client, once what is to be written is.
    pub answer: Result<Issued, Refusal>,
    /// What to write.
    pub write: Option<Write>,
    /// What is worth a line on the audit trail.
    pub noted: Option<Noted>,
}

/// What becomes of a family.
#[derive(Debug, PartialEq, Eq)]
pub enum Write {
    /// This takes the place of what was read.
    Keep(Box<Family>),
    /// It ends, and every token with it.
    End,
}

/// What happened to a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// A code became tokens.
    Opened,
    /// The answer to a refresh seems lost; another was given.
    Retried,
    /// A code was shown twice: somebody has read it.
    CodeReplayed,
    /// A refresh token was shown that was used up: two have it.
    RefreshReplayed,
}

/// Tokens for a client. Never printed by `Debug`.
#[derive(PartialEq, Eq)]
pub struct Issued {
    /// The access token.
    pub access: String,
    /// When it is good no more.
    pub expires: Timestamp,
    /// Whether proofs of a key have to go with it.
    pub bound: bool,
    /// What it reaches.
    pub scopes: Scopes,
    /// The refresh token.
    pub refresh: Option<String>,
    /// Whom an ID token is about, where one is wanted.
    pub about: Option<About>,
}

/// What an ID token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The person, and the sign-in.
    pub holder: Holder,
    /// What the client has sent along.
    pub nonce: Option<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued(***, {})", self.scopes)
    }
}

/// A code, and what a client shows with it.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The code.
    pub code: SecretHash,
    /// Where the client says it was sent.
    pub redirect_uri: Option<&'a str>,
    /// The proof of PKCE.
    pub verifier: Option<&'a str>,
    /// The key that a proof came with (RFC 9449), by its thumbprint.
    pub key: Option<&'a str>,
}

impl Client {
    /// How long what it was allowed lasts at most.
    pub fn family_lifetime(&self) -> SignedDuration {
        if self.is_confidential() { CONFIDENTIAL_LIFETIME } else { PUBLIC_LIFETIME }
    }
}

impl Step {
    fn refused() -> Self {
        Self { answer: Err(Refusal::grant()), write: None, noted: None }
    }

    fn ended(noted: Noted) -> Self {
        Self { answer: Err(Refusal::grant()), write: Some(Write::End), noted: Some(noted) }
    }
}

impl Family {
    /// What a person has allowed a client, and the code that says so.
    pub fn granted(
        (ask, client): (&Ask, &Client),
        who: &SignedIn,
        (id, now): (FamilyId, Timestamp),
        random: Random<'_>,
    ) -> (Self, String) {
        let code = Secret::new(random());
        let SignedIn { user, session, auth_time, amr, .. } = *who;
        let holder = Holder { user, session, auth_time, amr };
        let family = Self {
            id,
            tenant: client.tenant,
            client: client.id,
            holder: Some(holder),
            scopes: ask.scopes.clone(),
            created: now,
            expires: now + client.family_lifetime(),
            version: 0,
            code: Some(code.hash()),
            phase: Phase::Code(Code {
                redirect_uri: Some(ask.redirect_uri.clone()),
                challenge: ask.challenge,
                nonce: ask.nonce.clone(),
                key: ask.key.clone(),
                expires: now + CODE_LIFETIME,
            }),
        };
        (family, code.text(Purpose::AuthorizationCode, id.0))
    }

    /// A client that acts for itself: one access token, and nothing after it.
    pub fn of_client(
        client: &Client,
        (scopes, key): (Scopes, Option<&str>),
        (id, now): (FamilyId, Timestamp),
        random: Random<'_>,
    ) -> (Self, Issued) {
        let secret = Secret::new(random());
        let expires = now + ACCESS_LIFETIME;
        let access = Access { hash: secret.hash(), scopes: scopes.clone(), expires };
        let family = Self {
            id,
            tenant: client.tenant,
            client: client.id,
            holder: None,
            scopes: scopes.clone(),
            created: now,
            expires,
            version: 0,
            code: None,
            phase: Phase::Open(Box::new(Tokens {
                access,
                older: None,
                refresh: None,
                key: key.map(str::to_owned),
            })),
        };
        let access = secret.text(Purpose::AccessToken, id.0);
        let bound = key.is_some();
        (family, Issued { access, expires, bound, scopes, refresh: None, about: None })
    }

    /// A client shows its code (RFC 6749, 4.1.3). A code that was shown before ends the family: it was
    /// read by another, and who of the two was first cannot be known.
    pub fn exchange(
        &self,
        client: &Client,
        shown: Exchange<'_>,
        now: Timestamp,
        random: Random<'_>,
    ) -> Step {
        if self.code != Some(shown.code) {
            return Step::refused();
        }
        let Phase::Code(code) = &self.phase else { return Step::ended(Noted::CodeReplayed) };
        if client.id != self.client || now >= code.expires || !code.is_met_by(&shown) {
            return Step::refused();
        }
        if let Err(refusal) = client.needs_key(code.key.as_deref(), shown.key) {
            return Step { answer: Err(refusal), write: None, noted: None };
        }
        let access = Secret::new(random());
        let offline =
            self.scopes.has(OFFLINE_ACCESS) && client.needs(GrantType::RefreshToken).is_ok();
        let refresh = offline.then(|| Secret::new(random()));
        let tokens = Tokens {
            access: self.access_of(access, self.scopes.clone(), now),
            older: None,
            refresh: refresh.map(|secret| Refresh {
                hash: secret.hash(),
                expires: self.idle_end(now),
                spent: None,
                used: Vec::new(),
            }),
            key: shown.key.map(str::to_owned),
        };
        let answer = self.issued(&tokens, (access, refresh), code.nonce.clone());
        let mut next = self.changed(tokens);
        if refresh.is_none() {
            next.expires = answer.expires;
        }
        Step {
            answer: Ok(answer),
            write: Some(Write::Keep(Box::new(next))),
            noted: Some(Noted::Opened),
        }
    }

    /// The access token of this hash, if it is good.
    pub fn access(&self, hash: SecretHash, now: Timestamp) -> Option<&Access> {
        let Phase::Open(tokens) = &self.phase else { return None };
        let mut all = std::iter::once(&tokens.access).chain(&tokens.older);
        all.find(|access| access.hash == hash && now < access.expires)
    }

    /// The key that has to go with its tokens, by its thumbprint.
    pub fn key(&self) -> Option<&str> {
        match &self.phase {
            Phase::Code(code) => code.key.as_deref(),
            Phase::Open(tokens) => tokens.key.as_deref(),
        }
    }

    /// Whether this is the hash of its refresh token, or of the one before that may be shown again.
    pub fn has_refresh(&self, hash: SecretHash) -> bool {
        let Phase::Open(tokens) = &self.phase else { return false };
        let refresh = tokens.refresh.as_ref();
        let spent = refresh.and_then(|refresh| refresh.spent.as_ref()).map(|spent| spent.hash);
        refresh.is_some_and(|refresh| refresh.hash == hash) || spent == Some(hash)
    }

    /// Without the access token of this hash; none if it is not among the good ones.
    pub fn without_access(&self, hash: SecretHash, now: Timestamp) -> Option<Self> {
        let Phase::Open(tokens) = &self.phase else { return None };
        self.access(hash, now)?;
        let mut tokens = Tokens::clone(tokens);
        if tokens.access.hash == hash {
            tokens.access.expires = now;
        }
        tokens.older = tokens.older.filter(|older| older.hash != hash);
        Some(self.changed(tokens))
    }

    fn changed(&self, tokens: Tokens) -> Self {
        Self { version: self.version + 1, phase: Phase::Open(Box::new(tokens)), ..self.clone() }
    }

    fn access_of(&self, secret: Secret, scopes: Scopes, now: Timestamp) -> Access {
        let expires = self.expires.min(now + ACCESS_LIFETIME);
        Access { hash: secret.hash(), scopes, expires }
    }

    fn idle_end(&self, now: Timestamp) -> Timestamp {
        self.expires.min(now + IDLE_LIFETIME)
    }

    fn issued(
        &self,
        tokens: &Tokens,
        (secret, refresh): (Secret, Option<Secret>),
        nonce: Option<String>,
    ) -> Issued {
        let access = &tokens.access;
        let holder = self.holder.filter(|_| access.scopes.has(OPENID));
        Issued {
            access: secret.text(Purpose::AccessToken, self.id.0),
            expires: access.expires,
            bound: tokens.key.is_some(),
            scopes: access.scopes.clone(),
            refresh: refresh.map(|secret| secret.text(Purpose::RefreshToken, self.id.0)),
            about: holder.map(|holder| About { holder, nonce }),
        }
    }
}

impl Code {
    fn is_met_by(&self, shown: &Exchange<'_>) -> bool {
        let proven = match (self.challenge, shown.verifier) {
            (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier),
            // A verifier without a challenge: somebody has taken the challenge out of the request
            // (RFC 9700, 4.8).
            (None, Some(_)) | (Some(_), None) => false,
            (None, None) => true,
        };
        let keyed = self.key.is_none() || self.key.as_deref() == shown.key;
        proven && keyed && shown.redirect_uri == self.redirect_uri.as_deref()
    }
}
