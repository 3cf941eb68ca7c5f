//! The service starts anew while its devices stay connected.

use super::*;

#[tokio::test]
async fn a_device_that_stayed_connected_is_pushed_what_waits() {
    let stores = Stores::of(Memory::default());
    let before = world_with(stores.clone());
    let link = before.connect().await;
    before.disconnect(link).await;
    let waiting = before.run().await;
    let after = World { tenant: before.tenant, device: before.device, ..world_with(stores) };
    after.app.load().await.unwrap();
    after.wire.open.store(true, Ordering::Relaxed);
    after.app.heard(&after.itself()).await.unwrap();
    after.idle().await;
    assert_eq!(after.ran(), [waiting.id]);
    after.app.heard(&after.itself()).await.unwrap();
    after.idle().await;
    assert_eq!(after.ran(), [waiting.id], "once");
    let next = after.run().await;
    assert_eq!(after.ran(), [waiting.id, next.id]);
}
