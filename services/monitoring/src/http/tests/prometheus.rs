//! Prometheus' query API.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::app::query::{Question, When};

/// Two metrics with a few labels, the last one old.
async fn world(config: Config) -> (World, Caller) {
    let world = World::with(MemoryLog::default(), config).await;
    let owner = user(TenantId::new(), Role::Owner);
    let recent: Vec<i64> = (1..=100).map(|n| NOW_MS - n * 10_000).collect();
    let timeseries = vec![
        series(&[(NAME, "up"), ("job", "a"), ("zone.name", "x")], &recent),
        series(&[(NAME, "up"), ("job", "b")], &recent),
        series(&[(NAME, "old"), ("job", "c")], &[NOW_MS - 86_400_000]),
    ];
    let body = WriteRequest { timeseries }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    assert_eq!(world.write(&owner, "application/x-protobuf", body).await.0, 204);
    (world, owner)
}

impl World {
    async fn get(&self, caller: &Caller, path: &str) -> (u16, Value) {
        let request = Request::builder().uri(format!("{PROMETHEUS}{path}"));
        let (status, body) = self.ask(caller, request, Vec::new()).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[track_caller]
fn error((status, told): (u16, Value), wanted: (u16, &str, &str)) {
    let text = told["error"].as_str().unwrap_or_default();
    assert_eq!((status, told["errorType"].as_str()), (wanted.0, Some(wanted.1)), "{told}");
    assert!(text.contains(wanted.2), "{text}");
    assert!(text.matches("invalid parameter").count() <= 1, "{text}");
}

#[tokio::test]
async fn series_labels_and_values_come_from_the_index() {
    let (world, owner) = world(Config::default()).await;
    let all = world.get(&owner, "/labels").await.1;
    assert_eq!(all["data"], json!(["__name__", "job", "zone.name"]));
    let since = (NOW_MS - 3_600_000) / 1_000;
    for (path, want) in [
        ("/label/job/values".to_owned(), json!(["a", "b", "c"])),
        (format!("/label/job/values?start={since}"), json!(["a", "b"])),
        (format!("/label/job/values?end={since}"), json!(["c"])),
        ("/label/U__zone_2e_name/values".to_owned(), json!(["x"])),
        ("/label/nothing/values".to_owned(), json!([])),
        ("/labels?match[]=old".to_owned(), json!(["__name__", "job"])),
        ("/label/job/values?match[]=up&match[]=old".to_owned(), json!(["a", "b", "c"])),
        ("/series?match[]=old".to_owned(), json!([{"__name__": "old", "job": "c"}])),
        (format!("/series?match[]=old&start={since}"), json!([])),
        (
            "/series?match[]=%7B%22zone.name%22=%22x%22%7D&limit=5".to_owned(),
            json!([{"__name__": "up", "job": "a", "zone.name": "x"}]),
        ),
    ] {
        let (status, told) = world.get(&owner, &path).await;
        assert_eq!((status, &told["data"]), (200, &want), "{path}");
        assert!(told.get("warnings").is_none(), "{told}");
    }
    let cut = world.get(&owner, "/label/job/values?limit=2").await.1;
    assert_eq!(cut["data"], json!(["a", "b"]));
    assert_eq!(cut["warnings"], json!(["results truncated due to limit"]));
    let form = Request::builder().method("POST").uri(format!("{PROMETHEUS}/label/job/values"));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let (status, body) = world.ask(&owner, form, b"match[]=up".to_vec()).await;
    assert_eq!((status, body.as_str()), (200, r#"{"status":"success","data":["a","b"]}"#));
    let stranger = user(TenantId::new(), Role::Owner);
    assert_eq!(world.get(&stranger, "/labels").await.1["data"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_said_once_and_in_prometheus_words() {
    let (world, owner) = world(Config::default()).await;
    let bomb = "up%7Bjob=~%22(%5C%5CpL%7B100%7D)%7B100%7D%22%7D";
    for (path, status, kind, why) in [
        ("/query?query=up%7B", 400, "bad_data", "invalid parameter \"query\""),
        ("/query", 400, "bad_data", "no expression found"),
        ("/query?query=up&time=x", 400, "bad_data", "cannot parse \"x\" to a valid timestamp"),
        ("/query?query=up&limit=-1", 400, "bad_data", "limit must be a non-negative number"),
        ("/query?query=up&timeout=x", 400, "bad_data", "invalid parameter \"timeout\""),
        ("/query?query=m[1e30]", 400, "bad_data", "duration out of range"),
        (&format!("/query?query={bomb}"), 400, "bad_data", "size limit"),
        ("/query_range?query=up&start=1&end=2", 400, "bad_data", "invalid parameter \"step\""),
        ("/query_range?query=up&start=2&end=1&step=1", 400, "bad_data", "\"end\""),
        ("/query_range?query=up&start=0&end=99999&step=1", 400, "bad_data", "11,000 points"),
        ("/query?query=topk(NaN,up)", 422, "execution", "Parameter value is NaN"),
        ("/query_range?query=up[5m]&start=1&end=2&step=1", 400, "bad_data", "range vector"),
        ("/series", 400, "bad_data", "no match[] parameter provided"),
        ("/series?match[]=m[1e30]", 400, "bad_data", "invalid parameter \"match[]\""),
    ] {
        error(world.get(&owner, path).await, (status, kind, why));
    }
}

#[tokio::test]
async fn a_query_has_limits_of_samples_series_and_bytes() {
    let small = Config { query_samples: 300, ..Config::default() };
    let (world_small, owner) = world(small).await;
    assert_eq!(world_small.get(&owner, "/query?query=sum(up)").await.0, 200);
    let lots = "/query?query=count_over_time(vector(1)[1d:1ms])";
    error(world_small.get(&owner, lots).await, (422, "execution", "too many samples"));
    let all = "/query?query=up[1d]";
    error(world_small.get(&owner, all).await, (422, "execution", "too many samples"));
    let (one, owner) = world(Config { query_series: 1, ..Config::default() }).await;
    error(one.get(&owner, "/query?query=up").await, (422, "execution", "more than 1 series"));
    let (short, owner) = world(Config { query_answer_bytes: 100, ..Config::default() }).await;
    error(short.get(&owner, "/query?query=up").await, (422, "execution", "larger than 100 bytes"));
    let (whole, owner) = world(Config::default()).await;
    let cut = whole.get(&owner, "/query?query=up&limit=1").await.1;
    assert_eq!(cut["data"]["result"].as_array().unwrap().len(), 1);
    assert_eq!(cut["warnings"], json!(["results truncated due to limit"]));
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let (world, owner) = world(Config::default()).await;
    let range = format!("start={}&end={}&step=1", NOW_MS / 1_000 - 10_000, NOW_MS / 1_000);
    let path = format!("/query_range?query=sort(vector(time())%20or%20up)&{range}");
    let (status, told) = world.get(&owner, &path).await;
    assert_eq!(status, 200);
    let all = told["data"]["result"].as_array().unwrap();
    assert_eq!(all.iter().map(|one| one["values"].as_array().unwrap().len()).max(), Some(10_001));
}

#[tokio::test]
async fn queries_wait_for_their_turn_and_stop_when_nobody_waits() {
    let (world, owner) = world(Config { query_concurrency: 1, ..Config::default() }).await;
    let app = &world.running.app;
    let slow = "count_over_time(count_over_time(vector(1)[1000s:1s])[10000000s:1s])";
    let ask = |text: &str, timeout| {
        let when = When::At(NOW_MS);
        let timeout = Some(timeout);
        app.query(&owner, Question { timeout, ..Question::new(text.to_owned(), when) }, Ok)
    };
    let (_, place) = ask("1", Duration::from_secs(5)).await.unwrap();
    let late = world.get(&owner, "/query?query=1&timeout=10ms").await;
    error(late, (503, "timeout", "query timed out in query queue"));
    drop(place);
    let late = world.get(&owner, &format!("/query?query={slow}&timeout=10ms")).await;
    error(late, (503, "timeout", "query timed out in expression evaluation"));
    // Given up long before its time: the next one finds the place free.
    let given_up = ask(slow, Duration::from_mins(1));
    assert!(tokio::time::timeout(Duration::from_millis(20), given_up).await.is_err());
    ask("1", Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn rules_and_alerts_are_told_in_prometheus_shape() {
    let (world, owner) = world(Config::default()).await;
    let none = world.get(&owner, "/rules").await.1;
    assert_eq!(none, json!({"status": "success", "data": {"groups": []}}));
    let rule = json!({"name": "busy", "expr": "up > 1", "for_s": 60, "severity": "warning",
        "summary": "look", "channels": []});
    let post = Request::builder().method("POST").uri(format!("{PREFIX}/rules"));
    let post = post.header("content-type", "application/json");
    let made = world.ask(&owner, post, rule.to_string().into_bytes()).await;
    assert_eq!(made.0, 201, "{}", made.1);
    world.running.app.evaluate_rules(NOW_MS).await;
    let told = world.get(&owner, "/rules").await.1;
    let own = &told["data"]["groups"][0]["rules"][0];
    assert_eq!(own["type"], "alerting");
    assert_eq!(
        (&own["name"], &own["query"], &own["duration"]),
        (&json!("busy"), &json!("up > 1"), &json!(60))
    );
    assert_eq!((&own["state"], &own["health"]), (&json!("pending"), &json!("ok")));
    assert_eq!(own["alerts"][0]["labels"]["alertname"], "busy");
    let alerts = world.get(&owner, "/alerts").await.1;
    assert_eq!(alerts["data"]["alerts"].as_array().unwrap().len(), 2);
    let records = world.get(&owner, "/rules?type=record").await.1;
    assert_eq!(records["data"]["groups"], json!([]));
}

#[tokio::test]
async fn what_clients_ask_about_the_server_is_answered() {
    let (world, owner) = world(Config::default()).await;
    for (path, pointer, want) in [
        ("/status/buildinfo", "/data/version", json!("3.16.0")),
        ("/status/runtimeinfo", "/data/storageRetention", json!("7d")),
        ("/status/flags", "/data/query.timeout", json!("9s")),
        ("/status/config", "/data/yaml", json!("global:\n  evaluation_interval: 15s\n")),
        ("/status/tsdb", "/data/headStats/numSeries", json!(3)),
        ("/status/tsdb", "/data/seriesCountByMetricName/0", json!({"name": "up", "value": 2})),
        ("/metadata", "/data", json!({})),
        ("/query_exemplars?query=up", "/data", json!([])),
        ("/format_query?query=sum(up)by(job)", "/data", json!("sum by (job) (up)")),
    ] {
        let (status, told) = world.get(&owner, path).await;
        assert_eq!((status, told.pointer(pointer)), (200, Some(&want)), "{path} {told}");
    }
    error(world.get(&owner, "/format_query?query=sum(").await, (400, "bad_data", "\"query\""));
}
