//! Keys that sign ID tokens, in two replicas on one store.

use jiff::SignedDuration;

use super::*;

async fn kids(app: &Auth) -> Vec<String> {
    app.signing_keys().await.unwrap().iter().map(|key| key.kid().to_owned()).collect()
}

// B74
#[tokio::test]
async fn a_revoked_key_is_shown_by_no_replica_after_fifteen_seconds() {
    let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
    let authority = Arc::new(Authority::create(clock.clock().now()).unwrap().0);
    let (stores, tenant) = (Stores::of(&MemoryStore::default()), TenantId::new());
    let [one, other] = [(), ()].map(|()| {
        let parts = (stores.clone(), Arc::clone(&authority), clock.clock(), tenant);
        Auth::new(Config::default(), parts)
    });
    let first = kids(&one).await;
    assert_eq!((first.len(), kids(&other).await), (1, first.clone()));

    let (key, owner, role) = (ApiKeyId::new(), UserId::new(), Role::Owner);
    let scopes = Permission::ALL.iter().map(ToString::to_string).collect();
    let subject = Subject::ApiKey { key, owner, role, grants: Grants::default(), scopes };
    let asked = Asked { caller: Caller { tenant, subject }, origin: Origin::default() };
    let staged = one.rotate_keys(&asked, Rotation::Staged).await.unwrap();
    let made = one.rotate_keys(&asked, Rotation::Revoke).await.unwrap();
    assert_ne!(staged.kid, made.kid);
    assert_eq!(kids(&one).await, [made.kid.as_str()]);
    clock.advance(SignedDuration::from_secs(15));
    assert_eq!(kids(&other).await, [made.kid.as_str()]);
    let shown = other.keys_shown(&asked).await.unwrap();
    assert_eq!(shown, [made]);
}
