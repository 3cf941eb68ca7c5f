//! Sessions: whose they are, listing and ending them, and resolving secrets for the gateway.

use jiff::Timestamp;
use openframe_fault::chain;
use openframe_ids::{ApiKeyId, SessionId, TenantId, UserId};
use openframe_oauth::DEVICE_LIFETIME;
use openframe_tokens::opaque::{Presented, Purpose, csrf_token, read};
use openframe_tokens::{Caller, Permission, Subject};

use super::{Asked, Auth, KeyProof, Origin, Proven, in_session, need, whole};
use crate::Error;
use crate::domain::{SEEN_STEP, Session, User};
use crate::store::Answer;

/// A secret that came with a request.
pub enum Secret {
    /// A session cookie's value.
    Session(String),
    /// An API key.
    ApiKey(String),
    /// An OAuth client's access token.
    AccessToken(String),
    /// The same, bound to a key, with a proof for a request.
    BoundToken {
        /// The token.
        token: String,
        /// The proof.
        proof: String,
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
    },
    /// The same, whose proof was checked when its request came.
    ProvenToken(String),
}

/// Whose a secret is.
#[derive(Debug)]
pub struct Resolved {
    /// The caller.
    pub caller: Caller,
    /// For sessions: what `x-csrf-token` must be.
    pub csrf_token: Option<String>,
    /// When the credential ends by itself.
    pub expires: Timestamp,
}

impl Auth {
    /// The person behind the request, with the CSRF token and the session if there is one.
    pub async fn me(&self, asked: &Asked) -> Result<(User, Option<(SessionId, String)>), Error> {
        let id = asked.caller.user().ok_or(Error::NotSignedIn)?;
        let user = self.store.people.get(asked.caller.tenant, id).await?;
        let user = user.ok_or(Error::NotSignedIn)?;
        let Ok((_, session)) = in_session(&asked.caller) else { return Ok((user, None)) };
        let session = self.store.sessions.get(session).await?.ok_or(Error::NotSignedIn)?;
        let csrf = csrf_token(&Presented { id: session.id.0, hash: session.secret });
        Ok((user, Some((session.id, csrf))))
    }

    /// Ends the session that asks.
    pub async fn log_out(&self, asked: &Asked) -> Result<(), Error> {
        let (user, session) = in_session(&asked.caller)?;
        let event = self.event(asked, "session.end", session);
        self.store.sessions.remove(asked.caller.tenant, session, Some(user), &event).await?;
        Ok(())
    }

    /// Ends the session whose secret a browser has shown, if there is one.
    pub(super) async fn end_session_of(&self, secret: &str, origin: &Origin) -> Result<(), Error> {
        let Some(shown) = read(Purpose::Session, secret) else { return Ok(()) };
        let id = SessionId(shown.id);
        let found = self.store.sessions.get(id).await?;
        let Some(session) = found.filter(|it| it.secret == shown.hash) else { return Ok(()) };
        let who = ("user", session.user.to_string());
        let event = self.event_by(who, origin, "session.end", id);
        self.store.sessions.remove(session.tenant, id, None, &event).await?;
        Ok(())
    }

    /// The caller's sessions, or everybody's, with the mail address of each.
    pub async fn sessions(
        &self,
        asked: &Asked,
        all: bool,
    ) -> Result<Vec<(Session, String)>, Error> {
        let user = whole(&asked.caller)?;
        let (tenant, now) = (asked.caller.tenant, self.now());
        let people = if all {
            need(&asked.caller, Permission::UsersManage)?;
            self.store.people.list(tenant).await?
        } else {
            self.store.people.get(tenant, user).await?.into_iter().collect()
        };
        let mut sessions = self.store.sessions.list(tenant, (!all).then_some(user)).await?;
        sessions.retain(|session| session.ends(self.idle()) > now);
        let email =
            |user: UserId| people.iter().find(|it| it.id == user).map(|it| it.email.clone());
        Ok(sessions
            .into_iter()
            .map(|it| {
                let of = email(it.user);
                (it, of.unwrap_or_default())
            })
            .collect())
    }

    /// Ends a session: one's own, or anybody's for who manages people. Whoever has found an open browser
    /// does not lock its person out (OWASP ASVS 5.0, 7.5.2).
    pub async fn revoke_session(&self, asked: &Asked, id: SessionId) -> Result<(), Error> {
        let user = whole(&asked.caller)?;
        self.fresh(asked).await?;
        let only = (!asked.caller.may(Permission::UsersManage)).then_some(user);
        let event = self.event(asked, "session.revoke", id);
        let done = self.store.sessions.remove(asked.caller.tenant, id, only, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("session")) }
    }

    /// Whose secret the gateway was shown. Read from the store each time, so that a person who was
    /// disabled a moment ago is nobody now.
    pub async fn resolve(
        &self,
        caller: &Caller,
        secret: &Secret,
        remote_address: &str,
    ) -> Result<Resolved, Error> {
        if !caller.is_service("gateway") {
            return Err(Error::ServicesOnly);
        }
        let origin = Origin { remote_address: remote_address.to_owned(), ..Origin::default() };
        match secret {
            Secret::Session(text) => self.resolve_session(text, remote_address).await,
            Secret::ApiKey(text) => self.resolve_key(text).await,
            Secret::AccessToken(text) => self.resolve_access(text, Proven::Not, &origin).await,
            Secret::BoundToken { token, proof, method, path } => {
                let shown = KeyProof { proof, method, path };
                self.resolve_access(token, Proven::Now(&shown), &origin).await
            }
            Secret::ProvenToken(text) => self.resolve_access(text, Proven::Before, &origin).await,
        }
    }

    pub(super) async fn resolve_session(
        &self,
        text: &str,
        remote: &str,
    ) -> Result<Resolved, Error> {
        let shown = read(Purpose::Session, text).ok_or(Error::NotSignedIn)?;
        let now = self.now();
        let found = self.store.sessions.get(SessionId(shown.id)).await?;
        let session = found
            .filter(|it| it.secret == shown.hash && it.ends(self.idle()) > now)
            .ok_or(Error::NotSignedIn)?;
        let user = self.enabled(session.tenant, session.user).await?;
        // Asked each time: whoever signed in before it was required signs in again, and enrols.
        if session.amr.is_one_factor()
            && self.store.settings.get(session.tenant).await?.second_factor_required
        {
            return Err(Error::NotSignedIn);
        }
        if now.duration_since(session.last_seen) >= SEEN_STEP {
            let touched = self.store.sessions.touch(session.id, now, remote).await;
            untouched(touched, "session");
        }
        let grants = self.granted(user.tenant, user.id).await?;
        let subject = Subject::User { user: user.id, session: session.id, role: user.role, grants };
        Ok(Resolved {
            caller: Caller { tenant: session.tenant, subject },
            csrf_token: Some(csrf_token(&shown)),
            expires: session.expires,
        })
    }

    pub(super) async fn resolve_key(&self, text: &str) -> Result<Resolved, Error> {
        let shown = read(Purpose::ApiKey, text).ok_or(Error::NotSignedIn)?;
        let now = self.now();
        let found = self.store.keys.get(ApiKeyId(shown.id)).await?;
        let key = found
            .filter(|it| it.secret == shown.hash && it.expires > now)
            .ok_or(Error::NotSignedIn)?;
        let owner = self.enabled(key.tenant, key.owner).await?;
        if key.last_used.is_none_or(|used| now.duration_since(used) >= SEEN_STEP) {
            untouched(self.store.keys.touch(key.id, now).await, "key");
        }
        let grants = self.granted(owner.tenant, owner.id).await?;
        let (owner, role, scopes) = (owner.id, owner.role, key.scopes);
        let subject = Subject::ApiKey { key: key.id, owner, role, grants, scopes };
        let caller = Caller { tenant: key.tenant, subject };
        Ok(Resolved { caller, csrf_token: None, expires: key.expires })
    }

    pub(super) async fn enabled(&self, tenant: TenantId, id: UserId) -> Result<User, Error> {
        self.if_enabled(tenant, id).await?.ok_or(Error::NotSignedIn)
    }

    /// The person, unless there is none or sign-in is refused.
    pub(super) async fn if_enabled(
        &self,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<User>, Error> {
        let user = self.store.people.get(tenant, id).await?;
        Ok(user.filter(|user| !user.disabled))
    }

    /// Forgets ended sessions and certificates, and unused budgets; says how many sessions.
    pub(crate) async fn clean_up(&self) -> Result<u64, Error> {
        let now = self.now();
        self.sign_ins.forget_whole(now);
        self.enrolments.forget_whole(now);
        self.program_asks.forget_whole(now);
        self.mailing.forget_whole(now);
        let idle_since = now.saturating_sub(self.idle()).unwrap_or(Timestamp::MIN);
        self.store.enrolment.forget_certificates(now).await?;
        self.store.families.forget_ended(now).await?;
        self.store.sign_ins.forget_ended(now).await?;
        // A program that asks a little later is still told that it was too late.
        let before = now.saturating_sub(DEVICE_LIFETIME).unwrap_or(now);
        self.store.device_grants.forget(before).await?;
        self.store.pushed.forget(now).await?;
        self.store.one_times.forget(now).await?;
        self.renew_signing_keys().await?;
        Ok(self.store.sessions.remove_ended(now, idle_since).await?)
    }
}

/// Says that a use was not written down. Whoever holds a good secret gets in all the same: a full
/// disk must not lock out the people who could make room.
pub(super) fn untouched(touched: Answer<()>, what: &str) {
    if let Err(error) = touched {
        tracing::warn!("the last use of a {what} is not written down: {}", chain(&error));
    }
}
