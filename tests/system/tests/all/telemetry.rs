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

/// A request of OpenTelemetry's Python SDK, its instants moved to now.
#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
fn otlp_of_now() -> Vec<u8> {
    let mut body =
        include_bytes!("../../../../services/monitoring/src/otlp/fixtures/python-sdk.bin").to_vec();
    // `time_unix_nano` of a data point: the field's key, then eight bytes.
    let made = 1_795_584_353_000_000_000_u64..1_795_584_355_000_000_000;
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    for at in 0..body.len() {
        let Some((key, time)) = body.get_mut(at..at + 9).and_then(<[u8]>::split_first_mut) else {
            break;
        };
        let made_then = u64::from_le_bytes((&*time).try_into().unwrap());
        if *key == 0x19 && made.contains(&made_then) {
            time.copy_from_slice(&now.to_le_bytes());
        }
    }
    body
}

#[tokio::test]
async fn what_an_opentelemetry_sdk_sends_is_there_after_a_crash() {
    let mut server = Server::start().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &otlp_of_now()).unwrap();
    let request = http::Request::post(openframe_monitoring_api::OTLP_METRICS)
        .header("authorization", format!("Bearer {}", server.key))
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "gzip")
        .body(axum::body::Body::from(gzip.finish().unwrap()))
        .unwrap();
    let answer = server.peer().unwrap().call(request).await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::OK);
    // An empty answer: nothing of it was refused.
    let body = openframe_fault::body::read(answer.into_body(), 1_000).await.unwrap();
    assert!(body.is_empty(), "{body:?}");
    server.crash_and_restart().unwrap();
    for (expr, want) in [
        ("sum(http_server_requests_total{job=\"eu/shop\",instance=\"shop-1\"})", 5.0),
        ("http_server_duration_milliseconds_bucket{le=\"10\"}", 3.0),
        ("http_server_duration_milliseconds_count", 4.0),
        ("process_memory_usage_bytes", 12_345_678.0),
        ("queue_length", 5.0),
        ("count(target_info{host_name=\"h1\"})", 1.0),
    ] {
        let found = until("a value", || value(&server, expr)).await;
        assert!((found - want).abs() < 1e-9, "{expr}: {found}");
    }
}
