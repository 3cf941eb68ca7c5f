//! Signing in: the first factor, and then the second of whoever has one or needs one. Every way in that
//! begins with a password or at another provider goes through [`Auth::after_first`]; none makes a session
//! past it. A passkey is two factors by itself: [`Auth::sign_in_by_passkey`].

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{SessionId, SignInId, UserId};
use openframe_oauth::Amr;
use openframe_tokens::opaque::{Presented, Purpose, csrf_token, mint, read};

use super::{Auth, Origin};
use crate::Error;
use crate::domain::{HalfSignIn, KeptGrant, Session, User, email, network};

/// How long the second step of a sign-in may take.
pub(super) const HALF_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// A session just opened, or given another secret.
pub struct SignedIn {
    /// Whose it is.
    pub user: User,
    /// The session.
    pub session: SessionId,
    /// The cookie's value: the only time it is seen.
    pub secret: String,
    /// What `x-csrf-token` must be.
    pub csrf_token: String,
    /// What the person is granted at places.
    pub grants: Vec<KeptGrant>,
}

/// What comes after the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// What the person has: a code of the app, a passkey, or a recovery code.
    Code(Ways),
    /// The person has no second factor, and needs one here: enrols it.
    Enrol,
}

/// The second factors that somebody has. A recovery code is good in the place of any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// An authenticator app.
    pub app: bool,
    /// Passkeys.
    pub passkey: bool,
}

impl Ways {
    /// Whether there is any.
    pub fn any(self) -> bool {
        self.app || self.passkey
    }
}

/// How far a sign-in has come.
pub enum Entered {
    /// To its end.
    Whole(Box<SignedIn>),
    /// Half way: what the browser shows for itself, and what comes next.
    Half(String, NextStep),
}

impl Auth {
    /// Signs in. Unknown people, wrong passwords and disabled people cost the same work and get the
    /// same answer. The session that the same browser had before ends.
    pub async fn log_in(
        &self,
        (typed, password): (&str, &str),
        old_session: Option<&str>,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let account = email(typed).unwrap_or_default();
        let signing_in = self.log_in_now(&account, password, origin);
        let entered = self.limited("session.create", Some(&account), origin, signing_in).await?;
        if let Some(old) = old_session {
            self.end_session_of(old, origin).await?;
        }
        Ok(entered)
    }

    async fn log_in_now(
        &self,
        account: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let user = self.store.people.by_email(self.tenant, account).await?;
        let kept = user.as_ref().map(|user| user.password.as_slice());
        let right = self.passwords.verify(password, kept).await?;
        let Some(user) = user.filter(|user| right && !user.disabled) else {
            self.metrics.sign_ins_refused.inc();
            let who = ("nobody", account.to_owned());
            self.refused(self.event_by(who, origin, "session.create", ""), None).await;
            return Err(Error::BadLogin);
        };
        self.after_password(user, origin).await
    }

    /// Goes on after a password was right, or was chosen by whoever may choose it.
    pub(super) async fn after_password(
        &self,
        user: User,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        self.after_first(user, (Amr::Password, self.now()), origin).await
    }

    /// Goes on after a first factor: how and when it was shown is said by `shown`. Whoever has a second
    /// factor here shows it, whatever another provider has asked for.
    pub(super) async fn after_first(
        &self,
        user: User,
        shown: (Amr, Timestamp),
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let Some(next) = self.next_step(&user, shown.0).await? else {
            let opened = self.open_session(user, shown, origin).await?;
            return Ok(Entered::Whole(Box::new(opened)));
        };
        let id = SignInId::new();
        let minted = mint(Purpose::HalfSignIn, id.0);
        let half = HalfSignIn {
            id,
            tenant: user.tenant,
            user: user.id,
            secret: minted.hash,
            amr: shown.0,
            expires: self.now() + HALF_LIFETIME,
        };
        let who = ("user", user.id.to_string());
        let event = self.event_by(who, origin, "sign_in.begin", id);
        self.store.sign_ins.begin(&half, &event).await?;
        Ok(Entered::Half(minted.text, next))
    }

    /// The second factors that somebody has.
    pub(super) async fn ways(&self, user: UserId) -> Result<Ways, Error> {
        let app = self.store.factors.totp(user).await?.is_some();
        let passkey = !self.store.passkeys.list(user).await?.is_empty();
        Ok(Ways { app, passkey })
    }

    async fn next_step(&self, user: &User, shown: Amr) -> Result<Option<NextStep>, Error> {
        let ways = self.ways(user.id).await?;
        if ways.any() {
            return Ok(Some(NextStep::Code(ways)));
        }
        if !shown.is_one_factor() {
            return Ok(None);
        }
        let required = self.store.settings.get(user.tenant).await?.second_factor_required;
        Ok(required.then_some(NextStep::Enrol))
    }

    /// What comes next in the sign-in that a browser shows.
    pub async fn half_signed_in(&self, half: Option<&str>) -> Result<NextStep, Error> {
        let (half, user) = self.half(half).await?;
        // None: an owner has just decided that nobody needs a factor.
        self.next_step(&user, half.amr).await?.ok_or(Error::BadSignIn)
    }

    /// The sign-in that a browser shows, and whose it is.
    pub(super) async fn half(&self, shown: Option<&str>) -> Result<(HalfSignIn, User), Error> {
        let shown = shown.and_then(|text| read(Purpose::HalfSignIn, text));
        let shown = shown.ok_or(Error::BadSignIn)?;
        let kept = self.store.sign_ins.get(SignInId(shown.id)).await?;
        let good = |it: &HalfSignIn| it.secret == shown.hash && it.expires > self.now();
        let half = kept.filter(good).ok_or(Error::BadSignIn)?;
        let user = self.if_enabled(half.tenant, half.user).await?.ok_or(Error::BadSignIn)?;
        Ok((half, user))
    }

    /// Ends a sign-in that a browser shows with a code of the person's app, or a recovery code.
    pub async fn finish_sign_in(
        &self,
        half: Option<&str>,
        code: &str,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let finishing = self.finish_sign_in_now(half, code, origin);
        self.limited("session.create", None, origin, finishing).await
    }

    async fn finish_sign_in_now(
        &self,
        half: Option<&str>,
        code: &str,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let (half, user) = self.half(half).await?;
        self.use_factor(&user, code, ("session.create", origin)).await?;
        if !self.store.sign_ins.end(half.id).await? {
            return Err(Error::BadSignIn);
        }
        self.open_session(user, (half.amr.with_code(), self.now()), origin).await
    }

    /// Lets a stranger try to get in, unless there were too many tries: then nothing is done for
    /// them at all. What failed for our own reasons is not counted as a try.
    pub(super) async fn limited<T>(
        &self,
        action: &str,
        account: Option<&str>,
        origin: &Origin,
        trying: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let network = network(&origin.remote_address);
        if let Err(wait) = self.sign_ins.take(&network, account, self.now()) {
            self.metrics.sign_ins_refused.inc();
            let who = ("nobody", account.unwrap_or_default().to_owned());
            let mut event = self.event_by(who, origin, action, "");
            "too many tries".clone_into(&mut event.detail);
            self.refused(event, Some(&network)).await;
            return Err(Error::TooManyLogins(wait));
        }
        let tried = trying.await;
        match &tried {
            Ok(_) => self.sign_ins.forgive(&network, account, self.now()),
            Err(Error::Busy | Error::Store(_) | Error::ProviderAway) => {
                self.sign_ins.give_back(&network, account, self.now());
            }
            Err(_) => {}
        }
        tried
    }

    /// Opens a session of somebody who has shown who that is: how and when is said by `shown`.
    pub(super) async fn open_session(
        &self,
        user: User,
        (amr, auth_time): (Amr, Timestamp),
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let (id, now) = (SessionId::new(), self.now());
        let minted = mint(Purpose::Session, id.0);
        let session = Session {
            id,
            tenant: user.tenant,
            user: user.id,
            secret: minted.hash,
            created: now,
            last_seen: now,
            expires: now + SignedDuration::from_hours(i64::from(self.config.session_hours)),
            remote_address: origin.remote_address.clone(),
            user_agent: origin.user_agent.chars().take(300).collect(),
            auth_time,
            amr,
        };
        let mut event = self.event_by(("user", user.id.to_string()), origin, "session.create", id);
        event.detail = amr.words().join(" ");
        self.store.sessions.add(&session, &event).await?;
        self.metrics.sign_ins.inc();
        let csrf_token = csrf_token(&Presented { id: id.0, hash: minted.hash });
        let grants = self.store.grants.of(user.tenant, user.id, now).await?;
        Ok(SignedIn { user, session: id, secret: minted.text, csrf_token, grants })
    }
}
