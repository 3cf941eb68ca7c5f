//! Programs on devices without a browser, and the people who answer them elsewhere (RFC 8628).

use openframe_ids::{FamilyId, random};
use openframe_oauth::family::{Exchange, Issued, Random};
use openframe_oauth::{
    Client, DEVICE_LIFETIME, DeviceGrant, Family, Refusal, UNKNOWN_CLIENT, UserCode,
};
use openframe_tokens::opaque::SecretHash;

use super::browser::Here;
use super::{ELSEWHERE, OAuthError, Sent};
use crate::Error;
use crate::app::{Auth, Origin};
use crate::domain::{User, network};
use crate::store::Typed;

/// How often another code is drawn because one that waits has the same.
const DRAWS: usize = 4;

/// What a program gets that asks.
pub struct DeviceAsked {
    /// What it waits with.
    pub device_code: String,
    /// What the person types in.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// Seconds until nobody can answer any more.
    pub expires_in: i64,
    /// Seconds between two questions whether there is an answer.
    pub interval: i64,
}

/// What the browser is told.
#[derive(Debug)]
pub enum DeviceAnswered {
    /// To sign in first, and then to come back.
    SignIn,
    /// To have the person type a code in; another one than this, if there was one.
    Enter {
        /// Whether one was typed in that leads nowhere.
        wrong: bool,
    },
    /// That too many were wrong.
    TooMany,
    /// To ask the person.
    Ask(Box<DeviceConsent>),
    /// That the program has its answer.
    Done {
        /// The answer.
        allowed: bool,
    },
    /// That there is nothing to be done, and why.
    Refused(Refusal),
}

/// What a person is asked.
#[derive(Debug)]
pub struct DeviceConsent {
    /// Who wants access.
    pub client: Client,
    /// What for, and from where.
    pub grant: DeviceGrant,
    /// Who is asked.
    pub person: User,
    /// Comes back with the answer.
    pub csrf_token: String,
}

impl Auth {
    /// A program asks (RFC 8628, 3.1).
    pub async fn device_authorization(&self, sent: &Sent) -> Result<DeviceAsked, OAuthError> {
        let (form, origin) = (sent.form()?, &sent.origin);
        let client = self.client(&form, sent).await?;
        let near = network(&origin.remote_address);
        if self.program_asks.take(&near, None, self.now()).is_err() {
            let who = ("client", client.id.to_string());
            let event = self.event_by(who, origin, "device_code.create", "");
            self.refused(event, Some(&near)).await;
            return Err(OAuthError::Failed(Error::Busy));
        }
        for _ in 0..DRAWS {
            let agent = origin.user_agent.chars().take(300).collect();
            let from = (origin.remote_address.clone(), agent);
            let at = (FamilyId::new(), self.now());
            let (grant, device_code, user_code) =
                DeviceGrant::ask((&form, &client), from, at, &mut random)?;
            let who = ("client", client.id.to_string());
            let mut event = self.event_by(who, origin, "device_code.create", grant.id);
            event.detail = grant.scopes.to_string();
            if self.store.device_grants.add(&grant, &event).await? {
                return Ok(DeviceAsked {
                    device_code,
                    user_code: user_code.to_string(),
                    verification_uri: format!("{}/device", self.issuer()),
                    expires_in: DEVICE_LIFETIME.as_secs(),
                    interval: grant.interval.as_secs(),
                });
            }
        }
        Err(OAuthError::Failed(Error::Busy))
    }

    /// A program asks whether there is an answer (RFC 8628, 3.4).
    pub(super) async fn device_tokens(
        &self,
        client: &Client,
        (id, code, key): (FamilyId, SecretHash, Option<&str>),
        origin: &Origin,
    ) -> Result<Issued, OAuthError> {
        if let Some(grant) = self.store.device_grants.get(id).await? {
            let (refusal, next) = grant.poll(client, code, self.now());
            if let Some(next) = next {
                self.store.device_grants.polled(&next).await?;
            }
            return Err(refusal.into());
        }
        let shown = Exchange { code, redirect_uri: None, verifier: None, key };
        let step = |family: &Family, random: Random<'_>| {
            family.exchange(client, shown, self.now(), random)
        };
        self.step((id, client), origin, step).await
    }

    /// A person comes to answer, with the code that the program shows or without.
    pub async fn device_page(
        &self,
        typed: Option<&str>,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<DeviceAnswered, Error> {
        let Some(here) = self.here(cookie, origin).await? else {
            return Ok(DeviceAnswered::SignIn);
        };
        let Some(typed) = typed else { return Ok(DeviceAnswered::Enter { wrong: false }) };
        let grant = match self.typed(&here, typed).await? {
            Ok(grant) => grant,
            Err(answered) => return Ok(answered),
        };
        let Some(client) = self.store.clients.get(grant.client).await? else {
            return Ok(DeviceAnswered::Refused(UNKNOWN_CLIENT));
        };
        let Here { person, csrf_token, .. } = here;
        Ok(DeviceAnswered::Ask(Box::new(DeviceConsent { client, grant, person, csrf_token })))
    }

    /// What the person has answered: `allowed` or not, with the token of the page that asked.
    pub async fn answer_device(
        &self,
        (typed, allowed): (&str, bool),
        csrf: &str,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<DeviceAnswered, Error> {
        let here = self.here(cookie, origin).await?;
        let Some(here) = here.filter(|here| here.has_asked(csrf)) else {
            return Ok(DeviceAnswered::Refused(ELSEWHERE));
        };
        let grant = match self.typed(&here, typed).await? {
            Ok(grant) => grant,
            Err(answered) => return Ok(answered),
        };
        let Some(client) = self.store.clients.get(grant.client).await? else {
            return Ok(DeviceAnswered::Refused(UNKNOWN_CLIENT));
        };
        let done = if allowed {
            let who = self.signed_in(&here, &client).await?;
            let family = grant.allowed(&client, &who, self.now());
            let mut event = self.event(&here.asked, "consent.give", client.id);
            event.detail = format!("{} in {}, by a device", family.scopes, family.id);
            self.store.device_grants.allow(&family, &event).await?
        } else {
            let event = self.event(&here.asked, "consent.deny", client.id);
            self.store.device_grants.deny(grant.id, &event).await?
        };
        Ok(if done {
            DeviceAnswered::Done { allowed }
        } else {
            DeviceAnswered::Enter { wrong: true }
        })
    }

    /// What the code leads to that a person has typed in. Who types in too many wrong ones tries to
    /// find a stranger's program, and is on the audit trail.
    async fn typed(
        &self,
        here: &Here,
        typed: &str,
    ) -> Result<Result<DeviceGrant, DeviceAnswered>, Error> {
        let (now, code) = (self.now(), UserCode::read(typed).map(|code| code.hash()));
        let since = now.saturating_sub(DEVICE_LIFETIME).unwrap_or(now);
        let who = here.person.id;
        let refused = match self.store.device_grants.typed(who, code, (since, now)).await? {
            Typed::Right(grant) if grant.tenant == self.tenant => return Ok(Ok(*grant)),
            Typed::Right(_) | Typed::Wrong => DeviceAnswered::Enter { wrong: true },
            Typed::TooMany => DeviceAnswered::TooMany,
        };
        let mut event = self.event(&here.asked, "device_code.enter", "");
        if matches!(refused, DeviceAnswered::TooMany) {
            "too many tries".clone_into(&mut event.detail);
        }
        self.refused(event, Some(&who.to_string())).await;
        Ok(Err(refused))
    }
}
