//! Signing in at another provider: the browser goes there and comes back, with what was made up for this
//! try in a sealed cookie. It is good for one try of one browser, whichever replica that comes to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header;
use jiff::{SignedDuration, Timestamp};
use openframe_ids::IdentityProviderId;
use openframe_oauth::{Amr, OneTime};
use openframe_tokens::opaque::SecretHash;
use openframe_upstream::{
    Attempt, Back, Client, Exchange, Held, Person, Refusal, Wanted, check, id_token_of,
};
use sha2::{Digest as _, Sha256};

use super::Trouble;
use super::known::Found;
use crate::Error;
use crate::app::{Auth, Entered, Origin};
use crate::domain::{Event, IdentityProvider, User};
use crate::store::StoreError;

/// How long a person has at the provider.
pub(crate) const TRY_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// The longest that a browser holds, in bytes: browsers keep no longer cookie.
const HELD_MAX: usize = 3900;
/// What the sealed try belongs to.
const PLACE: &str = "sign-in at another provider";
/// What every try at another provider is on the trail.
pub(super) const ACTION: &str = "sign_in.upstream";

/// A sign-in just begun.
pub struct UpstreamBegun {
    /// Where the browser goes.
    pub address: String,
    /// What it holds until it comes back; nobody else can read it.
    pub held: String,
}

/// A sign-in whose browser has come back.
pub struct UpstreamEnded {
    /// Where it was to go on; empty when that is not known.
    pub next: String,
    /// How far it has come.
    pub entered: Result<Entered, Error>,
}

/// Why a try comes to nothing, and what whoever tries is told.
pub(super) enum Denied {
    /// It is refused.
    Refused(String, Error),
    /// The provider or a part of ours has failed.
    Failed(String, Error),
}

impl From<Trouble> for Denied {
    fn from(trouble: Trouble) -> Self {
        let told = trouble.told();
        match trouble {
            Trouble::Away(_) => Self::Failed(told, Error::ProviderAway),
            Trouble::Wrong(_) => Self::Refused(told, Error::BadUpstream),
        }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Trouble::from(refusal).into()
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string(), error)
    }
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl Auth {
    /// Sends a browser to a provider; afterwards it goes on to `next`.
    pub async fn begin_upstream(
        &self,
        id: IdentityProviderId,
        next: &str,
        origin: &Origin,
    ) -> Result<UpstreamBegun, Error> {
        let beginning = async {
            let provider = self.open_provider(id).await?;
            let found = match self.upstreams.found(&provider, self.now()).await {
                Ok(found) => found,
                Err(trouble) => {
                    return Err(self.denied(trouble.into(), (id, origin)).await);
                }
            };
            let attempt = Attempt::new();
            let redirect_uri = self.upstream_redirect();
            let client = Client { id: &provider.client_id, redirect_uri: &redirect_uri };
            let address = attempt.address(&found.document, client, &provider.scopes);
            Ok(UpstreamBegun { address, held: self.held_try((id, attempt), next) })
        };
        self.limited(ACTION, None, origin, beginning).await
    }

    async fn open_provider(&self, id: IdentityProviderId) -> Result<IdentityProvider, Error> {
        let provider = self.store.identity_providers.get(self.tenant, id).await?;
        let open = provider.filter(|it| it.enabled && self.has_issuer());
        open.ok_or(Error::Missing("identity provider"))
    }

    fn held_try(&self, (provider, attempt): (IdentityProviderId, Attempt), next: &str) -> String {
        let until_ms = (self.now() + TRY_LIFETIME).as_millisecond();
        let mut held = Held { until_ms, provider, attempt, next: next.to_owned() };
        let mut text = self.sealed_try(&held);
        if text.len() > HELD_MAX {
            // Whoever was sent with so long a request begins it again, signed in.
            held.next = String::new();
            text = self.sealed_try(&held);
        }
        text
    }

    fn sealed_try(&self, held: &Held) -> String {
        URL_SAFE_NO_PAD.encode(self.upstream_tries.seal(PLACE, &held.to_bytes()))
    }

    fn opened_try(&self, held: Option<&str>) -> Option<Held> {
        let sealed = URL_SAFE_NO_PAD.decode(held.filter(|it| it.len() <= HELD_MAX)?).ok()?;
        let text = self.upstream_tries.open(PLACE, &sealed).ok()?;
        Held::read(&text)
    }

    /// Goes on when a browser comes back. The session that it had before ends.
    pub async fn finish_upstream(
        &self,
        held: Option<&str>,
        back: Back<'_>,
        old_session: Option<&str>,
        origin: &Origin,
    ) -> UpstreamEnded {
        let held = self.opened_try(held);
        let next = held.as_ref().map(|held| held.next.clone()).unwrap_or_default();
        let finishing = self.finish_upstream_now(held, back, origin);
        let entered = self.limited(ACTION, None, origin, finishing).await;
        let ended = match (&entered, old_session) {
            (Ok(_), Some(old)) => self.end_session_of(old, origin).await,
            (Ok(_), None) | (Err(_), _) => Ok(()),
        };
        UpstreamEnded { next, entered: ended.and(entered) }
    }

    async fn finish_upstream_now(
        &self,
        held: Option<Held>,
        back: Back<'_>,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let Some(held) = held else { return Err(self.late(origin).await) };
        if !self.is_first(&held).await? {
            return Err(self.late(origin).await);
        }
        let provider = self.open_provider(held.provider).await?;
        let tried = self.tried(&provider, &held.attempt, &back, origin).await;
        let (user, shown) = match tried {
            Ok(tried) => tried,
            Err(denied) => return Err(self.denied(denied, (provider.id, origin)).await),
        };
        let who = ("user", user.id.to_string());
        let mut event = self.event_by(who, origin, ACTION, provider.id);
        event.detail = shown.0.words().join(" ");
        self.store.trail.append(user.tenant, &event).await?;
        self.after_first(user, shown, origin).await
    }

    /// Whether a try is in time, and was not used before.
    async fn is_first(&self, held: &Held) -> Result<bool, Error> {
        let until = Timestamp::from_millisecond(held.until_ms).unwrap_or_default();
        if until <= self.now() {
            return Ok(false);
        }
        let name = held.attempt.nonce();
        let hash = Sha256::new().chain_update("upstream sign-in\0").chain_update(name).finalize();
        let once = OneTime { hash: SecretHash(hash.into()), until };
        Ok(self.store.one_times.spend(&once).await?)
    }

    async fn late(&self, origin: &Origin) -> Error {
        let event = self.event_by(("nobody", String::new()), origin, ACTION, "");
        let detail = "no try of this browser, too late, or used before".to_owned();
        self.metrics.sign_ins_refused.inc();
        self.refused(Event { detail, ..event }, None).await;
        Error::LateUpstream
    }

    async fn tried(
        &self,
        provider: &IdentityProvider,
        attempt: &Attempt,
        back: &Back<'_>,
        origin: &Origin,
    ) -> Result<(User, (Amr, Timestamp)), Denied> {
        let found = self.upstreams.found(provider, self.now()).await?;
        let code = attempt.code(&found.document, back)?;
        let id_token = self.exchanged(provider, &found, (code, attempt)).await?;
        let person = self.checked(provider, &found, (&id_token, attempt)).await?;
        let mfa = person.mfa && provider.trusts_mfa;
        let amr = if mfa { Amr::FederatedMfa } else { Amr::Federated };
        // A provider that remembers people says when they have last shown to be who they are.
        let auth_time = person.auth_time.unwrap_or_else(|| self.now());
        let user = self.whom(provider, person, origin).await?;
        Ok((user, (amr, auth_time)))
    }

    async fn exchanged(
        &self,
        provider: &IdentityProvider,
        found: &Found,
        (code, attempt): (&str, &Attempt),
    ) -> Result<String, Denied> {
        let secret = self.opened_secret(provider)?;
        let redirect_uri = self.upstream_redirect();
        let client = Client { id: &provider.client_id, redirect_uri: &redirect_uri };
        let verifier = attempt.verifier();
        let it = Exchange { client, secret: &secret, code, verifier };
        let (form, shown) = found.document.exchange(it);
        let headers: Vec<_> = shown.map(|it| (header::AUTHORIZATION, it)).into_iter().collect();
        let url = found.document.token_address();
        let body = self.upstreams.ask(url, Some(&form), &headers).await?;
        Ok(id_token_of(&body)?)
    }

    /// Whom an ID token is about. One that is signed with a new key is looked at again with the new keys.
    async fn checked(
        &self,
        provider: &IdentityProvider,
        found: &Found,
        (id_token, attempt): (&str, &Attempt),
    ) -> Result<Person, Denied> {
        let with = |found: &Found| {
            let (document, keys) = (&*found.document, &*found.keys);
            let (client, nonce) = (provider.client_id.as_str(), attempt.nonce());
            check(id_token, Wanted { document, keys, client, nonce, now: self.now() })
        };
        let checked = match with(found) {
            Err(Refusal::UnknownKey) => {
                match self.upstreams.newer_keys(provider.id, self.now()).await? {
                    Some(newer) => with(&newer),
                    None => Err(Refusal::UnknownKey),
                }
            }
            checked => checked,
        };
        Ok(checked?)
    }

    /// Puts on the trail that a try has come to nothing.
    pub(super) async fn denied(
        &self,
        denied: Denied,
        (provider, origin): (IdentityProviderId, &Origin),
    ) -> Error {
        self.metrics.sign_ins_refused.inc();
        let event = self.event_by(("nobody", String::new()), origin, ACTION, provider);
        match denied {
            Denied::Refused(detail, error) => {
                self.refused(Event { detail, ..event }, None).await;
                error
            }
            Denied::Failed(detail, error) => {
                self.failed(Event { detail, ..event }, None).await;
                error
            }
        }
    }
}
