//! What goes out to devices, and again.

use super::*;

#[tokio::test]
async fn all_that_waits_goes_out_however_little_the_link_takes() {
    let world = world();
    let link = world.connect().await;
    world.disconnect(link).await;
    let mut made = Vec::new();
    for _ in 0..45 {
        made.push(world.run().await.id);
    }
    world.wire.room.store(32, Ordering::Relaxed);
    world.connect().await;
    assert_eq!(world.ran(), made[..32]);
    assert_eq!(world.state(made[32]).await, State::Queued, "it never went out");
    world.wire.room.store(32, Ordering::Relaxed);
    world.app.push_again();
    world.idle().await;
    let ran = world.ran();
    assert_eq!(ran[ran.len() - 13..], made[32..], "in order, the rest");
}

#[tokio::test]
async fn what_may_not_have_gone_out_goes_out_again() {
    let world = world();
    world.connect().await;
    world.wire.silent.store(true, Ordering::Relaxed);
    let made = world.run().await;
    world.idle().await;
    assert_eq!(world.state(made.id).await, State::Sent, "it may have been written");
    assert!(world.ran().is_empty());
    world.wire.silent.store(false, Ordering::Relaxed);
    world.app.push_again();
    world.idle().await;
    assert_eq!(world.ran(), [made.id]);
}
