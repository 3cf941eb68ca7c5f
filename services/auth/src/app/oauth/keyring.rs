//! The keys that sign ID tokens: made by whichever replica is first, read by all.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use openframe_oauth::id_token::SigningKey;
use openframe_oauth::keys::{Stage, Times, plan};
use openframe_pki::Authority;
use openframe_tokens::Permission;
use openframe_tokens::sealing::Sealer;

use crate::Error;
use crate::app::{Asked, Auth, need, need_whole};
use crate::domain::SealedKey;

/// How long keys that were read are believed to be all: how long another replica may still sign with, or
/// show, a key that was taken out of use.
const BELIEVED: SignedDuration = SignedDuration::from_secs(15);

/// A key as it is told of: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyShown {
    /// Its name, in tokens and in the key set.
    pub kid: String,
    /// When it was made, and from when on it signs.
    pub times: Times,
    /// What it is there for.
    pub stage: Stage,
}

/// How the keys are to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The new key signs in a day, when clients know it.
    Staged,
    /// The new key signs at once; what the others have signed stays good.
    Now,
    /// The new key is the only one: whatever the others have signed is good no more.
    Revoke,
}

impl Rotation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "signs in a day",
            Self::Now => "signs at once",
            Self::Revoke => "signs at once, all others revoked",
        }
    }
}

/// The keys as they were last read. Clones share them.
#[derive(Clone)]
pub(in crate::app) struct Keyring {
    sealer: Sealer,
    known: Arc<Mutex<Option<Known>>>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<[SigningKey]>,
    times: Arc<[Times]>,
    at: Timestamp,
}

impl Keyring {
    pub(in crate::app) fn new(authority: &Authority) -> Self {
        let sealer = Sealer::new(&authority.derived_key("signing keys of ID tokens"));
        Self { sealer, known: Arc::default() }
    }

    fn known(&self, now: Timestamp) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone().filter(|known| now.duration_since(known.at) < BELIEVED)
    }

    fn learn(&self, known: &Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
    }
}

impl Auth {
    /// Every key that has signed something that may still be good, or will sign.
    pub async fn signing_keys(&self) -> Result<Arc<[SigningKey]>, Error> {
        Ok(self.known_keys().await?.keys)
    }

    /// Does something with the key that signs now.
    pub(super) async fn with_signing_key<T>(
        &self,
        sign: impl FnOnce(&SigningKey) -> T,
    ) -> Result<T, Error> {
        let known = self.known_keys().await?;
        let place = plan(&known.times, self.now()).signing;
        let key = place.and_then(|place| known.keys.get(place));
        key.map(sign).ok_or_else(|| Error::Damaged("there is no signing key".into()))
    }

    /// Makes the next key when it is time, and forgets those that are needed no more.
    pub(in crate::app) async fn renew_signing_keys(&self) -> Result<(), Error> {
        let known = self.read_keys().await?;
        if let Some(since) = plan(&known.times, self.now()).needed_since {
            self.store.signing_keys.forget_keys(since).await?;
        }
        Ok(())
    }

    async fn known_keys(&self) -> Result<Known, Error> {
        match self.keyring.known(self.now()) {
            Some(known) => Ok(known),
            None => self.read_keys().await,
        }
    }

    /// The keys that sign ID tokens, oldest first.
    pub async fn keys_shown(&self, asked: &Asked) -> Result<Vec<KeyShown>, Error> {
        need(&asked.caller, Permission::UsersManage)?;
        let known = self.read_keys().await?;
        let plan = plan(&known.times, self.now());
        let places = known.keys.iter().zip(known.times.iter()).enumerate();
        let shown = places.map(|(place, (key, times))| KeyShown {
            kid: key.kid().to_owned(),
            times: *times,
            stage: plan.stage(place),
        });
        Ok(shown.collect())
    }

    /// Makes a new key that signs ID tokens, and tells it.
    pub async fn rotate_keys(&self, asked: &Asked, rotation: Rotation) -> Result<KeyShown, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let now = self.now();
        let (times, stage) = match rotation {
            Rotation::Staged => (Times::staged(now), Stage::Staged),
            Rotation::Now | Rotation::Revoke => (Times::at_once(now), Stage::Signing),
        };
        let key = self.generate(times);
        let mut event = self.event(asked, "signing_key.rotate", &key.kid);
        rotation.as_str().clone_into(&mut event.detail);
        let alone = rotation == Rotation::Revoke;
        self.store.signing_keys.rotate(asked.caller.tenant, &key, alone, &event).await?;
        self.read_keys().await?;
        Ok(KeyShown { kid: key.kid, times, stage })
    }

    fn generate(&self, times: Times) -> SealedKey {
        let key = SigningKey::generate();
        let kid = key.kid().to_owned();
        SealedKey { sealed: self.keyring.sealer.seal(&kid, key.pkcs8()), kid, times }
    }

    async fn read_keys(&self) -> Result<Known, Error> {
        let now = self.now();
        let mut sealed = self.store.signing_keys.keys().await?;
        let times: Vec<Times> = sealed.iter().map(|key| key.times).collect();
        if let Some(since) = plan(&times, now).wanted_since {
            // Nobody has read another than the very first: it need not wait.
            let first = times.is_empty();
            let key = self.generate(if first { Times::at_once(now) } else { Times::staged(now) });
            if self.store.signing_keys.add_key(&key, since).await? {
                tracing::info!("made the signing key {}", key.kid);
            }
            sealed = self.store.signing_keys.keys().await?;
        }
        let known = Known {
            keys: sealed.iter().map(|key| self.opened(key)).collect::<Result<_, _>>()?,
            times: sealed.iter().map(|key| key.times).collect(),
            at: now,
        };
        self.keyring.learn(&known);
        Ok(known)
    }

    fn opened(&self, key: &SealedKey) -> Result<SigningKey, Error> {
        let damaged = |error| Error::Damaged(Box::new(error));
        let pkcs8 = self.keyring.sealer.open(&key.kid, &key.sealed).map_err(damaged)?;
        SigningKey::read(&pkcs8).map_err(|error| Error::Damaged(Box::new(error)))
    }
}
