//! Checks that nothing else looks at: each was turned off once, and no test noticed.

use super::*;

// ASVS 8.2.1
// B55.read
#[tokio::test]
async fn every_operation_asks_for_its_own_permission() {
    let world = world();
    world.connect().await;
    let made = world.run().await;
    let reader = world.person(Role::ReadOnly);
    let change = || Change { name: Some("x".to_owned()), ..Change::default() };
    let kind = |error: Error| error.kind();
    let refused = world.app.change(&reader, world.device, change()).await;
    assert_eq!(refused.map_err(kind).unwrap_err(), Kind::Forbidden);
    let refused = world.app.cancel(&reader, made.id).await;
    assert_eq!(refused.map_err(kind).unwrap_err(), Kind::Forbidden);
    let nobody = Ask::of(world.itself(), &http::HeaderMap::new());
    let all = Query::parse("", "", "").unwrap();
    assert_eq!(world.app.devices(&nobody, &all).await.unwrap_err().kind(), Kind::Forbidden);
    assert_eq!(world.app.follow(&nobody).unwrap_err().kind(), Kind::Forbidden);
    assert_eq!(world.app.commands(&nobody, world.device, None, 9).await.unwrap_err().kind(), {
        Kind::Forbidden
    });
    assert_eq!(world.app.output(&nobody, made.id, 0).await.unwrap_err().kind(), Kind::Forbidden);
}

// ASVS 8.2.2, 8.4.1
#[tokio::test]
async fn nothing_of_another_tenant_is_found() {
    let world = world();
    world.connect().await;
    let made = world.run().await;
    let mut other = world.person(Role::Owner);
    other.caller.tenant = TenantId::new();
    let all = Query::parse("", "", "").unwrap();
    assert_eq!(world.app.devices(&other, &all).await.unwrap().total, 0);
    assert_eq!(world.app.devices(&world.person(Role::Owner), &all).await.unwrap().total, 1);
    assert_eq!(world.app.command(&other, made.id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(world.app.cancel(&other, made.id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(world.app.output(&other, made.id, 0).await.unwrap_err().kind(), Kind::NotFound);
}

// ASVS 8.2.2
// B55.act
#[tokio::test]
async fn a_device_says_nothing_of_the_commands_of_others() {
    let world = world();
    world.connect().await;
    let made = world.run().await;
    let before = world.state(made.id).await;
    let other =
        Caller { tenant: world.tenant, subject: Subject::Device { device: DeviceId::new() } };
    world.app.link_opened(&other, &LinkId::new().to_string(), Hello::default()).await.unwrap();
    let said = Item::Command(Some(made.id), state(ReportedState::Succeeded));
    world.app.report(&other, std::slice::from_ref(&said)).await.unwrap();
    assert_eq!(world.state(made.id).await, before);
    world.app.report(&world.itself(), &[said]).await.unwrap();
    assert_eq!(world.state(made.id).await, State::Succeeded);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let world = world();
    world.connect().await;
    let ask = world.person(Role::Owner);
    for script in [String::new(), "x".repeat((64 << 10) + 1)] {
        let refused = world.app.run(&ask, world.device, Wanted { script, ..wanted() }, None).await;
        assert_eq!(refused.unwrap_err().kind(), Kind::Invalid);
    }
    let many: Vec<Item> =
        (0..1_025).map(|_| Item::Command(None, state(ReportedState::Running))).collect();
    assert_eq!(world.app.report(&world.itself(), &many).await.unwrap_err().kind(), Kind::Invalid);
    world.app.report(&world.itself(), &many[1..]).await.unwrap();
}
