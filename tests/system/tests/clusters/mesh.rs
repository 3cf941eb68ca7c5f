//! The services' way to each other: how it is shown, and what is left of it where a mesh around the
//! processes does the work.

use std::sync::Arc;

use openframe_mesh::{Client, Credential, identity};
use openframe_system::picture::REPLICAS;
use openframe_system::{Server, peer_at, until};
use serde_json::Value;

use crate::picture::works;

async fn asked(server: &Server) -> Option<Value> {
    server.client().ok()?.get("/api/platform/v1/health").await.ok()
}

/// The services of the replicas that are shown, in order; those that are not ready with what they wait
/// for.
fn shown(health: &Value) -> Vec<String> {
    let replicas = health["replicas"].as_array().unwrap().iter().map(|replica| {
        let service = replica["service"].as_str().unwrap();
        let parts = replica["parts"].as_array().unwrap().iter();
        let waits: Vec<_> = parts.filter_map(|part| part["waiting_for"].as_str()).collect();
        format!("{service} {}", waits.join(", ")).trim_end().to_owned()
    });
    let mut replicas: Vec<_> = replicas.collect();
    replicas.sort();
    replicas
}

#[tokio::test]
async fn every_replica_and_every_edge_is_shown() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    works(&server, device.id, "a command").await;
    let mut every: Vec<_> = REPLICAS.map(|(service, _)| service.to_owned()).to_vec();
    every.sort();
    let health = until("every replica to be ready", || async {
        asked(&server).await.filter(|health| health["ready"] == true)
    })
    .await;
    assert_eq!(shown(&health), every);
    for (from, to) in [("gateway", "auth"), ("gateway", "devices"), ("devices", "gateway")] {
        let edges = health["edges"].as_array().unwrap();
        let edge = edges.iter().find(|edge| edge["from"] == from && edge["to"] == to);
        let edge = edge.unwrap_or_else(|| panic!("{from} -> {to}: {edges:?}"));
        assert!(edge["requests_per_s"].as_f64().unwrap() > 0.0, "{edge}");
        assert!(edge["success"].as_f64().unwrap() > 0.5, "{edge}");
        assert!(edge["p99_ms"].as_f64() >= edge["p50_ms"].as_f64(), "{edge}");
    }
    server.picture().unwrap().kill(("monitoring", 2)).unwrap();
    until("the replica to be missed", || async {
        let health = asked(&server).await?;
        let missed = shown(&health).contains(&"monitoring an answer".to_owned());
        (missed && health["ready"] == false).then_some(())
    })
    .await;
}

/// Where Linkerd or Istio encrypts, what goes over this machine's network is not encrypted; who asks is
/// known all the same.
#[tokio::test]
async fn a_mesh_around_the_processes_leaves_identity_here() {
    let mut server = Server::start_with(&["mesh.provider=linkerd"]).unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    works(&server, device.id, "a command").await;
    let place = server.picture().unwrap().mesh(("devices", 1));
    let nobody = peer_at(&format!("http://{place}")).unwrap();
    let nonsense: Credential = Arc::new(|headers| identity::insert(headers, "x"));
    for client in [Client::anonymous(nobody.clone()), Client::new(nobody, nonsense)] {
        let refused = client.get::<Value>("/api/devices/v1/devices").await.unwrap_err();
        assert_eq!(refused.code(), "service_not_allowed");
    }
    until("the refusal on the audit trail", || async {
        let trail = server.auth().ok()?.audit(None, 100).await.ok()?;
        trail.items.iter().any(|entry| entry.action == "service.ask").then_some(())
    })
    .await;
}
