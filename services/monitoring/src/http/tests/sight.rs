//! What those see who are let in at some places only.

use openframe_ids::PlaceId;
use openframe_tokens::{Effect, Grant, Place};
use serde_json::{Value, json};

use super::*;

fn place() -> Place {
    Place::ROOT.child(PlaceId::new()).unwrap()
}

/// Somebody with a role, and a grant of `reads` or a denial of everything at a place.
fn let_in(tenant: TenantId, role: Role, (effect, place): (Effect, Place)) -> Caller {
    let reads = if effect == Effect::Allow { Role::ReadOnly } else { Role::Owner };
    let grant = Grant { role: reads, place, effect, until: None };
    granted(tenant, role, vec![grant].try_into().unwrap())
}

/// A device in the north, one in the south, and a series that is of none.
struct Two {
    world: World,
    owner: Caller,
    north: (Caller, DeviceId),
    south: (Caller, DeviceId),
    /// Let in in the north only, and everywhere but in the south.
    viewers: [Caller; 2],
}

async fn two() -> Two {
    let (world, tenant) = (World::new(MemoryLog::default()).await, TenantId::new());
    let (owner, north, south) = (user(tenant, Role::Owner), device(tenant), device(tenant));
    let (here, there) = (place(), place());
    world.places.0.lock().unwrap().extend([(north.1, here), (south.1, there)]);
    for (agent, values) in [(&north.0, [1.0, 2.0, 3.0]), (&south.0, [4.0, 5.0, 6.0])] {
        assert_eq!(world.push(agent, vec![snapshot(NOW_MS, true, &values)]).await.0, 204);
    }
    let body = remote("load", NOW_MS);
    assert_eq!(world.write(&owner, "application/x-protobuf", body).await.0, 204);
    let viewers = [
        let_in(tenant, Role::None, (Effect::Allow, here)),
        let_in(tenant, Role::ReadOnly, (Effect::Deny, there)),
    ];
    Two { world, owner, north, south, viewers }
}

impl World {
    async fn value(&self, caller: &Caller, path: &str) -> Value {
        let request = Request::builder().uri(path.replace("{p}", PROMETHEUS));
        let (status, body) = self.ask(caller, request, Vec::new()).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str::<Value>(&body).unwrap()["data"].take()
    }

    async fn status(&self, caller: &Caller, path: &str) -> u16 {
        let request = Request::builder().uri(path.replace("{p}", PROMETHEUS));
        self.ask(caller, request, Vec::new()).await.0
    }
}

#[tokio::test]
async fn series_are_seen_where_their_device_is() {
    let Two { world, owner, north, south, viewers } = two().await;
    let [north_id, south_id] = [north.1, south.1].map(|id| id.to_string());
    let mut both = vec![north_id.clone(), south_id.clone()];
    both.sort();
    let at = NOW_MS / 1_000;
    let devices = format!("{{p}}/label/{DEVICE}/values");
    let sum = format!("{{p}}/query?time={at}&query=sum(load)");
    let count = format!("{{p}}/query?time={at}&query=count(%7B__name__=~%22.%2B%22%7D)");
    let other = format!("{{p}}/query?time={at}&query=load%7B{DEVICE}=%22{south_id}%22%7D");
    let steps = format!("{{p}}/query_range?start={at}&end={at}&step=1&query=sum(load)");
    let only = |name: &str| json!([name]);
    let [let_in, denied] = &viewers;
    // Load is 1 in the north, 4 in the south, and 5 of no device.
    for (who, ids, load, of_none) in [
        (&owner, json!(both), "10", 1),
        (let_in, only(&north_id), "1", 0),
        (denied, only(&north_id), "6", 1),
    ] {
        assert_eq!(world.value(who, &devices).await, ids);
        assert_eq!(world.value(who, &sum).await["result"][0]["value"][1], load);
        assert_eq!(world.value(who, &steps).await["result"][0]["values"][0][1], load);
        let series = 2 * ids.as_array().unwrap().len() + of_none;
        assert_eq!(world.value(who, &count).await["result"][0]["value"][1], series.to_string());
        let listed = world.value(who, "{p}/series?match[]=load&match[]=busy").await;
        let in_list = 2 * ids.as_array().unwrap().len() + of_none;
        assert_eq!(listed.as_array().unwrap().len(), in_list);
    }
    for who in &viewers {
        assert_eq!(world.value(who, &other).await["result"], json!([]));
        assert_eq!(world.latest(who, north.1).await.0, 200);
        assert_eq!(world.latest(who, south.1).await.0, 404);
        // What is the whole tenant's is for those who may everywhere.
        for path in ["{p}/status/tsdb", "{p}/rules", "/api/monitoring/v1/channels"] {
            assert_eq!(world.status(who, path).await, 403, "{path}");
        }
    }
    let nobody = user(owner.tenant, Role::None);
    for path in [&devices, &sum, &steps, &other, "{p}/labels", "{p}/format_query?query=up"] {
        assert_eq!(world.status(&nobody, path).await, 403, "{path}");
    }
}

#[tokio::test]
async fn alerts_are_seen_where_their_device_is() {
    let Two { world, owner, north, south, viewers } = two().await;
    let rule = json!({ "name": "load", "expr": "load > 0", "for_s": 0, "severity": "info" });
    let request = Request::builder().method("POST").uri(format!("{PREFIX}/rules"));
    let request = request.header("content-type", "application/json");
    assert_eq!(world.ask(&owner, request, rule.to_string().into_bytes()).await.0, 201);
    world.running.app.evaluate_rules(NOW_MS).await;
    let ids = async |who: &Caller| {
        let (status, body) =
            world.ask(who, Request::builder().uri(format!("{PREFIX}/alerts")), Vec::new()).await;
        assert_eq!(status, 200, "{body}");
        let all: Value = serde_json::from_str(&body).unwrap();
        let all = all["items"].as_array().unwrap();
        let id = |alert: &Value| alert["device_id"].as_str().unwrap_or_default().to_owned();
        let mut ids: Vec<String> = all.iter().map(id).collect();
        ids.sort();
        ids
    };
    let mut all = vec![String::new(), north.1.to_string(), south.1.to_string()];
    all.sort();
    assert_eq!(ids(&owner).await, all);
    let [let_in, denied] = &viewers;
    assert_eq!(ids(let_in).await, [north.1.to_string()]);
    assert_eq!(ids(denied).await, [String::new(), north.1.to_string()]);
    let shown = world.value(let_in, "{p}/alerts").await;
    assert_eq!(shown["alerts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_what_is_seen_is_told_live() {
    let Two { world, north, south, viewers, .. } = two().await;
    for (at_ms, who) in (NOW_MS + 1..).zip(&viewers) {
        let token = world.minter.mint(who, "monitoring", world.clock.now());
        let request = Request::builder().uri(format!("{PREFIX}/live"));
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        let answer = world.running.router.clone().oneshot(request).await.unwrap();
        let mut heard = answer.into_body();
        for (agent, _) in [&south, &north] {
            let sent = vec![snapshot(at_ms, false, &[1.0, 2.0, 3.0])];
            assert_eq!(world.push(agent, sent).await.0, 204);
        }
        let first = heard.frame().await.unwrap().unwrap().into_data().unwrap();
        let first = String::from_utf8_lossy(&first).into_owned();
        assert!(first.contains(&north.1.to_string()), "{first}");
    }
}
