//! Step-up: what gives or takes authority wants a person who has just shown to be that person (OWASP ASVS
//! 5.0, 7.5.3).

use jiff::SignedDuration;
use openframe_oauth::Amr;
use openframe_tokens::Subject;
use openframe_tokens::opaque::{Presented, Purpose, csrf_token, mint};

use super::passkey_shown::Ceremony;
use super::{Asked, Auth, PasskeyShown, SignedIn, in_session};
use crate::Error;
use crate::domain::User;
use crate::store::Renewal;

/// How long ago that may have been.
pub(super) const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// What a person shows anew.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// A code of the app, or a recovery code: whoever has a second factor.
    Code(&'a str),
    /// One of the own passkeys.
    Passkey(PasskeyShown<'a>),
    /// The password: whoever has none.
    Password(&'a str),
}

impl Auth {
    /// Refuses a session whose person has not shown for a while to be that person. Keys are not asked:
    /// they were made by somebody who was.
    pub(super) async fn fresh(&self, asked: &Asked) -> Result<(), Error> {
        let Subject::User { session, .. } = &asked.caller.subject else { return Ok(()) };
        let session = self.store.sessions.get(*session).await?.ok_or(Error::NotSignedIn)?;
        let fresh = self.now().duration_since(session.auth_time) <= FRESH;
        if fresh { Ok(()) } else { Err(Error::StepUpNeeded) }
    }

    /// The person shows anew to be that person. The session stays, and has another secret.
    pub async fn step_up(&self, asked: &Asked, shown: Shown<'_>) -> Result<SignedIn, Error> {
        let (user, _) = in_session(&asked.caller)?;
        let user = self.enabled(asked.caller.tenant, user).await?;
        let account = user.email.clone();
        let stepping = self.step_up_now(asked, user, shown);
        // Whoever has found an open browser may not guess on.
        self.limited("session.step_up", Some(&account), &asked.origin, stepping).await
    }

    async fn step_up_now(
        &self,
        asked: &Asked,
        user: User,
        shown: Shown<'_>,
    ) -> Result<SignedIn, Error> {
        let has_factor = self.ways(user.id).await?.any();
        let amr = match (has_factor, shown) {
            (true, Shown::Code(code)) => {
                self.use_factor(&user, code, ("session.step_up", &asked.origin)).await?;
                Amr::TwoFactors
            }
            (_, Shown::Passkey(shown)) => {
                let (_, session) = in_session(&asked.caller)?;
                let action = ("session.step_up", &asked.origin);
                let ceremony = Ceremony::StepUp(session);
                self.use_passkey(ceremony, shown, Some(user.id), action).await?;
                Amr::Passkey
            }
            (false, Shown::Password(password)) => {
                if !self.passwords.verify(password, Some(&user.password)).await? {
                    let event = self.event(asked, "session.step_up", user.id);
                    self.refused(event, None).await;
                    return Err(Error::WrongPassword);
                }
                Amr::Password
            }
            (true, Shown::Password(_)) => {
                return Err(Error::Invalid(
                    "show a code or a passkey: you have a second factor".to_owned(),
                ));
            }
            (false, Shown::Code(_)) => {
                return Err(Error::Invalid(
                    "show your password: you have no second factor".to_owned(),
                ));
            }
        };
        self.renew_session(asked, user, amr).await
    }

    /// Gives the session that asks another secret, and remembers how and when its person has shown to be
    /// that person.
    pub(super) async fn renew_session(
        &self,
        asked: &Asked,
        user: User,
        amr: Amr,
    ) -> Result<SignedIn, Error> {
        let (_, id) = in_session(&asked.caller)?;
        let before = self.store.sessions.get(id).await?.ok_or(Error::NotSignedIn)?;
        // A code after what another provider says is not one after a password.
        let by_code = amr == Amr::TwoFactors && before.amr.is_federated();
        let amr = if by_code { before.amr.with_code() } else { amr };
        let minted = mint(Purpose::Session, id.0);
        let to = Renewal { from: before.secret, secret: minted.hash, auth_time: self.now(), amr };
        let mut event = self.event(asked, "session.step_up", id);
        event.detail = amr.words().join(" ");
        if !self.store.sessions.renew(id, &to, &event).await? {
            return Err(Error::NotSignedIn);
        }
        let csrf_token = csrf_token(&Presented { id: id.0, hash: minted.hash });
        let grants = self.store.grants.of(user.tenant, user.id, self.now()).await?;
        Ok(SignedIn { user, session: id, secret: minted.text, csrf_token, grants })
    }
}
