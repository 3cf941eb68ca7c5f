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

#[tokio::test]
async fn what_no_gateway_takes_yet_goes_out_while_the_device_is_connected() {
    let world = world();
    let link = world.connect().await;
    // The gateway hears last that the connection is open.
    world.wire.open.store(false, Ordering::Relaxed);
    let made = world.run().await;
    world.idle().await;
    assert_eq!(world.state(made.id).await, State::Queued);
    world.wire.open.store(true, Ordering::Relaxed);
    world.app.push_again();
    world.idle().await;
    assert_eq!(world.ran(), [made.id]);
    // To one that is away nothing is pushed before it comes.
    world.disconnect(link).await;
    world.run().await;
    world.idle().await;
    world.wire.open.store(true, Ordering::Relaxed);
    world.app.push_again();
    world.idle().await;
    assert_eq!(world.ran(), [made.id]);
}

#[tokio::test]
async fn what_may_have_gone_to_an_older_connection_goes_out_until_it_is_confirmed() {
    let world = world();
    world.connect().await;
    world.wire.doubtful.store(true, Ordering::Relaxed);
    let (first, second) = (world.run().await, world.run().await);
    world.idle().await;
    assert_eq!(world.ran(), [first.id, second.id], "the second does not wait for the first");
    world.wire.doubtful.store(false, Ordering::Relaxed);
    world.app.push_again();
    world.idle().await;
    assert_eq!(world.ran(), [first.id, second.id, first.id, second.id]);
    world.app.push_again();
    world.idle().await;
    assert_eq!(world.ran().len(), 4);
}
