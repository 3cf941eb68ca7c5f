//! Rules: kept, evaluated, and what they find told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;
use openframe_auth_api::{Ask, Entry};
use openframe_ids::{ChannelId, RuleId, TenantId};
use openframe_promql as promql;
use openframe_tokens::{Caller, Permission};
use tokio::sync::SemaphorePermit;

use super::evaluation::notifications;
use super::{Live, Monitoring, need};
use crate::Error;
use crate::domain::alert::{self, Alert, Definition, Look, Rule, State, Transition, evaluate};
use crate::store::alerts::Step;

/// Without samples for so long, the platform was away, milliseconds.
const AWAY_MS: i64 = 60_000;

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
    pub(super) entries: HashMap<RuleId, OnBoard>,
    /// Until then nothing is over, Unix milliseconds: devices report again after an absence.
    pub(super) settled_ms: i64,
}

#[derive(Debug)]
pub(super) struct OnBoard {
    pub(super) rule: Rule,
    pub(super) alerts: Vec<Alert>,
    pub(super) evaluated_ms: Option<i64>,
    pub(super) error: Option<String>,
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
    /// Reads rules and alerts back, after the log. Time in which nothing was received counts for no
    /// alert.
    pub(crate) async fn load_alerts(&self) -> Result<(), Error> {
        let kept = self.0.alerts.load().await?;
        let now_ms = self.now_ms();
        let left_ms = self.received_ms().unwrap_or(i64::MIN);
        let mut resumed = Step::default();
        let mut board = Board::default();
        if now_ms.saturating_sub(left_ms) > AWAY_MS {
            let grace_ms = i64::from(self.0.config.start_grace_s) * 1_000;
            board.settled_ms = now_ms.saturating_add(grace_ms);
        }
        for rule in kept.rules {
            board.entries.insert(rule.id, OnBoard::new(rule));
        }
        for alert in kept.alerts {
            let Some(entry) = board.entries.get_mut(&alert.rule) else { continue };
            let back = alert::resumed(alert.clone(), left_ms, now_ms);
            if back != alert {
                resumed.put.push(back.clone());
            }
            entry.alerts.push(back);
        }
        if resumed != Step::default() {
            self.0.alerts.commit(&resumed).await?;
        }
        *self.board() = board;
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
        let expr = definition.expr.clone();
        // Parsing can take long, so it keeps nobody waiting.
        let checked = tokio::task::spawn_blocking(move || promql::check(&expr)).await;
        checked.map_err(|error| Error::Encode(error.into()))?.map_err(Error::Query)?;
        let _turn = self.turn().await;
        let known = self.0.alerts.channels(tenant).await?;
        let missing = definition.channels.iter().find(|id| known.iter().all(|it| it.id != **id));
        if let Some(id) = missing {
            return Err(Error::BadRule(format!("there is no channel {id}; make it first")));
        }
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
        let look = Look { at_ms: now_ms, settling: false };
        let over = evaluate(&rule, alerts, BTreeMap::new(), look);
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

    // A poisoned board is still usable: entries change one by one.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one's turn to change the board; it ends when the permit is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.turn.acquire().await.ok()
    }

    pub(super) fn tell_alert(&self, rule: &Rule, alert: Alert) {
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
        let entry = Entry { detail, ..Entry::of(ask, action, target) };
        self.0.audit.record(entry).await.map_err(Error::Audit)
    }
}

impl Board {
    fn own(&self, tenant: TenantId, id: RuleId) -> Result<(RuleId, i64), Error> {
        let entry = self.entries.get(&id).filter(|entry| entry.rule.tenant == tenant);
        entry.map(|entry| (id, entry.rule.created_ms)).ok_or(Error::NoSuchRule)
    }

    /// The names of the tenant's rules that tell a channel.
    pub(super) fn told_by(&self, tenant: TenantId, id: ChannelId) -> Vec<String> {
        let own = self.entries.values().map(|entry| &entry.rule);
        let own = own.filter(|it| it.tenant == tenant && it.definition.channels.contains(&id));
        let mut names: Vec<_> = own.map(|rule| rule.definition.name.clone()).collect();
        names.sort();
        names
    }

    fn count(&self, tenant: TenantId) -> usize {
        self.entries.values().filter(|entry| entry.rule.tenant == tenant).count()
    }
}

/// The time of Unix milliseconds; the epoch when there is no such time.
pub(crate) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Checks the name of a channel.
pub(super) fn named(name: &str) -> Result<(), Error> {
    alert::name(name).map_err(Error::BadRule)
}
