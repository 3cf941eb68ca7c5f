//! What programs ask for themselves: tokens, what a token is worth, and its end.

use openframe_ids::{ClientId, FamilyId, UserId, random};
use openframe_oauth::family::{Exchange, Issued, Noted, Random, Step, Write};
use openframe_oauth::id_token::Who;
use openframe_oauth::{
    BAD_CLIENT, Client, Code, Family, Refusal, Scopes, ShownToken, TokenRequest, scope,
};
use openframe_tokens::opaque::{Purpose, read};
use openframe_tokens::{Behalf, Caller, Subject};

use super::{KeyProof, OAuthError, Proven, Sent};
use crate::Error;
use crate::app::sessions::untouched;
use crate::app::{Auth, Origin, Resolved};

/// How often a step is taken anew because another was faster.
const TRIES: usize = 8;

/// What a client gets.
#[derive(Debug)]
pub struct Tokens {
    /// The tokens.
    pub issued: Issued,
    /// Seconds until the access token ends.
    pub expires_in: i64,
    /// Who the person is, signed; where it was asked for.
    pub id_token: Option<String>,
}

/// What a token is worth (RFC 7662).
#[derive(Debug)]
pub struct Introspected {
    /// Whose it is.
    pub client: ClientId,
    /// For whom the client acts.
    pub user: Option<UserId>,
    /// What it reaches.
    pub scopes: Scopes,
    /// The key whose proofs have to go with it, by its thumbprint.
    pub key: Option<String>,
    /// When it was allowed, in seconds since 1970.
    pub issued_at: i64,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// What a client may know of a person (OpenID Connect Core, 5.3).
#[derive(Debug)]
pub struct PersonClaims {
    /// Who.
    pub user: UserId,
    /// The name, where the scopes allow it.
    pub name: Option<String>,
    /// The mail address, where the scopes allow it.
    pub email: Option<String>,
    /// Whether the person has shown to read the mail that goes there.
    pub email_verified: bool,
}

impl Auth {
    /// Gives a client tokens (RFC 6749, 3.2).
    pub async fn tokens(&self, sent: &Sent) -> Result<Tokens, OAuthError> {
        let (form, origin) = (sent.form()?, &sent.origin);
        let client = self.client(&form, sent).await?;
        let key = self.proven(sent, "token").await?;
        let key = key.as_deref();
        let issued = match TokenRequest::read(&form)? {
            TokenRequest::Code { family, code, redirect_uri, verifier } => {
                let (redirect_uri, verifier) = (redirect_uri.as_deref(), verifier.as_deref());
                let shown = Exchange { code, redirect_uri, verifier, key };
                let step = |family: &Family, random: Random<'_>| {
                    family.exchange(&client, shown, self.now(), random)
                };
                self.step((family, &client), origin, step).await?
            }
            TokenRequest::Refresh { family, secret, scopes } => {
                let step = |family: &Family, random: Random<'_>| {
                    family.refresh(&client, (&secret, scopes.as_ref(), key), self.now(), random)
                };
                self.step((family, &client), origin, step).await?
            }
            TokenRequest::Device { family, code } => {
                self.device_tokens(&client, (family, code, key), origin).await?
            }
            TokenRequest::OwnBehalf { scopes } => {
                let scopes = client.own_scopes(scopes.as_ref(), key)?;
                let at = (FamilyId::new(), self.now());
                let (family, issued) = Family::of_client(&client, (scopes, key), at, &mut random);
                if !self.store.families.add(&family, None).await? {
                    return Err(BAD_CLIENT.into());
                }
                issued
            }
        };
        self.with_id_token(&client, issued).await
    }

    /// Adds the ID token.
    async fn with_id_token(&self, client: &Client, issued: Issued) -> Result<Tokens, OAuthError> {
        let now = self.now();
        let expires_in = issued.expires.duration_since(now).as_secs();
        let Some(about) = &issued.about else {
            return Ok(Tokens { issued, expires_in, id_token: None });
        };
        let person = self.store.people.get(client.tenant, about.holder.user).await?;
        let person = person.ok_or(Error::NotSignedIn)?;
        let (name, email) = (person.name.as_str(), person.email.as_str());
        let who = Who { name, email, email_verified: person.email_verified };
        let issuer = self.issuer();
        let sign = |key: &openframe_oauth::id_token::SigningKey| {
            key.sign((&issuer, client.id), &issued, who, now)
        };
        let id_token = self.with_signing_key(sign).await?;
        Ok(Tokens { issued, expires_in, id_token })
    }

    /// Takes a step of a family, anew while others are faster, and writes it before it is answered.
    pub(super) async fn step(
        &self,
        (id, client): (FamilyId, &Client),
        origin: &Origin,
        take: impl Fn(&Family, Random<'_>) -> Step,
    ) -> Result<Issued, OAuthError> {
        for _ in 0..TRIES {
            let Some(family) = self.store.families.get(id).await? else {
                return Err(Refusal::grant().into());
            };
            if let Some(holder) = family.holder
                && self.if_enabled(family.tenant, holder.user).await?.is_none()
            {
                return Err(Refusal::grant().into());
            }
            let step = take(&family, &mut random);
            let event = step.noted.map(|noted| {
                let who = ("client", client.id.to_string());
                let mut event = self.event_by(who, origin, action(noted), family.id);
                event.detail = family.holder.map(|it| it.user.to_string()).unwrap_or_default();
                event
            });
            let written = match step.write {
                None => true,
                Some(Write::Keep(next)) => {
                    self.store.families.replace(&next, event.as_ref()).await?
                }
                Some(Write::End) => {
                    self.metrics.tokens_replayed.inc();
                    let event = event.unwrap_or_else(|| self.own_event("token.end", family.id));
                    self.store.families.end(family.tenant, family.id, &event).await?;
                    true
                }
            };
            if !written {
                continue;
            }
            if step.answer.is_err() && step.noted.is_none() {
                let who = ("client", client.id.to_string());
                let event = self.event_by(who, origin, "token.issue", family.id);
                self.refused(event, Some("token")).await;
            }
            return step.answer.map_err(OAuthError::from);
        }
        Err(OAuthError::Failed(Error::Busy))
    }

    /// What a token is worth, told to the client that has it. `None`: nothing, or not that client's.
    pub async fn introspect(&self, sent: &Sent) -> Result<Option<Introspected>, OAuthError> {
        let form = sent.form()?;
        let client = self.client(&form, sent).await?;
        if !client.is_confidential() {
            return Err(BAD_CLIENT.into());
        }
        let Some(ShownToken::Access { family, hash }) = ShownToken::read(&form)? else {
            return Ok(None);
        };
        let family = self.store.families.get(family).await?;
        let Some(family) = family.filter(|family| family.client == client.id) else {
            return Ok(None);
        };
        let Some(found) = family.access(hash, self.now()) else { return Ok(None) };
        if let Some(holder) = family.holder
            && self.if_enabled(family.tenant, holder.user).await?.is_none()
        {
            return Ok(None);
        }
        Ok(Some(Introspected {
            client: client.id,
            user: family.holder.map(|holder| holder.user),
            scopes: found.scopes.clone(),
            key: family.key().map(str::to_owned),
            issued_at: family.created.as_second(),
            expires: found.expires.as_second(),
        }))
    }

    /// Ends a token of the client that shows it (RFC 7009): an access token alone, a refresh token with
    /// all that came of it. A token that is none is as good as ended.
    pub async fn revoke(&self, sent: &Sent) -> Result<(), OAuthError> {
        let (form, origin) = (sent.form()?, &sent.origin);
        let client = self.client(&form, sent).await?;
        let Some(shown) = ShownToken::read(&form)? else { return Ok(()) };
        for _ in 0..TRIES {
            let family = self.store.families.get(shown.family()).await?;
            let Some(family) = family.filter(|family| family.client == client.id) else {
                return Ok(());
            };
            let who = ("client", client.id.to_string());
            let event = self.event_by(who, origin, "token.revoke", family.id);
            let done = match shown {
                ShownToken::Refresh { hash, .. } if family.has_refresh(hash) => {
                    self.store.families.end(family.tenant, family.id, &event).await?;
                    true
                }
                ShownToken::Refresh { .. } => true,
                ShownToken::Access { hash, .. } => match family.without_access(hash, self.now()) {
                    Some(next) => self.store.families.replace(&next, Some(&event)).await?,
                    None => true,
                },
            };
            if done {
                return Ok(());
            }
        }
        Err(OAuthError::Failed(Error::Busy))
    }

    /// Who the person is that an access token acts for.
    pub async fn user_info(
        &self,
        authorization: Option<&str>,
        proof: Option<&KeyProof<'_>>,
        origin: &Origin,
    ) -> Result<PersonClaims, OAuthError> {
        const NONE: Refusal = Refusal::new(Code::InvalidToken, "send an access token that is good");
        const FAR: Refusal = Refusal::new(Code::InsufficientScope, "this needs the scope openid");
        let token = authorization.and_then(|text| text.split_once(' ')).ok_or(NONE)?;
        let (scheme, token) = (token.0, token.1.trim_start_matches(' '));
        let proven = match proof {
            Some(shown) if scheme.eq_ignore_ascii_case("dpop") => Proven::Now(shown),
            None if scheme.eq_ignore_ascii_case("bearer") => Proven::Not,
            _ => return Err(NONE.into()),
        };
        let (family, scopes) = self.good(token, proven, origin).await?.ok_or(NONE)?;
        let holder = family.holder.filter(|_| scopes.has(scope::OPENID)).ok_or(FAR)?;
        let person = self.if_enabled(family.tenant, holder.user).await?.ok_or(NONE)?;
        Ok(PersonClaims {
            user: person.id,
            name: scopes.has(scope::PROFILE).then_some(person.name),
            email: scopes.has(scope::EMAIL).then_some(person.email),
            email_verified: person.email_verified,
        })
    }

    /// Whose access token the gateway was shown.
    pub(in crate::app) async fn resolve_access(
        &self,
        text: &str,
        proven: Proven<'_>,
        origin: &Origin,
    ) -> Result<Resolved, Error> {
        let good = match self.good(text, proven, origin).await {
            Ok(good) => good,
            Err(OAuthError::Refused(_)) => None,
            Err(OAuthError::Failed(error)) => return Err(error),
        };
        let (family, scopes) = good.ok_or(Error::NotSignedIn)?;
        let behalf = match family.holder {
            None => None,
            Some(holder) => {
                let person = self.enabled(family.tenant, holder.user).await?;
                let grants = self.granted(person.tenant, person.id).await?;
                Some(Behalf { user: person.id, role: person.role, grants })
            }
        };
        let scopes = scopes.permissions();
        let subject = Subject::App { client: family.client, behalf, scopes };
        let caller = Caller { tenant: family.tenant, subject };
        Ok(Resolved { caller, csrf_token: None, expires: family.expires })
    }

    /// The family of an access token that is good, and what the token reaches. One that is bound to a
    /// key is good with a proof of it, and any other without. Also writes down that the token has
    /// arrived, where that was not known.
    async fn good(
        &self,
        token: &str,
        proven: Proven<'_>,
        origin: &Origin,
    ) -> Result<Option<(Family, Scopes)>, OAuthError> {
        let Some(shown) = read(Purpose::AccessToken, token) else { return Ok(None) };
        let Some(family) = self.store.families.get(FamilyId(shown.id)).await? else {
            return Ok(None);
        };
        let Some(access) = family.access(shown.hash, self.now()) else { return Ok(None) };
        let scopes = access.scopes.clone();
        let bound = match proven {
            Proven::Not => family.key().is_none(),
            Proven::Before => true,
            Proven::Now(proof) => {
                let key = self.key_of(proof, Some(token), origin).await?;
                family.key() == Some(key.as_str())
            }
        };
        if !bound {
            return Ok(None);
        }
        if let Some(next) = family.received(shown.hash) {
            untouched(self.store.families.replace(&next, None).await.map(drop), "token");
        }
        Ok(Some((family, scopes)))
    }
}

fn action(noted: Noted) -> &'static str {
    match noted {
        Noted::Opened => "token.open",
        Noted::Retried => "token.retry",
        Noted::CodeReplayed => "token.code_replay",
        Noted::RefreshReplayed => "token.refresh_replay",
    }
}
