//! When rules are looked at, what an absence does to alerts, and who is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use openframe_clock::ManualClock;
use openframe_ids::{ChannelId, SessionId, UserId};
use openframe_monitoring_api::Webhook;
use openframe_tokens::{Caller, Grants, Role, Subject};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::app::Parts;
use crate::domain::alert::{Definition, Severity, State};
use crate::notify::{Refusal, Sender};
use crate::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use crate::store::Stores;
use crate::store::alerts::Alerts as _;
use crate::store::memory::{MemoryAlerts, MemoryLog};
use crate::testing::{self, Nobody};
use crate::{Config, Error, tasks};

const START_MS: i64 = 1_700_000_000_000;

struct World {
    log: MemoryLog,
    replicas: MemoryLog,
    alerts: MemoryAlerts,
    clock: ManualClock,
    tenant: TenantId,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millisecond(START_MS).unwrap());
        let (log, alerts) = (MemoryLog::default(), MemoryAlerts::default());
        let replicas = MemoryLog::of_replicas(21_600_000);
        Self { log, replicas, alerts, clock, tenant: TenantId::new() }
    }

    async fn open(&self, sender: Arc<dyn Sender>) -> Monitoring {
        self.open_on(&self.log, false, sender).await
    }

    /// One more replica.
    async fn replica(&self, sender: Arc<dyn Sender>) -> Monitoring {
        self.open_on(&self.replicas.another(), true, sender).await
    }

    async fn open_on(&self, log: &MemoryLog, shared: bool, sender: Arc<dyn Sender>) -> Monitoring {
        let parts = testing::parts(log);
        let alerts = Arc::new(self.alerts.clone());
        let stores = Stores { alerts, shared, ..parts.stores };
        let parts = Parts { stores, sender, ..parts };
        let app = Monitoring::new(Config::default(), self.clock.clock(), parts);
        app.load().await.unwrap();
        app.load_alerts().await.unwrap();
        app
    }

    fn caller(&self, role: Role) -> Caller {
        let subject = Subject::User {
            user: UserId::new(),
            session: SessionId::new(),
            role,
            grants: Grants::default(),
        };
        Caller { tenant: self.tenant, subject }
    }

    fn now_ms(&self) -> i64 {
        self.clock.clock().now().as_millisecond()
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Says that these are up now.
    async fn up(&self, app: &Monitoring, jobs: &[&str]) {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let one = |job: &&str| TimeSeries {
            labels: vec![label(NAME, "up"), label("job", job)],
            samples: vec![Sample { value: 1.0, timestamp: self.now_ms() }],
        };
        let request = WriteRequest { timeseries: jobs.iter().map(one).collect() };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
        app.write(&self.caller(Role::Owner), Bytes::from(body)).await.unwrap();
    }

    async fn channel(&self, app: &Monitoring, name: &str) -> ChannelId {
        let url = format!("https://{name}.example/hook/secret");
        let ask = testing::ask(self.caller(Role::Owner));
        app.add_channel(&ask, (name.to_owned(), url)).await.unwrap().id
    }

    async fn rule(&self, app: &Monitoring, for_s: u32, channels: Vec<ChannelId>) {
        let definition = Definition { for_s, channels, ..definition() };
        let ask = testing::ask(self.caller(Role::Owner));
        app.put_rule(&ask, None, definition).await.unwrap();
    }

    async fn states(&self, app: &Monitoring) -> Vec<State> {
        let all = app.alerts(&self.caller(Role::ReadOnly)).await.unwrap();
        all.iter().map(|shown| shown.alert.state).collect()
    }

    /// What waits to be told: how each message is, and about how many alerts.
    async fn waiting(&self) -> Vec<(String, usize)> {
        let due = self.alerts.due(i64::MAX, 100).await.unwrap();
        let read = |one: &Notification| {
            let message: Webhook = serde_json::from_str(&one.body).unwrap();
            (message.status, message.alerts.len())
        };
        due.iter().map(read).collect()
    }
}

fn definition() -> Definition {
    Definition {
        name: "up".to_owned(),
        expr: "up > 0".to_owned(),
        for_s: 0,
        severity: Severity::Info,
        summary: String::new(),
        channels: Vec::new(),
    }
}

fn nobody() -> Arc<dyn Sender> {
    Arc::new(Nobody)
}

#[tokio::test]
async fn rules_are_looked_at_at_multiples_of_the_interval() {
    let world = World::new();
    let app = world.open(nobody()).await;
    world.advance(7);
    let (at_ms, wait) = app.next_look();
    assert_eq!((at_ms % 15_000, at_ms - world.now_ms()), (0, 3_000));
    assert_eq!(wait, Duration::from_secs(3));
    world.advance(3);
    assert_eq!(app.next_look(), (at_ms + 15_000, Duration::from_secs(15)));
}

#[tokio::test]
async fn series_that_fire_together_are_told_together() {
    let world = World::new();
    let app = world.open(nobody()).await;
    let channel = world.channel(&app, "chat").await;
    world.up(&app, &["a", "b", "c"]).await;
    world.rule(&app, 0, vec![channel]).await;
    app.evaluate_rules(world.now_ms()).await;
    app.evaluate_rules(world.now_ms() + 15_000).await;
    assert_eq!(world.waiting().await, [("firing".to_owned(), 3)]);
}

#[tokio::test]
async fn an_absence_ends_no_alert_before_devices_could_report() {
    let world = World::new();
    let app = world.open(nobody()).await;
    let channel = world.channel(&app, "chat").await;
    world.up(&app, &["a", "b"]).await;
    world.rule(&app, 0, vec![channel]).await;
    app.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&app).await, [State::Firing, State::Firing]);
    // Ten minutes: nothing of before is looked at any more.
    world.advance(600);
    let app = world.open(nobody()).await;
    world.advance(15);
    app.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&app).await, [State::Firing, State::Firing]);
    // One reports again in time, the other does not.
    world.up(&app, &["a"]).await;
    world.advance(120);
    app.evaluate_rules(world.now_ms()).await;
    let states: BTreeSet<_> = world.states(&app).await.into_iter().collect();
    assert_eq!(states, [State::Firing, State::Resolved].into());
}

#[tokio::test]
async fn an_absence_is_no_time_in_which_a_condition_held() {
    let world = World::new();
    let app = world.open(nobody()).await;
    world.up(&app, &["a"]).await;
    world.rule(&app, 60, Vec::new()).await;
    app.evaluate_rules(world.now_ms()).await;
    world.advance(30);
    world.up(&app, &["a"]).await;
    world.advance(600);
    let app = world.open(nobody()).await;
    world.up(&app, &["a"]).await;
    app.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&app).await, [State::Pending]);
    world.advance(15);
    app.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&app).await, [State::Pending]);
    world.advance(15);
    app.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&app).await, [State::Firing]);
}

#[tokio::test]
async fn a_channel_that_a_rule_tells_is_not_removed() {
    let world = World::new();
    let app = world.open(nobody()).await;
    let channel = world.channel(&app, "chat").await;
    world.rule(&app, 0, vec![channel]).await;
    let ask = testing::ask(world.caller(Role::Owner));
    let refused = app.delete_channel(&ask, channel).await.unwrap_err();
    assert!(matches!(&refused, Error::ChannelInUse(rules) if rules == &["up"]), "{refused}");
    assert!(refused.to_string().starts_with("the channel is told by \"up\";"), "{refused}");
    let rule = app.rules(&ask.caller).await.unwrap()[0].rule.id;
    app.delete_rule(&ask, rule).await.unwrap();
    app.delete_channel(&ask, channel).await.unwrap();
}

#[tokio::test]
async fn an_address_is_shown_to_those_who_may_change_it() {
    let world = World::new();
    let app = world.open(nobody()).await;
    world.channel(&app, "chat").await;
    for (role, want) in [
        (Role::Owner, "https://chat.example/hook/secret"),
        (Role::ReadOnly, "https://chat.example/…"),
    ] {
        let channels = app.channels(&world.caller(role)).await.unwrap();
        assert_eq!(channels[0].webhook_url, want);
    }
}

/// A receiver of which one address never answers.
struct Stuck(mpsc::UnboundedSender<String>);

#[async_trait]
impl Sender for Stuck {
    async fn post(&self, url: &str, _key: &str, _body: &str) -> Result<(), Refusal> {
        if url.contains("stuck") {
            std::future::pending::<()>().await;
        }
        self.0.send(url.to_owned()).unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn a_channel_that_does_not_answer_keeps_no_other_waiting() {
    let world = World::new();
    let (sent, mut received) = mpsc::unbounded_channel();
    let app = world.open(Arc::new(Stuck(sent))).await;
    let channels = vec![world.channel(&app, "stuck").await, world.channel(&app, "quick").await];
    world.rule(&app, 0, channels).await;
    let stop = CancellationToken::new();
    let delivering = tokio::spawn(tasks::deliver(app.clone(), stop.clone()));
    // The second message comes while the first of the other channel is still on its way.
    for jobs in [&["a"][..], &["a", "b"]] {
        world.up(&app, jobs).await;
        app.evaluate_rules(world.now_ms()).await;
        let url = received.recv().await.unwrap();
        assert!(url.contains("quick"), "{url}");
        world.advance(15);
    }
    stop.cancel();
    delivering.await.unwrap();
}

/// Every replica takes in what the others have done.
async fn meet(replicas: &[&Monitoring]) {
    for replica in replicas {
        replica.follow().await.unwrap();
        replica.agree().await.unwrap();
    }
}

#[tokio::test]
async fn one_replica_decides_and_another_takes_over() {
    let world = World::new();
    let (a, b) = (world.replica(nobody()).await, world.replica(nobody()).await);
    let both = [&a, &b];
    meet(&both).await;
    let channel = world.channel(&a, "chat").await;
    // Through the one that does not decide.
    world.rule(&b, 0, vec![channel]).await;
    meet(&both).await;
    world.up(&b, &["x"]).await;
    meet(&both).await;
    // Both look at the rule; the one that does not decide goes first.
    for replica in [&b, &a] {
        replica.evaluate_rules(world.now_ms()).await;
    }
    assert_eq!(world.waiting().await, [("firing".to_owned(), 1)]);
    meet(&both).await;
    assert_eq!(world.states(&b).await, [State::Firing]);
    // The first one sleeps, believing that it leads. The other one takes over in time.
    world.advance(301);
    b.follow().await.unwrap();
    b.agree().await.unwrap();
    b.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&b).await, [State::Resolved]);
    let told = world.alerts.load().await.unwrap();
    // It wakes up and decides on what is no longer true: nothing comes of it.
    world.up(&b, &["y"]).await;
    a.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.alerts.load().await.unwrap(), told);
    a.follow().await.unwrap();
    a.agree().await.unwrap();
    assert_eq!(world.states(&a).await, [State::Resolved]);
    b.evaluate_rules(world.now_ms() + 15_000).await;
    meet(&both).await;
    assert_eq!(world.states(&a).await.len(), 2);
}

#[tokio::test]
async fn a_replica_that_lags_behind_decides_nothing() {
    let world = World::new();
    let (app, other) = (world.replica(nobody()).await, world.replica(nobody()).await);
    world.rule(&app, 0, Vec::new()).await;
    world.up(&app, &["x"]).await;
    app.lag();
    app.agree().await.unwrap();
    assert!(!app.leads());
    app.evaluate_rules(world.now_ms()).await;
    assert!(world.states(&app).await.is_empty());
    meet(&[&app, &other]).await;
    assert!(app.leads() && !other.leads());
    app.evaluate_rules(world.now_ms()).await;
    assert_eq!(world.states(&app).await, [State::Firing]);
    // One that stops in good order keeps nobody waiting.
    app.resign().await.unwrap();
    other.agree().await.unwrap();
    assert!(other.leads() && !app.leads());
}

#[tokio::test]
async fn replicas_that_change_rules_at_once_lose_neither_change() {
    let world = World::new();
    let (a, b) = (world.replica(nobody()).await, world.replica(nobody()).await);
    let channel = world.channel(&a, "chat").await;
    world.rule(&a, 0, vec![channel]).await;
    let ask = testing::ask(world.caller(Role::Owner));
    // Neither knows yet what the other has done.
    let taken = b.put_rule(&ask, None, definition()).await;
    assert!(matches!(taken, Err(Error::NameTaken)), "{taken:?}");
    let refused = b.delete_channel(&ask, channel).await.unwrap_err();
    assert!(matches!(refused, Error::ChannelInUse(_)), "{refused}");
    let rule = b.rules(&ask.caller).await.unwrap()[0].rule.id;
    b.delete_rule(&ask, rule).await.unwrap();
    let gone = a.delete_rule(&ask, rule).await.unwrap_err();
    assert!(matches!(gone, Error::NoSuchRule), "{gone}");
    b.delete_channel(&ask, channel).await.unwrap();
    let missing = Definition { channels: vec![channel], ..definition() };
    let refused = a.put_rule(&ask, None, missing).await.unwrap_err();
    assert!(matches!(refused, Error::BadRule(_)), "{refused}");
}

/// Two replicas that see the same message send it once.
#[tokio::test]
async fn a_message_is_sent_by_one_replica() {
    let world = World::new();
    let (sent, mut received) = mpsc::unbounded_channel();
    let sender = Arc::new(Stuck(sent));
    let other = Arc::clone(&sender) as Arc<dyn Sender>;
    let (a, b) = (world.replica(other).await, world.replica(sender).await);
    let channel = world.channel(&a, "chat").await;
    world.rule(&a, 0, vec![channel]).await;
    world.up(&a, &["x"]).await;
    meet(&[&a, &b]).await;
    a.evaluate_rules(world.now_ms()).await;
    let due = [a.due().await.unwrap(), b.due().await.unwrap()];
    for (replica, due) in [&a, &b].into_iter().zip(due) {
        for one in due {
            replica.try_one(one).await.unwrap();
        }
    }
    assert!(received.try_recv().is_ok());
    assert!(received.try_recv().is_err());
}
