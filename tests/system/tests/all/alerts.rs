//! From a value to a message in somebody's hands.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use openframe_fault::Kind;
use openframe_monitoring_api::{ChannelDefinition, RuleDefinition, Webhook};
use openframe_system::{Server, until};
use tokio::net::TcpListener;

/// What a receiver got, and how many requests it refuses first.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    refuse: usize,
    refused: Vec<String>,
    pub(crate) taken: Vec<(String, Webhook)>,
}

pub(crate) type Shared = Arc<Mutex<Inbox>>;

async fn take(
    State(inbox): State<Shared>,
    headers: HeaderMap,
    axum::Json(message): axum::Json<Webhook>,
) -> StatusCode {
    let key = headers.get("idempotency-key").unwrap().to_str().unwrap().to_owned();
    let mut inbox = inbox.lock().unwrap();
    if inbox.refused.len() < inbox.refuse {
        inbox.refused.push(key);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    inbox.taken.push((key, message));
    StatusCode::OK
}

/// Starts a receiver on loopback; returns its address and what it gets.
pub(crate) async fn receiver(refuse: usize) -> (String, Shared) {
    let inbox = Shared::new(Mutex::new(Inbox { refuse, ..Inbox::default() }));
    let router = Router::new().route("/hook", axum::routing::post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = router.with_state(Arc::clone(&inbox));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, inbox)
}

pub(crate) fn definition(name: &str, expr: &str) -> RuleDefinition {
    RuleDefinition {
        name: name.to_owned(),
        expr: expr.to_owned(),
        for_s: 0,
        severity: "critical".to_owned(),
        summary: "look at it".to_owned(),
        channels: Vec::new(),
    }
}

#[tokio::test]
async fn a_threshold_fires_is_told_and_ends() {
    let mut server = Server::start_with(&["monitoring.evaluation_interval_s=1"]).unwrap();
    // The first attempt is refused, so the message has to survive in the outbox.
    let (webhook_url, inbox) = receiver(1).await;
    let (_agent, device) = server.agent().await.unwrap();
    let monitoring = server.monitoring().unwrap();
    let channel = ChannelDefinition { name: "chat".to_owned(), webhook_url };
    let channel = monitoring.create_channel(&channel).await.unwrap();
    let expr = format!(
        "sum by (device_id) (system_memory_usage_bytes{{device_id=\"{}\"}}) > 1",
        device.id
    );
    let wanted = RuleDefinition { channels: vec![channel.id], ..definition("memory", &expr) };
    let rule = monitoring.create_rule(&wanted).await.unwrap();
    let firing = until("a firing alert", || async {
        let alerts = monitoring.alerts().await.ok()?.items;
        alerts.into_iter().find(|alert| alert.state == "firing")
    })
    .await;
    assert_eq!((firing.rule_id, firing.device_id), (rule.id, Some(device.id)));
    assert!(firing.value > 1e7, "{firing:?}");
    until("a refused attempt", || async {
        (!inbox.lock().unwrap().refused.is_empty()).then_some(())
    })
    .await;
    // What is not delivered survives the platform.
    server.crash_and_restart().unwrap();
    let (key, message) =
        until("the message", || async { inbox.lock().unwrap().taken.first().cloned() }).await;
    assert_eq!(key, inbox.lock().unwrap().refused[0], "a repeat has the same key");
    assert_eq!((message.version.as_str(), message.status.as_str()), ("4", "firing"));
    assert_eq!(message.alerts[0].labels["alertname"], "memory");
    let monitoring = server.monitoring().unwrap();
    let wanted = RuleDefinition { expr: format!("{expr} and on () vector(0) > 1"), ..wanted };
    monitoring.replace_rule(rule.id, &wanted).await.unwrap();
    let (_, over) =
        until("the all-clear", || async { inbox.lock().unwrap().taken.get(1).cloned() }).await;
    assert_eq!((over.status.as_str(), over.alerts[0].ends_at.is_some()), ("resolved", true));
    assert_eq!(inbox.lock().unwrap().taken.len(), 2, "each is told once");
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_refused() {
    let server = Server::start().unwrap();
    let monitoring = server.monitoring().unwrap();
    for bad in [
        definition("", "up"),
        definition("x", "up{"),
        definition("x", ""),
        definition("x", &"(".repeat(9_000)),
        RuleDefinition { severity: "bad".to_owned(), ..definition("x", "up") },
        RuleDefinition { for_s: u32::MAX, ..definition("x", "up") },
        RuleDefinition { channels: vec![openframe_ids::ChannelId::new()], ..definition("x", "up") },
    ] {
        let refused = monitoring.create_rule(&bad).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid, "{bad:?}: {refused:?}");
    }
    monitoring.create_rule(&definition("x", "up")).await.unwrap();
    let twice = monitoring.create_rule(&definition("x", "up")).await.unwrap_err();
    assert_eq!(twice.kind(), Kind::Conflict);
    for webhook_url in ["http://chat.example/", "file:///etc/passwd", "https://u:p@chat.example/"] {
        let (name, webhook_url) = ("c".to_owned(), webhook_url.to_owned());
        let wanted = ChannelDefinition { name, webhook_url };
        let refused = monitoring.create_channel(&wanted).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid);
    }
    let missing = monitoring.delete_rule(openframe_ids::RuleId::new()).await.unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    let audit = server.auth().unwrap().audit(None, 50).await.unwrap();
    assert!(audit.items.iter().any(|entry| entry.action == "rule.create"), "{audit:?}");
}
