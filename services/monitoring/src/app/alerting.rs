//! Rules: kept, evaluated, and what they find told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;
use openframe_auth_api::{Ask, Entry, Outcome};
use openframe_fault::BoxError;
use openframe_ids::{RuleId, TenantId};
use openframe_promql as promql;
use openframe_tokens::{Caller, Permission};
use tokio::sync::SemaphorePermit;

use super::{Live, Monitoring, need};
use crate::Error;
use crate::domain::alert::{
    self, Alert, AlertLabels, Change, Definition, Rule, State, Transition, evaluate,
};
use crate::domain::labels::NAME;
use crate::notify;
use crate::store::alerts::{Notification, Step};

/// Alerts of one rule at most: more says that the rule is wrong.
const MAX_ALERTS: usize = 10_000;

/// A rule with how it does.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleShown {
    /// The rule.
    pub rule: Rule,
    /// When it was last evaluated, Unix milliseconds.
    pub evaluated_ms: Option<i64>,
    /// Why that failed, if it did.
    pub error: Option<String>,
    /// The worst state of its alerts; `None` when there is neither a pending nor a firing one.
    pub state: Option<State>,
}

/// An alert with the rule it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertShown {
    /// The rule.
    pub rule: Rule,
    /// The alert.
    pub alert: Alert,
}

/// Every rule and alert, as the store has them; values are newer.
#[derive(Debug, Default)]
pub(super) struct Board {
    entries: HashMap<RuleId, OnBoard>,
}

#[derive(Debug)]
struct OnBoard {
    rule: Rule,
    alerts: Vec<Alert>,
    evaluated_ms: Option<i64>,
    error: Option<String>,
}

impl OnBoard {
    fn new(rule: Rule) -> Self {
        Self { rule, alerts: Vec::new(), evaluated_ms: None, error: None }
    }

    fn shown(&self) -> RuleShown {
        let worst = self.alerts.iter().map(|alert| alert.state).max();
        RuleShown {
            rule: self.rule.clone(),
            evaluated_ms: self.evaluated_ms,
            error: self.error.clone(),
            state: worst.filter(|state| *state != State::Resolved),
        }
    }
}

impl Monitoring {
    /// Reads rules and alerts back.
    pub(crate) async fn load_alerts(&self) -> Result<(), Error> {
        let kept = self.0.alerts.load().await?;
        let mut board = self.board();
        for rule in kept.rules {
            board.entries.insert(rule.id, OnBoard::new(rule));
        }
        for alert in kept.alerts {
            if let Some(entry) = board.entries.get_mut(&alert.rule) {
                entry.alerts.push(alert);
            }
        }
        Ok(())
    }

    /// The tenant's rules, by name.
    pub fn rules(&self, caller: &Caller) -> Result<Vec<RuleShown>, Error> {
        need(caller, Permission::TelemetryRead)?;
        let board = self.board();
        let own = board.entries.values().filter(|entry| entry.rule.tenant == caller.tenant);
        let mut own: Vec<_> = own.map(OnBoard::shown).collect();
        own.sort_by(|a, b| a.rule.definition.name.cmp(&b.rule.definition.name));
        Ok(own)
    }

    /// Makes a rule, or replaces the one of that id.
    pub async fn put_rule(
        &self,
        ask: &Ask,
        id: Option<RuleId>,
        definition: Definition,
    ) -> Result<RuleShown, Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        let tenant = ask.caller.tenant;
        let definition = definition.checked().map_err(Error::BadRule)?;
        promql::check(&definition.expr).map_err(Error::Query)?;
        let known = self.0.alerts.channels(tenant).await?;
        let missing = definition.channels.iter().find(|id| known.iter().all(|it| it.id != **id));
        if let Some(id) = missing {
            return Err(Error::BadRule(format!("there is no channel {id}; make it first")));
        }
        let _turn = self.turn().await;
        let (old, count) = {
            let board = self.board();
            (id.map(|id| board.own(tenant, id)).transpose()?, board.count(tenant))
        };
        if old.is_none() && count >= self.0.config.max_rules {
            return Err(Error::TooManyRules(self.0.config.max_rules));
        }
        let (id, created_ms) = old.unwrap_or_else(|| (RuleId::new(), self.now_ms()));
        let action = if old.is_some() { "rule.change" } else { "rule.create" };
        self.record(ask, action, id.to_string(), format!("name={:?}", definition.name)).await?;
        let rule = Rule { id, tenant, definition, created_ms };
        if !self.0.alerts.put_rule(&rule).await? {
            return Err(Error::NameTaken);
        }
        let mut board = self.board();
        let entry = board.entries.entry(id).or_insert_with(|| OnBoard::new(rule.clone()));
        entry.rule = rule;
        (entry.evaluated_ms, entry.error) = (None, None);
        Ok(entry.shown())
    }

    /// Removes a rule. What fires because of it is over.
    pub async fn delete_rule(&self, ask: &Ask, id: RuleId) -> Result<(), Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        let _turn = self.turn().await;
        let (rule, alerts) = {
            let board = self.board();
            board.own(ask.caller.tenant, id)?;
            let entry = board.entries.get(&id).ok_or(Error::NoSuchRule)?;
            (entry.rule.clone(), entry.alerts.clone())
        };
        self.record(ask, "rule.delete", id.to_string(), String::new()).await?;
        let now_ms = self.now_ms();
        let over = evaluate(&rule, alerts, BTreeMap::new(), now_ms);
        let over: Vec<_> = over.into_iter().filter(|it| it.what == Transition::Resolved).collect();
        let notify = notifications(&rule, &over, now_ms).map_err(Error::Encode)?;
        self.0.alerts.delete_rule(id, &notify).await?;
        self.board().entries.remove(&id);
        self.0.wake.notify_one();
        for change in over {
            self.tell_alert(&rule, change.alert);
        }
        Ok(())
    }

    /// The tenant's alerts, newest first.
    pub fn alerts(&self, caller: &Caller) -> Result<Vec<AlertShown>, Error> {
        need(caller, Permission::TelemetryRead)?;
        let board = self.board();
        let own = board.entries.values().filter(|entry| entry.rule.tenant == caller.tenant);
        let shown = |entry: &OnBoard| {
            let rule = entry.rule.clone();
            let alerts = entry.alerts.clone().into_iter();
            alerts.map(move |alert| AlertShown { rule: rule.clone(), alert })
        };
        let mut all: Vec<_> = own.flat_map(shown).collect();
        all.sort_by_key(|it| (std::cmp::Reverse(it.alert.active_ms), it.rule.id));
        Ok(all)
    }

    /// Evaluates every rule once.
    pub(crate) async fn evaluate_rules(&self) {
        let rules: Vec<Rule> = {
            let board = self.board();
            board.entries.values().map(|entry| entry.rule.clone()).collect()
        };
        for rule in rules {
            let now_ms = self.now_ms();
            let found = self.found(&rule, now_ms).await;
            let result = match found {
                Ok(found) => self.take(&rule, found, now_ms).await,
                Err(why) => Err(why),
            };
            if let Err(why) = &result {
                self.0.metrics.failed_evaluations.inc();
                tracing::warn!(rule.id = %rule.id, "the rule {} failed: {why}", rule.id);
            }
            let mut board = self.board();
            if let Some(entry) = board.entries.get_mut(&rule.id) {
                (entry.evaluated_ms, entry.error) = (Some(now_ms), result.err());
            }
        }
    }

    /// The series for which the condition holds.
    async fn found(&self, rule: &Rule, now_ms: i64) -> Result<BTreeMap<AlertLabels, f64>, String> {
        let expr = rule.definition.expr.clone();
        let value = self.query_of(rule.tenant, expr, super::query::When::At(now_ms)).await;
        let vector = match value.map_err(|error| error.to_string())? {
            promql::Value::Vector(vector) => vector,
            promql::Value::Scalar(_) | promql::Value::Matrix(_) | promql::Value::String(..) => {
                return Err("the expression must answer with an instant vector".to_owned());
            }
        };
        if vector.len() > MAX_ALERTS {
            return Err(format!("more than {MAX_ALERTS} series fit; narrow the expression"));
        }
        let mut found = BTreeMap::new();
        for (labels, value) in vector.iter().map(|(labels, sample)| (labels, sample.v)) {
            let own = labels.iter().filter(|(name, _)| *name != NAME);
            let own: AlertLabels =
                own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            if found.insert(own, value).is_some() {
                return Err("two series differ in their name only; aggregate them".to_owned());
            }
        }
        Ok(found)
    }

    /// Keeps what an evaluation has changed, then tells.
    async fn take(
        &self,
        rule: &Rule,
        found: BTreeMap<AlertLabels, f64>,
        now_ms: i64,
    ) -> Result<(), String> {
        let _turn = self.turn().await;
        let before = {
            let board = self.board();
            let entry = board.entries.get(&rule.id).filter(|entry| entry.rule == *rule);
            entry.map(|entry| entry.alerts.clone())
        };
        // Changed or removed meanwhile: the next round is about the new one.
        let Some(before) = before else { return Ok(()) };
        let changes = evaluate(rule, before, found, now_ms);
        let step = step(rule, &changes, now_ms).map_err(|error| error.to_string())?;
        if step != Step::default() {
            let kept = self.0.alerts.commit(&step).await;
            kept.map_err(|error| openframe_fault::chain(&error))?;
        }
        let stay = changes.iter().filter(|change| change.what != Transition::Dropped);
        if let Some(entry) = self.board().entries.get_mut(&rule.id) {
            entry.alerts = stay.map(|change| change.alert.clone()).collect();
        }
        if !step.notify.is_empty() {
            self.0.wake.notify_one();
        }
        let changed = changes.into_iter().filter(|change| change.what != Transition::Kept);
        changed.for_each(|change| self.tell_alert(rule, change.alert));
        Ok(())
    }

    // A poisoned board is still usable: entries change one by one.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one's turn to change the board; it ends when the permit is dropped.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.turn.acquire().await.ok()
    }

    fn tell_alert(&self, rule: &Rule, alert: Alert) {
        let shown = AlertShown { rule: rule.clone(), alert };
        // Nobody listening is fine.
        drop(self.0.live.send(Live::Alert(Box::new(shown))));
    }

    /// Puts what is about to be done on the audit trail.
    pub(super) async fn record(
        &self,
        ask: &Ask,
        action: &'static str,
        target: String,
        detail: String,
    ) -> Result<(), Error> {
        let (caller, request_id) = (ask.caller.clone(), ask.request_id.clone());
        let outcome = Outcome::Done;
        let entry = Entry { caller, action, target, outcome, detail, request_id };
        self.0.audit.record(entry).await.map_err(Error::Audit)
    }
}

impl Board {
    fn own(&self, tenant: TenantId, id: RuleId) -> Result<(RuleId, i64), Error> {
        let entry = self.entries.get(&id).filter(|entry| entry.rule.tenant == tenant);
        entry.map(|entry| (id, entry.rule.created_ms)).ok_or(Error::NoSuchRule)
    }

    fn count(&self, tenant: TenantId) -> usize {
        self.entries.values().filter(|entry| entry.rule.tenant == tenant).count()
    }
}

fn step(rule: &Rule, changes: &[Change], now_ms: i64) -> Result<Step, BoxError> {
    let mut step = Step { notify: notifications(rule, changes, now_ms)?, ..Step::default() };
    for change in changes {
        match change.what {
            Transition::Kept => {}
            Transition::Began | Transition::Fired | Transition::Resolved => {
                step.put.push(change.alert.clone());
            }
            Transition::Dropped => step.gone.push((rule.id, change.alert.labels.clone())),
        }
    }
    Ok(step)
}

fn notifications(
    rule: &Rule,
    changes: &[Change],
    now_ms: i64,
) -> Result<Vec<Notification>, BoxError> {
    let mut wanted = Vec::new();
    for change in changes {
        if !matches!(change.what, Transition::Fired | Transition::Resolved) {
            continue;
        }
        for channel in &rule.definition.channels {
            let key = notify::key(&change.alert, *channel);
            let body = notify::body(rule, &change.alert, *channel)?;
            let (made_ms, due_ms) = (now_ms, now_ms);
            let channel = *channel;
            wanted.push(Notification { key, channel, made_ms, due_ms, attempts: 0, body });
        }
    }
    Ok(wanted)
}

/// The time of Unix milliseconds; the epoch when there is no such time.
pub(crate) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Checks the name of a channel.
pub(super) fn named(name: &str) -> Result<(), Error> {
    alert::name(name).map_err(Error::BadRule)
}
