//! What the store of alerts promises.

use std::fmt::Write as _;

use openframe_ids::{ChannelId, RuleId, TenantId};
use openframe_monitoring::domain::alert::{
    Alert, AlertLabels, Channel, Definition, Rule, Severity, State,
};
use openframe_monitoring::store::alerts::{Alerts, Attempt, Notification, Step};
use uuid::Uuid;

/// One random operation: what to do, to which of a few things, with which value.
pub type Act = (u8, u8, u8);

fn id(kind: u8, n: u8) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 64) | u128::from(n) | 1 << 100)
}

fn tenant(n: u8) -> TenantId {
    TenantId(id(0, n % 2))
}

fn rule(n: u8, value: u8) -> Rule {
    let definition = Definition {
        name: format!("rule {}", value % 3),
        expr: "up == 0".to_owned(),
        for_s: value.into(),
        severity: Severity::Warning,
        summary: "it's \"down\" \u{0}\u{202e}".to_owned(),
        channels: vec![ChannelId(id(2, value))],
    };
    Rule { id: RuleId(id(1, n)), tenant: tenant(n), definition, created_ms: value.into() }
}

fn channel(n: u8, value: u8) -> Channel {
    Channel {
        id: ChannelId(id(2, n)),
        tenant: tenant(n),
        name: format!("channel {}", value % 3),
        webhook_url: "https://chat.example/hook".to_owned(),
        delivered_ms: None,
        error: None,
    }
}

fn labels(n: u8) -> AlertLabels {
    [("device".to_owned(), format!("d{n}")), ("a".to_owned(), "\"x\"\n".to_owned())].into()
}

fn alert(n: u8, value: u8) -> Alert {
    let (state, value) = match value % 3 {
        0 => (State::Pending, f64::INFINITY),
        1 => (State::Firing, -0.1),
        _ => (State::Resolved, 1e300),
    };
    Alert {
        rule: RuleId(id(1, n / 2)),
        labels: labels(n),
        state,
        value,
        active_ms: 5,
        fired_ms: Some(6),
        resolved_ms: None,
    }
}

fn notification(n: u8, value: u8) -> Notification {
    Notification {
        key: format!("key {n} {value}"),
        channel: ChannelId(id(2, n)),
        made_ms: value.into(),
        due_ms: value.into(),
        attempts: 0,
        body: format!("{{\"n\":{n}}}"),
    }
}

/// Runs the operations and writes down what each answered, and what is kept after it.
pub async fn log(store: &dyn Alerts, acts: &[Act]) -> String {
    let mut log = String::new();
    for (what, n, value) in acts.iter().copied() {
        let answer = act(store, (what, n, value)).await;
        writeln!(log, "{what} {n} {value}: {answer}").unwrap_or_default();
        let mut kept = store.load().await.unwrap_or_default();
        kept.rules.sort_by_key(|rule| rule.id);
        kept.alerts.sort_by_key(|alert| (alert.rule, alert.labels.clone()));
        writeln!(log, "{kept:?}").unwrap_or_default();
        for n in 0..2 {
            writeln!(log, "{:?}", store.channels(tenant(n)).await.ok()).unwrap_or_default();
        }
        let mut due = store.due(value.into(), 100).await.unwrap_or_default();
        due.sort_by_key(|one| one.channel);
        writeln!(log, "{due:?}").unwrap_or_default();
    }
    log
}

async fn act(store: &dyn Alerts, (what, n, value): Act) -> String {
    // Now and then somebody has not seen the last change.
    let seen = store.version().await.unwrap_or(-1) - i64::from((n, value) == (0, 0));
    match what {
        0 => format!("{:?}", store.put_rule(&rule(n, value), seen).await.ok()),
        1 => {
            let wanted = [notification(n, value)];
            format!("{:?}", store.delete_rule(RuleId(id(1, n)), &wanted, seen).await.ok())
        }
        2 | 3 => format!("{:?}", store.add_channel(&channel(n, value)).await.ok()),
        4 => format!("{:?}", store.delete_channel(tenant(n), ChannelId(id(2, n)), seen).await.ok()),
        5 => format!("{:?}", store.channel(ChannelId(id(2, n))).await.ok()),
        6 => {
            let mut tried = String::new();
            for one in store.due(i64::MAX, 1).await.unwrap_or_default() {
                let attempt = match value % 3 {
                    0 => Attempt::Delivered,
                    1 => Attempt::Again(i64::from(value) + 2, "busy".to_owned()),
                    _ => Attempt::GivenUp("gone".to_owned()),
                };
                let done = store.tried(&one, &attempt, i64::from(value)).await.ok();
                write!(tried, "{} {done:?}", one.key).unwrap_or_default();
            }
            tried
        }
        7 => {
            let (from, until) = (i64::from(value), i64::from(value) + 2);
            format!("{:?}", store.lead(id(3, n), from, until).await.ok())
        }
        8 => {
            let mut claimed = String::new();
            for one in store.due(i64::from(value), 1).await.unwrap_or_default() {
                // The second one comes too late.
                for until in [i64::from(value) + 1, i64::from(value) + 2] {
                    let done = store.claim(&one, until).await.ok();
                    write!(claimed, "{} {done:?}", one.key).unwrap_or_default();
                }
            }
            claimed
        }
        _ => {
            let step = Step {
                put: vec![alert(n, value), alert(n.wrapping_add(1), value)],
                gone: vec![(RuleId(id(1, value / 2)), labels(value))],
                notify: vec![notification(n, value), notification(n, value)],
            };
            format!("{:?}", store.commit(&step, seen).await.ok())
        }
    }
}

/// The numbers of the notifications that wait after more were made than may, in order.
pub async fn waiting_after(store: &dyn Alerts, made: u32) -> Vec<String> {
    store.add_channel(&channel(1, 1)).await.unwrap_or_default();
    for number in 0..made {
        let key = number.to_string();
        let step =
            Step { notify: vec![Notification { key, ..notification(1, 0) }], ..Step::default() };
        let seen = store.version().await.unwrap_or_default();
        store.commit(&step, seen).await.ok();
    }
    let mut waiting = Vec::new();
    while let Some(one) = store.due(i64::MAX, 1).await.unwrap_or_default().pop() {
        store.tried(&one, &Attempt::Delivered, 0).await.unwrap_or_default();
        waiting.push(one.key);
    }
    waiting
}
