//! Keys that sign ID tokens, in two replicas on one store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openframe_oauth::keys::Stage;

use super::*;
use crate::app::LoggedOut;
use crate::domain::SealedKey;
use crate::store::{Answer, SigningKeys};

async fn kids(app: &Auth) -> Vec<String> {
    app.signing_keys().await.unwrap().iter().map(|key| key.kid().to_owned()).collect()
}

// B74
#[tokio::test]
async fn a_revoked_key_is_shown_by_no_replica_after_fifteen_seconds() {
    let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
    let ([one, other], asked) = replicas(&clock);
    let first = kids(&one).await;
    assert_eq!((first.len(), kids(&other).await), (1, first.clone()));

    let staged = one.rotate_keys(&asked, Rotation::Staged).await.unwrap();
    let made = one.rotate_keys(&asked, Rotation::Revoke).await.unwrap();
    assert_ne!(staged.kid, made.kid);
    assert_eq!(kids(&one).await, [made.kid.as_str()]);
    clock.advance(SignedDuration::from_secs(15));
    assert_eq!(kids(&other).await, [made.kid.as_str()]);
    let shown = other.keys_shown(&asked).await.unwrap();
    assert_eq!(shown, [made]);
}

/// Two replicas on one store, and somebody who may look at their keys.
fn replicas(clock: &ManualClock) -> ([Auth; 2], Asked) {
    let authority = Arc::new(Authority::create(clock.clock().now()).unwrap().0);
    let (stores, tenant) = (Stores::of(&MemoryStore::default()), TenantId::new());
    let each = [(), ()].map(|()| {
        let parts = (stores.clone(), Arc::clone(&authority), clock.clock(), tenant);
        Auth::new(Config::default(), parts)
    });
    let (key, owner, role) = (ApiKeyId::new(), UserId::new(), Role::Owner);
    let scopes = Permission::ALL.iter().map(ToString::to_string).collect();
    let subject = Subject::ApiKey { key, owner, role, grants: Grants::default(), scopes };
    (each, Asked { caller: Caller { tenant, subject }, origin: Origin::default() })
}

// B18.rotation
/// For four months two replicas sign all the while and rotate by themselves. A program that has read the
/// keys of either within the last day, or reads them as long as the token is good, always knows the key.
#[tokio::test]
async fn no_token_is_met_whose_key_a_program_cannot_know() {
    let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
    let (replicas, asked) = replicas(&clock);
    let (mut read, mut signed) = (VecDeque::new(), VecDeque::new());
    let mut used = std::collections::BTreeSet::new();
    // Steps of an hour but for a minute, so that they come upon everything from other sides.
    for step in 0..24 * 120 {
        if step % 2 == 0 {
            replicas[step / 2 % 2].renew_signing_keys().await.unwrap();
        }
        for replica in &replicas {
            let shown = replica.keys_shown(&asked).await.unwrap();
            let signs = shown.iter().find(|key| key.stage == Stage::Signing).unwrap();
            signed.push_back(signs.kid.clone());
            used.insert(signs.kid.clone());
            read.push_back(kids(replica).await);
        }
        for kid in &signed {
            assert!(read.iter().all(|known| known.contains(kid)), "step {step}");
        }
        // The last step but one is more than five minutes ago: what was signed then is good no more.
        while signed.len() > 2 {
            signed.pop_front();
        }
        while read.len() > 2 * 23 {
            read.pop_front();
        }
        clock.advance(SignedDuration::from_mins(59));
    }
    assert!(used.len() >= 4, "they were rotated: {used:?}");
}

/// Keys that count how often they are read.
struct Counted(Arc<dyn SigningKeys>, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl SigningKeys for Counted {
    async fn keys(&self) -> Answer<Vec<SealedKey>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.keys().await
    }

    async fn add_key(&self, key: &SealedKey, unless_since: Timestamp) -> Answer<bool> {
        self.0.add_key(key, unless_since).await
    }

    async fn rotate(
        &self,
        tenant: TenantId,
        key: &SealedKey,
        alone: bool,
        event: &Event,
    ) -> Answer<()> {
        self.0.rotate(tenant, key, alone, event).await
    }

    async fn forget_keys(&self, since: Timestamp) -> Answer<()> {
        self.0.forget_keys(since).await
    }
}

// B18.flood
#[tokio::test]
async fn tokens_of_unknown_keys_cost_the_store_nothing() {
    let mut world = world();
    let reads = Arc::<AtomicUsize>::default();
    let own = Arc::clone(&world.app.store.signing_keys);
    world.app.store.signing_keys = Arc::new(Counted(own, Arc::clone(&reads)));
    kids(&world.app).await;
    let before = reads.load(Ordering::Relaxed);
    for n in 0..1000 {
        // {"alg":"ES256","kid":…} and {}.
        let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"unknown {n}"}}"#));
        let query = format!("id_token_hint={head}.e30.AAAA");
        let answered = world.app.rp_logout(query.as_bytes(), None, &Origin::default()).await;
        assert!(matches!(answered, Ok(LoggedOut::Refused(_))));
    }
    assert_eq!(reads.load(Ordering::Relaxed), before);
}
