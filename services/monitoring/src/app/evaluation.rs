//! Looking at the rules: at fixed instants, each tenant for itself.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use openframe_fault::BoxError;
use openframe_ids::TenantId;
use openframe_promql as promql;
use tokio::time::Instant;

use super::Monitoring;
use super::alerting::Board;
use crate::domain::alert::{AlertLabels, Change, Look, Rule, Transition, evaluate};
use crate::domain::labels::NAME;
use crate::notify;
use crate::store::alerts::{Notification, Step, Written};

/// Alerts of one rule at most: more says that the rule is wrong.
const MAX_ALERTS: usize = 10_000;
/// Tenants whose rules are looked at at the same time.
const TENANTS_AT_ONCE: usize = 4;

impl Monitoring {
    /// The next instant to look at the rules, Unix milliseconds, and the time until then. Instants
    /// are multiples of the interval, so that a restart looks at the same ones.
    pub(crate) fn next_look(&self) -> (i64, Duration) {
        let interval = self.0.config.evaluation_interval();
        let every_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let now_ms = self.now_ms();
        let at_ms = now_ms.div_euclid(every_ms).saturating_add(1).saturating_mul(every_ms);
        let wait_ms = at_ms.saturating_sub(now_ms);
        (at_ms, Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    /// Looks at every rule as of `at_ms`. A tenant whose rules take longer than the interval keeps
    /// no other waiting: its other rules come first the next time.
    pub(crate) async fn evaluate_rules(&self, at_ms: i64) {
        let mut tenants: BTreeMap<TenantId, Vec<(Option<i64>, Rule)>> = BTreeMap::new();
        let look = {
            let board = self.board();
            for entry in board.entries.values() {
                let own = tenants.entry(entry.rule.tenant).or_default();
                own.push((entry.evaluated_ms, entry.rule.clone()));
            }
            Look { at_ms, settling: at_ms < board.settled_ms }
        };
        let tenants = futures::stream::iter(tenants.into_values());
        let each = |mut rules: Vec<(Option<i64>, Rule)>| async move {
            rules.sort_by_key(|(evaluated_ms, rule)| (*evaluated_ms, rule.id));
            self.evaluate_tenant(rules.into_iter().map(|(_, rule)| rule), look).await;
        };
        tenants.for_each_concurrent(TENANTS_AT_ONCE, each).await;
    }

    async fn evaluate_tenant(&self, rules: impl Iterator<Item = Rule>, look: Look) {
        let interval = self.0.config.evaluation_interval();
        let end = Instant::now() + interval;
        for rule in rules {
            if Instant::now() >= end {
                return;
            }
            // Only the query is cut off: what it found is kept in the store and on the board, or
            // on neither.
            let result = match tokio::time::timeout_at(end, self.found(&rule, look.at_ms)).await {
                Ok(Ok(found)) => self.keep(&rule, found, look).await,
                Ok(Err(why)) => Err(why),
                Err(_) => Err(format!(
                    "the tenant's rules take longer than {} s together",
                    interval.as_secs()
                )),
            };
            if let Err(why) = &result {
                self.0.metrics.failed_evaluations.inc();
                tracing::warn!(rule.id = %rule.id, "the rule {} failed: {why}", rule.id);
            }
            let mut board = self.board();
            if let Some(entry) = board.entries.get_mut(&rule.id) {
                (entry.evaluated_ms, entry.error) = (Some(look.at_ms), result.err());
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
    async fn keep(
        &self,
        rule: &Rule,
        found: BTreeMap<AlertLabels, f64>,
        look: Look,
    ) -> Result<(), String> {
        let _turn = self.turn().await;
        let (changes, step) = loop {
            let before = {
                let board = self.board();
                let entry = board.entries.get(&rule.id).filter(|entry| entry.rule == *rule);
                entry.map(|entry| (entry.alerts.clone(), board.version))
            };
            // Changed or removed meanwhile: the next round is about the new one.
            let Some((before, version)) = before else { return Ok(()) };
            let changes = evaluate(rule, before, found.clone(), look);
            if !self.leads() {
                self.board().renew(rule, changes);
                return Ok(());
            }
            let step = step(rule, &changes, look.at_ms).map_err(|error| error.to_string())?;
            if step == Step::default() {
                break (changes, step);
            }
            let kept = self.0.alerts.commit(&step, version).await;
            match kept.map_err(|error| openframe_fault::chain(&error))? {
                Written::Done(version) => {
                    self.board().version = version;
                    break (changes, step);
                }
                Written::Stale | Written::Refused => {
                    let fresh = self.refresh_board().await;
                    fresh.map_err(|error| openframe_fault::chain(&error))?;
                }
            }
        };
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
}

impl Board {
    /// Notes the values of alerts that go on; what has changed is the leader's to say.
    fn renew(&mut self, rule: &Rule, changes: Vec<Change>) {
        let Some(entry) = self.entries.get_mut(&rule.id) else { return };
        for change in changes.into_iter().filter(|change| change.what == Transition::Kept) {
            let own = entry.alerts.iter_mut().find(|alert| alert.labels == change.alert.labels);
            if let Some(own) = own {
                own.value = change.alert.value;
            }
        }
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

/// One message per channel for all that fired, and one for all that is over.
pub(super) fn notifications(
    rule: &Rule,
    changes: &[Change],
    now_ms: i64,
) -> Result<Vec<Notification>, BoxError> {
    let mut wanted = Vec::new();
    for what in [Transition::Fired, Transition::Resolved] {
        let same = changes.iter().filter(|change| change.what == what);
        let alerts: Vec<_> = same.map(|change| &change.alert).collect();
        if alerts.is_empty() {
            continue;
        }
        for channel in &rule.definition.channels {
            let key = notify::key(&alerts, now_ms, *channel);
            let body = notify::body(rule, &alerts, *channel)?;
            let (made_ms, due_ms) = (now_ms, now_ms);
            let channel = *channel;
            wanted.push(Notification { key, channel, made_ms, due_ms, attempts: 0, body });
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests;
