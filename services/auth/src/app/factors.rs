//! Second factors: an authenticator app, and recovery codes for when it is lost.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{SessionId, UserId, random};
use openframe_oauth::Amr;
use openframe_tokens::Permission;

use super::passkeys::gone;
use super::{Asked, Auth, Origin, SignedIn, in_session, need_whole};
use crate::Error;
use crate::domain::{
    CODES, Event, Rate, SealedTotp, TenantSettings, Totp, User, hash_recovery_code, recovery_code,
};
use crate::store::Confirmation;

/// How long a secret waits for the code that confirms it.
pub(super) const ENROLMENT_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// What people are told of by mail.
const ENROLLED: &str = "An authenticator app was put in force";
const APP_REMOVED: &str = "Your authenticator app was removed";
const REMOVED: &str = "Your second factors were removed";
const NEW_CODES: &str = "New recovery codes were made";

/// What a person puts into an authenticator app: the only time it is seen.
pub struct Enrolment {
    /// The secret in base32.
    pub secret: String,
    /// The secret, and what it is for, as a link.
    pub uri: String,
    /// The same as a picture, SVG.
    pub qr_svg: String,
}

/// The second factors of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnFactors {
    /// Since when there is an authenticator app.
    pub totp_since: Option<Timestamp>,
    /// How many passkeys there are.
    pub passkeys: usize,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
    /// Whether everybody needs a second factor here.
    pub required: bool,
}

impl Auth {
    /// The second factors of the person who asks.
    pub async fn factors(&self, asked: &Asked) -> Result<OwnFactors, Error> {
        let (user, _) = in_session(&asked.caller)?;
        let settings = self.store.settings.get(asked.caller.tenant).await?;
        Ok(OwnFactors {
            totp_since: self.store.factors.totp(user).await?.map(|totp| totp.created),
            passkeys: self.store.passkeys.list(user).await?.len(),
            recovery_codes: self.store.factors.recovery_codes(user).await?,
            required: settings.second_factor_required,
        })
    }

    /// Begins to enrol an authenticator app. One that is there already stays in force until the new one
    /// is confirmed.
    pub async fn enrol_totp(&self, asked: &Asked) -> Result<Enrolment, Error> {
        let user = self.person_in_session(asked).await?;
        self.fresh(asked).await?;
        self.new_totp(&user, &self.event(asked, "totp.enrol", user.id)).await
    }

    /// The same for somebody who signs in, and has no second factor yet.
    pub async fn enrol_totp_first(
        &self,
        half: Option<&str>,
        origin: &Origin,
    ) -> Result<Enrolment, Error> {
        let enrolling = async {
            let (_, user) = self.half(half).await?;
            // Who has a factor shows it: a password alone must not put another in its place.
            if self.ways(user.id).await?.any() {
                return Err(Error::BadSignIn);
            }
            let who = ("user", user.id.to_string());
            self.new_totp(&user, &self.event_by(who, origin, "totp.enrol", user.id)).await
        };
        self.limited("totp.enrol", None, origin, enrolling).await
    }

    async fn new_totp(&self, user: &User, event: &Event) -> Result<Enrolment, Error> {
        let secret: [u8; 20] = random();
        let totp = Totp::new(&secret, &user.email).ok_or_else(damaged)?;
        let sealed = self.sealer.seal(&place(user.id), &secret);
        let kept = SealedTotp { sealed, created: self.now() };
        if !self.store.factors.enrol_totp((user.tenant, user.id), &kept, event).await? {
            return Err(Error::NotSignedIn);
        }
        let (uri, qr_svg) = totp.uri().zip(totp.qr_svg()).ok_or_else(damaged)?;
        Ok(Enrolment { secret: totp.secret(), uri, qr_svg })
    }

    /// Puts the app in force whose code the person shows. Every other session of the person ends; this
    /// one has another secret. Gives the recovery codes: the only time they are seen.
    pub async fn confirm_totp(
        &self,
        asked: &Asked,
        code: &str,
    ) -> Result<(SignedIn, Vec<String>), Error> {
        let user = self.person_in_session(asked).await?;
        let (_, session) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let event = self.event(asked, "totp.confirm", user.id);
        let codes = self.confirm(&user, code, Some(session), &event).await?;
        self.tell_by_mail(&user, ENROLLED, &asked.origin).await;
        let renewed = self.renew_session(asked, user, Amr::TwoFactors).await?;
        Ok((renewed, codes))
    }

    /// The same for somebody who signs in, and has no second factor yet: signs in with it.
    pub async fn confirm_totp_first(
        &self,
        half: Option<&str>,
        code: &str,
        origin: &Origin,
    ) -> Result<(SignedIn, Vec<String>), Error> {
        let confirming = async {
            let (half, user) = self.half(half).await?;
            let who = ("user", user.id.to_string());
            let event = self.event_by(who, origin, "totp.confirm", user.id);
            // Ends this half sign-in as well: of two that confirm at once one goes on.
            let codes = self.confirm(&user, code, None, &event).await?;
            self.tell_by_mail(&user, ENROLLED, origin).await;
            let shown = (half.amr.with_code(), self.now());
            let opened = self.open_session(user, shown, origin).await?;
            Ok((opened, codes))
        };
        self.limited("session.create", None, origin, confirming).await
    }

    /// `keep`: the session that confirms; without one it must be the person's first factor.
    async fn confirm(
        &self,
        user: &User,
        code: &str,
        keep: Option<SessionId>,
        event: &Event,
    ) -> Result<Vec<String>, Error> {
        let young = |it: &SealedTotp| self.now().duration_since(it.created) < ENROLMENT_LIFETIME;
        let pending = self.store.factors.pending_totp(user.id).await?.filter(young);
        let pending = pending.ok_or(Error::Missing("second factor to confirm"))?;
        let Some(step) = self.opened_totp(user, &pending)?.step_of(code, self.now()) else {
            self.refused(event.clone(), None).await;
            return Err(Error::WrongCode);
        };
        let (codes, hashes) = new_codes();
        let first = keep.is_none();
        let to = Confirmation { sealed: &pending.sealed, step, codes: &hashes, keep, first };
        if !self.store.factors.confirm_totp((user.tenant, user.id), &to, event).await? {
            return Err(Error::WrongCode);
        }
        Ok(codes)
    }

    /// Removes the app of the person who asks; with the last factor go the recovery codes. Every other
    /// session ends.
    pub async fn remove_totp(&self, asked: &Asked) -> Result<(), Error> {
        let (user, session) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let person = self.person_in_session(asked).await?;
        let (tenant, event) = (asked.caller.tenant, self.event(asked, "totp.remove", user));
        let required = self.store.settings.get(tenant).await?.second_factor_required;
        let (whose, factors) = ((tenant, user), &self.store.factors);
        let removed = factors.remove_totp(whose, Some(session), required, &event).await?;
        gone(removed, "second factor")?;
        self.tell_by_mail(&person, APP_REMOVED, &asked.origin).await;
        Ok(())
    }

    /// Makes new recovery codes; those before are dead.
    pub async fn new_recovery_codes(&self, asked: &Asked) -> Result<Vec<String>, Error> {
        let (user, _) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let person = self.person_in_session(asked).await?;
        let whose = (asked.caller.tenant, user);
        let (codes, hashes) = new_codes();
        let event = self.event(asked, "recovery_codes.create", user);
        if !self.store.factors.replace_recovery_codes(whose, &hashes, &event).await? {
            return Err(Error::Missing("second factor"));
        }
        self.tell_by_mail(&person, NEW_CODES, &asked.origin).await;
        Ok(codes)
    }

    /// Removes the factors of a person who has lost them; ends all of that person's sessions.
    pub async fn reset_factors(&self, asked: &Asked, id: UserId) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        self.need_not_below(asked, id).await?;
        let event = self.event(asked, "factors.reset", id);
        let whose = (asked.caller.tenant, id);
        if !self.store.factors.remove(whose, None, &event).await? {
            return Err(Error::Missing("second factor"));
        }
        // Who has done it is not where that person is.
        if let Some(person) = self.store.people.get(whose.0, id).await? {
            self.tell_by_mail(&person, REMOVED, &Origin::default()).await;
        }
        Ok(())
    }

    /// What owners have decided for everybody.
    pub async fn settings(&self, asked: &Asked) -> Result<TenantSettings, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        Ok(self.store.settings.get(asked.caller.tenant).await?)
    }

    /// Decides for everybody. Who asks for second factors has one: the session would end otherwise.
    pub async fn change_settings(
        &self,
        asked: &Asked,
        to: TenantSettings,
    ) -> Result<TenantSettings, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        if to.second_factor_required
            && let Ok((user, _)) = in_session(&asked.caller)
            && !self.ways(user).await?.any()
        {
            return Err(Error::OwnFactorFirst);
        }
        let tenant = asked.caller.tenant;
        let mut event = self.event(asked, "settings.change", tenant);
        event.detail = format!("second factor required {}", to.second_factor_required);
        self.store.settings.set(tenant, to, &event).await?;
        Ok(to)
    }

    /// Uses a code of the person's app or a recovery code, for `action`. Wrong codes of the app are few
    /// for each person, wherever they come from. A recovery code cannot be guessed, and is good when
    /// somebody else has used the tries up.
    pub(super) async fn use_factor(
        &self,
        user: &User,
        typed: &str,
        (action, origin): (&str, &Origin),
    ) -> Result<(), Error> {
        let event = |action| self.event_by(("user", user.id.to_string()), origin, action, user.id);
        let factors = &self.store.factors;
        if let Some(code) = hash_recovery_code(typed) {
            let used = event("recovery_code.use");
            if factors.use_recovery_code((user.tenant, user.id), code, &used).await? {
                return Ok(());
            }
        } else if let Some(totp) = factors.totp(user.id).await? {
            let (burst, seconds) = (self.config.factor_burst, self.config.factor_refill_seconds);
            let rate = Rate::new(burst, i64::from(seconds) * 1000);
            if let Err(wait) = factors.take_try(user.id, rate, self.now()).await? {
                let detail = "too many wrong codes".to_owned();
                let whose = user.id.to_string();
                self.refused(Event { detail, ..event(action) }, Some(&whose)).await;
                return Err(Error::TooManyCodes(wait));
            }
            let step = self.opened_totp(user, &totp)?.step_of(typed, self.now());
            if let Some(step) = step
                && factors.use_totp(user.id, step).await?
            {
                factors.forgive_tries(user.id).await?;
                return Ok(());
            }
        }
        self.metrics.sign_ins_refused.inc();
        self.refused(Event { detail: "wrong code".to_owned(), ..event(action) }, None).await;
        Err(Error::WrongCode)
    }

    fn opened_totp(&self, user: &User, kept: &SealedTotp) -> Result<Totp, Error> {
        let secret = self.sealer.open(&place(user.id), &kept.sealed);
        let secret = secret.map_err(|error| Error::Damaged(Box::new(error)))?;
        Totp::new(&secret, &user.email).ok_or_else(damaged)
    }

    pub(super) async fn person_in_session(&self, asked: &Asked) -> Result<User, Error> {
        let (user, _) = in_session(&asked.caller)?;
        self.enabled(asked.caller.tenant, user).await
    }
}

/// What the sealed secret of a person belongs to.
fn place(user: UserId) -> String {
    format!("totp {user}")
}

fn damaged() -> Error {
    Error::Damaged("the secret of an authenticator app cannot be used".into())
}

/// Recovery codes, and their hashes.
pub(super) fn new_codes() -> (Vec<String>, Vec<openframe_tokens::opaque::SecretHash>) {
    let codes: Vec<String> = (0..CODES).map(|_| recovery_code(random())).collect();
    let hashes = codes.iter().filter_map(|code| hash_recovery_code(code)).collect();
    (codes, hashes)
}
