//! What gateways are told of whose access has ended.

use super::*;
use crate::app::Ended;

#[tokio::test]
async fn a_gateway_is_told_whose_access_has_ended() {
    let world = world();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    let (app, gateway) = (&world.app, gateway(world.tenant));
    let begin = app.ended(&gateway, None).await.unwrap();
    assert!(begin.place > 0 && !begin.people, "it knows nobody yet");

    let scopes = vec!["devices:read".to_owned()];
    let key = app.create_api_key(&asked, "k", scopes, None).await.unwrap().key;
    let made = app.ended(&gateway, Some(begin.place)).await.unwrap();
    assert_eq!(made, Ended { place: begin.place + 1, people: false, devices: Vec::new() });
    app.revoke_api_key(&asked, key.id).await.unwrap();
    let revoked = app.ended(&gateway, Some(made.place)).await.unwrap();
    assert_eq!(revoked, Ended { place: made.place + 1, people: true, devices: Vec::new() });

    let device = DeviceId::new();
    let mut event = app.event(&asked, "device.revoke", device);
    app.store.trail.append(world.tenant, &event).await.unwrap();
    event.outcome = "refused".to_owned();
    app.store.trail.append(world.tenant, &event).await.unwrap();
    let ended = app.ended(&gateway, Some(revoked.place)).await.unwrap();
    assert_eq!(ended, Ended { place: revoked.place + 2, people: false, devices: vec![device] });

    let older = app.ended(&gateway, Some(ended.place + 7)).await.unwrap();
    assert_eq!(older, Ended { people: true, devices: Vec::new(), ..ended }, "an older database");
    assert!(app.ended(&asked.caller, None).await.is_err(), "for gateways");
}
