//! What providers say of themselves, and their keys: fetched when they are needed, kept for a while, and
//! never asked for often, whatever strangers send.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderName;
use jiff::{SignedDuration, Timestamp};
use openframe_ids::IdentityProviderId;
use openframe_upstream::{ANSWER_LIMIT, Document, Keys, Refusal, document_address};
use openframe_webhook::{Fetch, Refusal as NotFetched, Webhooks};

use crate::domain::IdentityProvider;

/// How long what was fetched is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// How long a provider that did not answer is left alone.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(10);
/// How often keys are fetched at most because a token names one that is not known.
const KEYS_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Why a provider is of no use at this moment.
#[derive(Debug)]
pub(in crate::app) enum Trouble {
    /// It does not answer.
    Away(String),
    /// What it says is not right.
    Wrong(Refusal),
}

impl Trouble {
    /// For the trail, and for whoever sets the provider up.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Away(why) => why.clone(),
            Self::Wrong(refusal) => refusal.to_string(),
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Wrong(refusal)
    }
}

/// What a provider says of itself.
#[derive(Debug, Clone)]
pub(in crate::app) struct Found {
    pub(super) document: Arc<Document>,
    pub(super) keys: Arc<Keys>,
}

#[derive(Debug)]
struct Kept {
    found: Option<Found>,
    /// When it was fetched, or was to be.
    asked: Timestamp,
    /// When its keys were.
    keys_asked: Timestamp,
}

/// What is known of each provider. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Upstreams {
    webhooks: Option<Webhooks>,
    kept: Arc<Mutex<HashMap<IdentityProviderId, Kept>>>,
}

impl Upstreams {
    /// The same, fetching by this.
    pub(in crate::app) fn by(self, webhooks: Webhooks) -> Self {
        Self { webhooks: Some(webhooks), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IdentityProviderId, Kept>> {
        // Poisoned by a panicking test at most: an entry is a whole entry.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self, id: IdentityProviderId) {
        self.lock().remove(&id);
    }

    /// What a provider says of itself; asked for if it is not known, or was known for long.
    pub(super) async fn found(
        &self,
        provider: &IdentityProvider,
        now: Timestamp,
    ) -> Result<Found, Trouble> {
        if let Some(kept) = self.lock().get(&provider.id) {
            let since = now.duration_since(kept.asked);
            match &kept.found {
                Some(found) if since < GOOD_FOR => return Ok(found.clone()),
                None if since < LEFT_ALONE => {
                    return Err(Trouble::Away("it did not answer a moment ago".to_owned()));
                }
                Some(_) | None => {}
            }
        }
        let found = self.look_up(provider).await;
        let kept = Kept { found: found.as_ref().ok().cloned(), asked: now, keys_asked: now };
        let mut all = self.lock();
        // Those that are gone by now were removed through another replica.
        if all.len() >= 2 * IdentityProvider::MOST {
            all.clear();
        }
        all.insert(provider.id, kept);
        found
    }

    /// Asks a provider what it says of itself.
    pub(super) async fn look_up(&self, provider: &IdentityProvider) -> Result<Found, Trouble> {
        let body = self.get(&document_address(&provider.issuer)).await?;
        let document = Document::read(&provider.issuer, &body)?;
        let keys = Keys::read(&self.get(document.keys_address()).await?)?;
        Ok(Found { document: Arc::new(document), keys: Arc::new(keys) })
    }

    /// The keys of a provider anew, unless they were fetched a moment ago: whoever makes up names of keys
    /// must not have it asked for each.
    pub(super) async fn newer_keys(
        &self,
        id: IdentityProviderId,
        now: Timestamp,
    ) -> Result<Option<Found>, Trouble> {
        let address = {
            let mut all = self.lock();
            let due = |kept: &&mut Kept| now.duration_since(kept.keys_asked) >= KEYS_EVERY;
            let Some(kept) = all.get_mut(&id).filter(due) else { return Ok(None) };
            // Before it is asked: of many at once one asks.
            kept.keys_asked = now;
            kept.found.as_ref().map(|found| found.document.keys_address().to_owned())
        };
        let Some(address) = address else { return Ok(None) };
        let keys = Arc::new(Keys::read(&self.get(&address).await?)?);
        let mut all = self.lock();
        let Some(found) = all.get_mut(&id).and_then(|kept| kept.found.as_mut()) else {
            return Ok(None);
        };
        found.keys = keys;
        Ok(Some(found.clone()))
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, Trouble> {
        self.ask(url, None, &[]).await
    }

    /// Fetches something from a provider. Whatever is not a plain answer is none: no redirect is followed.
    pub(super) async fn ask(
        &self,
        url: &str,
        form: Option<&str>,
        headers: &[(HeaderName, String)],
    ) -> Result<Vec<u8>, Trouble> {
        let away = |why: &str| Trouble::Away(why.to_owned());
        let webhooks = self.webhooks.as_ref().ok_or_else(|| away("nothing is fetched here"))?;
        let fetch = Fetch { url, form, headers, limit: ANSWER_LIMIT };
        let answer = webhooks.fetch(fetch).await.map_err(|refusal| match refusal {
            NotFetched::Temporary(why) | NotFetched::Final(why) => Trouble::Away(why),
        })?;
        match answer.status {
            200 => Ok(answer.body),
            400 | 401 => Err(Refusal::Denied(format!("status {}", answer.status)).into()),
            status => Err(Trouble::Away(format!("it answered {status}"))),
        }
    }
}
