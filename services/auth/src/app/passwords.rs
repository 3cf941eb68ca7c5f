//! Hashing passwords: argon2id, away from the request threads, a bounded number at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::domain::PASSWORD_MAX;
use crate::{Config, Error};

/// The first byte of a hash: which parameters made it.
const SCHEME: u8 = 1;
/// Scheme 1: memory in KiB, passes, lanes (OWASP ASVS 5.0, appendix C).
const COST: (u32, u32, u32) = (19_456, 2, 1);

#[derive(Clone)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Passwords {
    pub(super) fn new(config: &Config) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let turns =
            if config.password_hashers == 0 { cores } else { config.password_hashers as usize };
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            patience: Duration::from_secs(config.password_wait_seconds.into()),
        }
    }

    /// What to keep of a password.
    pub(super) async fn hash(&self, password: &str) -> Result<Vec<u8>, Error> {
        let salt: [u8; 16] = openframe_ids::random();
        let hash = self.work(password, salt).await?;
        let mut kept = vec![SCHEME];
        kept.extend_from_slice(&salt);
        kept.extend_from_slice(&hash);
        Ok(kept)
    }

    /// Whether `password` is the one that was kept. Takes the same work when there is none.
    pub(super) async fn verify(&self, password: &str, kept: Option<&[u8]>) -> Result<bool, Error> {
        let parts = kept.and_then(read);
        let (salt, wanted) = parts.unwrap_or(([0; 16], [0; 32]));
        // Longer than any password can be: hash what can be, so that the work stays bounded.
        let password = if password.len() > 4 * PASSWORD_MAX { "" } else { password };
        let hash = self.work(password, salt).await?;
        let equal: bool = hash.ct_eq(&wanted).into();
        Ok(equal && parts.is_some())
    }

    async fn work(&self, password: &str, salt: [u8; 16]) -> Result<[u8; 32], Error> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(self.patience, turn).await else {
            return Err(Error::Busy);
        };
        let password = Zeroizing::new(password.to_owned());
        let hashed = tokio::task::spawn_blocking(move || {
            // Held until the work is over, also when the caller has gone away.
            let _turn = turn;
            argon2id(&password, &salt)
        });
        match hashed.await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(Error::Damaged(error.to_string().into())),
            Err(error) => Err(Error::Damaged(error.into())),
        }
    }
}

fn argon2id(password: &str, salt: &[u8]) -> Result<[u8; 32], argon2::Error> {
    let params = Params::new(COST.0, COST.1, COST.2, Some(32))?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
        password.as_bytes(),
        salt,
        &mut hash,
    )?;
    Ok(hash)
}

fn read(kept: &[u8]) -> Option<([u8; 16], [u8; 32])> {
    let (salt, hash) = kept.strip_prefix(&[SCHEME])?.split_at_checked(16)?;
    Some((salt.try_into().ok()?, hash.try_into().ok()?))
}

#[cfg(test)]
impl Passwords {
    /// Takes every turn, as if many people were signing in.
    pub(super) fn occupy(&self) -> Vec<tokio::sync::OwnedSemaphorePermit> {
        std::iter::from_fn(|| Arc::clone(&self.turns).try_acquire_owned().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(&Config::default());
        let kept = passwords.hash("correct horse").await.unwrap();
        assert!(passwords.verify("correct horse", Some(&kept)).await.unwrap());
        assert!(!passwords.verify("correct hors", Some(&kept)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("", Some(&[])).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_says_come_back() {
        let passwords = Passwords::new(&Config { password_wait_seconds: 0, ..Config::default() });
        let permits = u32::try_from(passwords.turns.available_permits()).unwrap();
        let _all = passwords.turns.acquire_many(permits).await.unwrap();
        assert!(matches!(passwords.hash("x").await, Err(Error::Busy)));
    }
}
