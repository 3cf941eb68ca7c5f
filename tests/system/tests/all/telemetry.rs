//! Telemetry of a real device, from its kernel to a query.

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
