//! Two replicas on one store.

use openframe_mesh::identity::{require, service_credential};
use openframe_mesh::{Client, Peer};
use openframe_tokens::internal::Minter;

use super::*;

#[tokio::test]
async fn a_replica_knows_what_another_has_heard_and_changed() {
    let (stores, minter) = (Stores::of(Memory::default()), Minter::generate());
    let other = world_with(stores.clone());
    let router = crate::http::routes(other.app.clone());
    let router = require(router, minter.verifier("devices"), other.clock.clock());
    let itself = ("devices", "devices");
    let credential = service_credential(minter, other.clock.clock(), itself, other.tenant);
    let siblings = Siblings::new(Some(Client::new(Peer::from(router), credential)));
    let own = world_of(stores, siblings);
    let owner = Ask { caller: own.person(Role::Owner).caller, ..other.person(Role::Owner) };
    let mut events = other.app.follow(&owner).unwrap();

    let link = own.connect().await;
    let made = own.run().await;
    // Its next word may come before the news of it.
    other.app.heard(&own.itself()).await.unwrap();
    own.app.siblings.tell().await;
    assert!(other.app.connected_since(own.whose()).is_some());
    let page = other.app.devices(&owner, &Query { limit: 10, ..Query::default() }).await.unwrap();
    assert_eq!(page.devices[0].presence, Presence::Online);
    let mut commands = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Happened::Command(command) = &event.what {
            commands.push(command.id);
        }
    }
    assert_eq!(commands, [made.id]);

    other.idle().await;
    // As if this one had died before the command went out.
    other.wire.open.store(true, Ordering::Relaxed);
    other.app.push_again();
    other.idle().await;
    assert_eq!(other.ran(), [made.id]);

    own.disconnect(link).await;
    own.app.siblings.tell().await;
    assert_eq!(other.app.connected_since(own.whose()), None);
    own.app.retire(&owner, own.device).await.unwrap();
    own.app.siblings.tell().await;
    assert!(!other.app.is_known(own.whose()));
    assert!(
        other.app.link_opened(&own.itself(), &link.to_string(), Hello::default()).await.is_err()
    );
}

#[tokio::test]
async fn nobody_else_tells_news() {
    let world = world();
    let news =
        openframe_devices_api::internal::SiblingNews { from: String::new(), devices: vec![] };
    let refused = world.app.sibling_news(&world.itself(), news).await.unwrap_err();
    assert!(matches!(refused, Error::SiblingsOnly));
}
