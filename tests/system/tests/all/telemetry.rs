//! Telemetry of a real device, from its kernel to a query, and `remote_write` beside it.

use openframe_monitoring_api::{ChannelDefinition, RuleDefinition};
use openframe_system::{Server, until};
use serde_json::Value;

async fn value(server: &Server, expr: &str) -> Option<f64> {
    let answer = server.monitoring().ok()?.query(expr, None).await.ok()?;
    answer.pointer("/data/result/0/value/1").and_then(Value::as_str)?.parse().ok()
}

#[tokio::test]
async fn this_machine_is_measured() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let expr = format!("sum(system_memory_usage_bytes{{device_id=\"{}\"}})", device.id);
    let memory = until("memory in a query", || value(&server, &expr)).await;
    assert!(memory > 1e7, "{memory}");
    let latest = server.monitoring().unwrap().latest(device.id).await.unwrap();
    assert!(latest.items.iter().any(|item| item.name == "system_cpu_load_average_1m"));
}

#[tokio::test]
async fn inventory_says_what_this_machine_is() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let names = until("the inventory", || async {
        let inventory = devices.inventory(device.id).await.ok()?;
        let names: Vec<String> = inventory.sections.into_iter().map(|s| s.section).collect();
        (names.len() >= 4).then_some(names)
    })
    .await;
    for section in ["hardware", "os", "network", "software"] {
        assert!(names.iter().any(|name| name == section), "{section} is missing in {names:?}");
    }
}

#[tokio::test]
async fn a_threshold_fires() {
    let server = Server::start().unwrap();
    let (_agent, _) = server.agent().await.unwrap();
    let monitoring = server.monitoring().unwrap();
    let rule = RuleDefinition {
        name: "it is up".to_owned(),
        expr: "system_uptime_seconds > 0".to_owned(),
        for_s: 0,
        severity: "info".to_owned(),
        summary: String::new(),
        channels: Vec::new(),
    };
    monitoring.create_rule(&rule).await.unwrap();
    let alert = until("the alert to fire", || async {
        let alerts = monitoring.alerts().await.ok()?.items;
        alerts.into_iter().find(|alert| alert.state == "firing")
    })
    .await;
    assert_eq!(alert.name, "it is up");
    let refused = monitoring
        .create_channel(&ChannelDefinition {
            name: "nowhere".to_owned(),
            webhook_url: "file:///etc/passwd".to_owned(),
        })
        .await;
    assert!(refused.is_err());
}
