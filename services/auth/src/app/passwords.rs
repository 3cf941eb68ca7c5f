//! Hashing passwords: argon2id, away from the request threads, a bounded number at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
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
    /// How many turns there are.
    all: usize,
    rooms: Arc<Rooms>,
    patience: Duration,
}

/// The memory of hashes, 19 MiB each. It is used again: an allocator keeps memory of this size for each
/// thread that ever hashed, and new memory costs a tenth of the hash.
#[derive(Default)]
struct Rooms(Mutex<Vec<Vec<Block>>>);

impl Rooms {
    fn take(&self) -> Vec<Block> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps one for the next hash, and more only while others hash as well.
    fn put_back(&self, room: Vec<Block>, last: bool) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.push(room);
        if last {
            rooms.truncate(1);
        }
    }
}

impl Passwords {
    pub(super) fn new(config: &Config) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let turns =
            if config.password_hashers == 0 { cores } else { config.password_hashers as usize };
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            all: turns,
            rooms: Arc::default(),
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
        let (rooms, turns, all) = (Arc::clone(&self.rooms), Arc::clone(&self.turns), self.all);
        let hashed = tokio::task::spawn_blocking(move || {
            let mut room = rooms.take();
            let hash = argon2id(&password, &salt, &mut room);
            // A turn is held until the work is over, also when the caller has gone away.
            drop(turn);
            rooms.put_back(room, turns.available_permits() == all);
            hash
        });
        match hashed.await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(Error::Damaged(error.to_string().into())),
            Err(error) => Err(Error::Damaged(error.into())),
        }
    }
}

/// What was in `room` before does not matter: the first pass writes all of it.
fn argon2id(password: &str, salt: &[u8], room: &mut Vec<Block>) -> Result<[u8; 32], argon2::Error> {
    let params = Params::new(COST.0, COST.1, COST.2, Some(32))?;
    room.resize_with(params.block_count(), Block::default);
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        &mut hash,
        room.as_mut_slice(),
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
    async fn memory_is_used_again_and_one_is_kept() {
        let passwords = Passwords::new(&Config { password_hashers: 4, ..Config::default() });
        let kept = passwords.hash("correct horse").await.unwrap();
        let all = ["correct horse", "battery", "staple", "correct horse"];
        let verified = all.map(|password| passwords.verify(password, Some(&kept)));
        let verified = futures::future::join_all(verified).await;
        let verified: Vec<bool> = verified.into_iter().map(Result::unwrap).collect();
        assert_eq!(verified, [true, false, false, true]);
        let rooms = passwords.rooms.0.lock().unwrap();
        let lengths: Vec<usize> = rooms.iter().map(Vec::len).collect();
        assert_eq!(lengths, [COST.0 as usize]);
    }

    #[tokio::test]
    async fn a_full_queue_says_come_back() {
        let passwords = Passwords::new(&Config { password_wait_seconds: 0, ..Config::default() });
        let permits = u32::try_from(passwords.turns.available_permits()).unwrap();
        let _all = passwords.turns.acquire_many(permits).await.unwrap();
        assert!(matches!(passwords.hash("x").await, Err(Error::Busy)));
    }
}
