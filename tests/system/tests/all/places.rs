//! Two customers and their devices: who was let in at one sees nothing of the other.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_auth_api::{
    AccessQuery, Grant, NewEnrolmentToken, NewGrant, NewPlace, NewUser, Place, User,
};
use openframe_devices_api::{Device, DeviceChange, DevicePage, DeviceQuery};
use openframe_ids::{PlaceId, UserId};
use openframe_monitoring_api::{AlertList, RuleDefinition};
use openframe_system::program::{answer_of, ask};
use openframe_system::{Agent, Server, script, until};

use crate::cli::Operator;
use crate::roles::{PASSWORD, log_in, session};

async fn organisation(server: &Server, name: &str) -> Place {
    let new = NewPlace { name: name.to_owned(), within: None };
    server.auth().unwrap().create_place(&new).await.unwrap()
}

/// A person without a role who has just signed in.
async fn person(server: &Server, name: &str, role: &str) -> (User, HeaderMap) {
    let email = format!("{name}@example.org");
    let (name, role, password) = (name.to_owned(), role.to_owned(), PASSWORD.to_owned());
    let new = NewUser { email: email.clone(), name, role, password };
    let user = server.auth().unwrap().create_user(&new).await.unwrap();
    let mut headers = session(log_in(server, &email, PASSWORD).await).await;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (user, headers)
}

async fn grant(server: &Server, user: UserId, role: &str, place: PlaceId, effect: &str) -> Grant {
    let (role, effect) = (role.to_owned(), Some(effect.to_owned()));
    let new = NewGrant { role, place: Some(place), effect, until: None };
    server.auth().unwrap().create_grant(user, &new).await.unwrap()
}

/// Enrols a device at a place, and waits until it is there.
async fn device_at(server: &Server, place: &Place) -> (Agent, Device) {
    let wanted = NewEnrolmentToken { place: Some(place.id), ..NewEnrolmentToken::default() };
    let token = server.auth().unwrap().create_enrolment_token(&wanted).await.unwrap().secret;
    let agent = Agent::enrol(&server.agents_url, &token).unwrap();
    let filter = Some(format!("place:{},presence:online", place.id));
    let wanted = DeviceQuery { filter, ..DeviceQuery::default() };
    let devices = server.devices().unwrap();
    let device = until("a device at the place", || async {
        devices.devices(&wanted).await.ok()?.items.into_iter().next()
    })
    .await;
    assert_eq!(device.place, [place.id]);
    (agent, device)
}

async fn status(server: &Server, asked: (&str, &str), who: &HeaderMap, body: &str) -> StatusCode {
    ask(server, asked, who, body).await.status()
}

/// The ids of the devices that somebody finds, and how many are said to be there.
async fn found(server: &Server, who: &HeaderMap, query: &str) -> (Vec<String>, u64) {
    let path = format!("/api/devices/v1/devices{query}");
    let answer = ask(server, ("GET", &path), who, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page: DevicePage = serde_json::from_value(answer_of(answer).await).unwrap();
    (page.items.iter().map(|device| device.id.to_string()).collect(), page.total)
}

/// Each operation on one device or its command: the method, the path behind the device's or the
/// command's, and a body.
const POINTS: [(&str, &str, &str); 12] = [
    ("GET", "", ""),
    ("GET", "/inventory", ""),
    ("GET", "/inventory/os", ""),
    ("GET", "/inventory/os/history", ""),
    ("GET", "/commands", ""),
    ("GET", "C", ""),
    ("GET", "C/output", ""),
    ("GET", "C/output/raw", ""),
    ("GET", "C/stream", ""),
    ("POST", "C/cancel", ""),
    ("POST", "/commands", r#"{"script":"true"}"#),
    ("PATCH", "", r#"{"name":"x"}"#),
];

async fn points(server: &Server, who: &HeaderMap, [device, command]: &[String; 2]) -> Vec<u16> {
    let mut answers = Vec::new();
    for (method, behind, body) in POINTS {
        let path = match behind.strip_prefix('C') {
            Some(behind) => format!("/api/devices/v1/commands/{command}{behind}"),
            None => format!("/api/devices/v1/devices/{device}{behind}"),
        };
        answers.push(status(server, (method, &path), who, body).await.as_u16());
    }
    answers
}

/// A server with two customers, and a device of each that has run a command.
struct Two {
    server: Server,
    north: Place,
    south: Place,
    /// Ids of the device in the north and of its command, and the same of the south.
    here: [String; 2],
    there: [String; 2],
    _agents: [Agent; 2],
}

async fn two() -> Two {
    let server = Server::start().unwrap();
    let north = organisation(&server, "North").await;
    let south = organisation(&server, "South").await;
    let (one, here) = device_at(&server, &north).await;
    let (other, there) = device_at(&server, &south).await;
    let devices = server.devices().unwrap();
    let run = async |device: Device| {
        let command = devices.run(device.id, &script("true")).await.unwrap();
        until("the end of a command", || async {
            devices.command(command.id).await.ok()?.finished.then_some(())
        })
        .await;
        [device.id.to_string(), command.id.to_string()]
    };
    let (here, there) = (run(here).await, run(there).await);
    Two { server, north, south, here, there, _agents: [one, other] }
}

// ASVS 8.2.2, 8.3.1
#[tokio::test]
async fn a_technician_of_one_customer_sees_nothing_of_another() {
    let Two { server, north, south, here, there, _agents } = two().await;
    let (ann, anns) = person(&server, "ann", "none").await;
    let (bob, bobs) = person(&server, "bob", "read_only").await;
    let (_, cats) = person(&server, "cat", "none").await;
    grant(&server, ann.id, "technician", north.id, "allow").await;
    grant(&server, bob.id, "owner", south.id, "deny").await;
    // Whoever may do a thing nowhere is told so, wherever the device is.
    let hidden = |may: usize| [vec![404; may], vec![403; 12 - may]].concat();
    for (name, who, may) in [("ann", &anns, 12), ("bob", &bobs, 9)] {
        for query in ["", "?facets=place,os", "?q=1", "?filter=presence:online", "?sort=-enrolled"]
        {
            let (ids, total) = found(&server, who, query).await;
            assert!(!ids.contains(&there[0]) && total <= 1, "{name} {query}: {ids:?}");
        }
        assert_eq!(found(&server, who, "").await.0, here[..1], "{name}");
        let (elsewhere, total) = found(&server, who, &format!("?filter=place:{}", south.id)).await;
        assert_eq!((elsewhere.len(), total), (0, 0));
        assert_eq!(points(&server, who, &there).await, hidden(may), "{name}");
    }
    assert_eq!(points(&server, &anns, &here).await, [200; 12]);
    let reads = [vec![200; 9], vec![403; 3]].concat();
    assert_eq!(points(&server, &bobs, &here).await, reads);
    // What knows of no places is for those who may everywhere.
    for (path, all) in [
        ("/api/devices/v1/devices", false),
        ("/api/auth/v1/users", true),
        ("/api/auth/v1/audit", true),
        ("/api/monitoring/v1/rules", true),
        ("/api/monitoring/v1/channels", true),
        ("/api/monitoring/v1/alerts", false),
        ("/prometheus/api/v1/query?query=1", false),
    ] {
        let closed = if all { vec![&anns, &bobs, &cats] } else { vec![&cats] };
        for who in closed {
            let status = status(&server, ("GET", path), who, "").await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    let places = answer_of(ask(&server, ("GET", "/api/auth/v1/places"), &anns, "").await).await;
    assert_eq!(places["items"].as_array().unwrap().len(), 1, "{places}");
}

/// The devices of which somebody sees telemetry, and those of which alerts.
async fn measured(server: &Server, who: &HeaderMap) -> [Vec<String>; 2] {
    let values = "/prometheus/api/v1/label/device_id/values?match[]=system_uptime_seconds";
    let devices = answer_of(ask(server, ("GET", values), who, "").await).await;
    let alerts = ask(server, ("GET", "/api/monitoring/v1/alerts"), who, "").await;
    let alerts: AlertList = serde_json::from_value(answer_of(alerts).await).unwrap();
    let alerts = alerts.items.iter().filter_map(|alert| alert.device_id);
    let devices = devices.get("data").cloned().unwrap();
    [serde_json::from_value(devices).unwrap(), alerts.map(|id| id.to_string()).collect()]
}

// ASVS 8.2.2
#[tokio::test]
async fn telemetry_and_alerts_are_seen_where_their_device_is() {
    let Two { server, north, south, here, there, _agents } = two().await;
    let (ann, anns) = person(&server, "ann", "none").await;
    let (bob, bobs) = person(&server, "bob", "read_only").await;
    grant(&server, ann.id, "technician", north.id, "allow").await;
    grant(&server, bob.id, "owner", south.id, "deny").await;
    let rule = RuleDefinition {
        name: "up".to_owned(),
        expr: "system_uptime_seconds > 0".to_owned(),
        for_s: 0,
        severity: "info".to_owned(),
        summary: String::new(),
        channels: Vec::new(),
    };
    let monitoring = server.monitoring().unwrap();
    monitoring.create_rule(&rule).await.unwrap();
    until("an alert of each device", || async {
        (monitoring.alerts().await.ok()?.items.len() == 2).then_some(())
    })
    .await;
    let only = |id: &[String; 2]| [vec![id[0].clone()], vec![id[0].clone()]];
    for who in [&anns, &bobs] {
        assert_eq!(measured(&server, who).await, only(&here));
        let sum = ("GET", "/prometheus/api/v1/query?query=count(system_uptime_seconds)");
        let sum = answer_of(ask(&server, sum, who, "").await).await;
        assert_eq!(sum["data"]["result"][0]["value"][1], "1");
        for (id, wanted) in [(&here[0], StatusCode::OK), (&there[0], StatusCode::NOT_FOUND)] {
            let latest = format!("/api/monitoring/v1/devices/{id}/latest");
            assert_eq!(status(&server, ("GET", &latest), who, "").await, wanted);
        }
    }
    // What a device measured goes with it.
    let swap = [(&here[0], south.id), (&there[0], north.id)];
    for (id, place) in swap {
        let change = DeviceChange { place: Some(place.to_string()), ..DeviceChange::default() };
        server.devices().unwrap().change(id.parse().unwrap(), &change).await.unwrap();
    }
    for who in [&anns, &bobs] {
        until("the telemetry of the other device alone", || async {
            (measured(&server, who).await == only(&there)).then_some(())
        })
        .await;
    }
    // A retired device is where it was.
    server.devices().unwrap().retire(here[0].parse().unwrap()).await.unwrap();
    assert_eq!(measured(&server, &bobs).await[0], [there[0].clone()]);
}

// ASVS 8.2.2
#[tokio::test]
async fn what_is_moved_or_taken_back_is_out_of_sight_at_once() {
    let Two { server, north, south, here, _agents, .. } = two().await;
    let (auth, devices) = (server.auth().unwrap(), server.devices().unwrap());
    let (ann, anns) = person(&server, "ann", "none").await;
    let (bob, _) = person(&server, "bob", "read_only").await;
    let held = grant(&server, ann.id, "technician", north.id, "allow").await;
    grant(&server, bob.id, "owner", south.id, "deny").await;
    // Nobody moves a device out of what they hold, nor gives what they do not hold.
    let path = format!("/api/devices/v1/devices/{}", here[0]);
    let to = format!(r#"{{"place":"{}"}}"#, south.id);
    assert_eq!(status(&server, ("PATCH", &path), &anns, &to).await, StatusCode::NOT_FOUND);
    let out = r#"{"place":""}"#;
    assert_eq!(status(&server, ("PATCH", &path), &anns, out).await, StatusCode::FORBIDDEN);
    let grants = format!("/api/auth/v1/users/{}/grants", ann.id);
    let more = format!(r#"{{"role":"technician","place":"{}"}}"#, south.id);
    assert_eq!(status(&server, ("POST", &grants), &anns, &more).await, StatusCode::FORBIDDEN);

    let move_to = async |place: PlaceId| {
        let change = DeviceChange { place: Some(place.to_string()), ..DeviceChange::default() };
        devices.change(here[0].parse().unwrap(), &change).await.unwrap();
    };
    move_to(south.id).await;
    assert_eq!(found(&server, &anns, "").await, (Vec::new(), 0));
    assert_eq!(points(&server, &anns, &here).await, [404; 12]);
    move_to(north.id).await;
    assert_eq!(found(&server, &anns, "").await.1, 1);
    auth.remove_grant(ann.id, held.id).await.unwrap();
    until("the end of a grant", || async {
        let list = ("GET", "/api/devices/v1/devices");
        (status(&server, list, &anns, "").await == StatusCode::FORBIDDEN).then_some(())
    })
    .await;

    assert_eq!(auth.remove_place(south.id).await.unwrap_err().code(), "place_in_use");
    let asked = |place| {
        let permission = Some("devices:read".to_owned());
        AccessQuery { user: Some(bob.id), permission, place }
    };
    assert!(auth.access(&asked(Some(north.id))).await.unwrap().allowed);
    let denied = auth.access(&asked(Some(south.id))).await.unwrap();
    assert!(!denied.allowed && denied.grants.iter().all(|grant| grant.effect == "deny"));
    assert!(!auth.access(&asked(None)).await.unwrap().allowed, "not all of the tenant is left");
}

#[tokio::test]
async fn places_are_managed_from_the_command_line() {
    let server = Server::start().unwrap();
    let operator = Operator::of(&server);
    let (ann, _) = person(&server, "ann", "none").await;
    operator.says(&["place", "add", "North"]);
    operator.says(&["place", "add", "Berlin", "--within", "North"]);
    operator.fails(6, &["place", "add", "Berlin", "--within", "North"]);
    let listed = operator.says(&["place", "list"]);
    assert!(listed.contains("North/Berlin") && listed.contains("site"), "{listed}");
    operator.says(&["user", "grant", "add", "ann@example.org", "technician", "North"]);
    let deny = ["user", "grant", "add", "ann@example.org", "owner", "North/Berlin", "--deny"];
    operator.says(&[&deny[..], &["--until", "2099-01-01T00:00:00Z"]].concat());
    let why = |place| operator.says(&["access", "why", "ann@example.org", "commands:run", place]);
    assert!(why("North").starts_with("yes"), "{}", why("North"));
    assert!(why("North/Berlin").starts_with("no: these grants deny it"), "{}", why("North/Berlin"));
    let wrong = ["user", "grant", "add", "ann@example.org", "technician", "/", "--deny"];
    operator.fails(2, &wrong);
    operator.fails(6, &["place", "remove", "North"]);

    let (_agent, device) = server.agent().await.unwrap();
    let id = device.id.to_string();
    let moved = operator.json(&["device", "move", &id, "North/Berlin"]);
    assert_eq!(moved["place"].as_array().unwrap().len(), 2);
    let there = operator.json(&["device", "list", "--place", "North"]);
    assert_eq!(there["total"], 1);
    operator.says(&["device", "move", &id, "/"]);
    assert_eq!(operator.json(&["device", "list", "--place", "North"])["total"], 0);

    let id = ann.id.to_string();
    let grants = operator.json(&["user", "grant", "list", &id]);
    for grant in grants["items"].as_array().unwrap() {
        operator.says(&["user", "grant", "remove", &id, grant["id"].as_str().unwrap()]);
    }
    operator.says(&["place", "rename", "North/Berlin", "Hamburg"]);
    operator.says(&["place", "remove", "North/Hamburg"]);
    operator.says(&["place", "remove", "North"]);
}
