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
use crate::store::alerts::{Kept, Step, Written};

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
    /// The store's, when it was read.
    pub(super) version: i64,
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
        let left_ms = self.received_ms().unwrap_or(i64::MIN);
        loop {
            let kept = self.0.alerts.load().await?;
            let (now_ms, mut board) = (self.now_ms(), Board::default());
            // Nobody watches yet.
            board.take_in(kept, now_ms);
            if now_ms.saturating_sub(left_ms) > AWAY_MS {
                let grace_ms = i64::from(self.0.config.start_grace_s) * 1_000;
                board.settled_ms = now_ms.saturating_add(grace_ms);
            }
            let mut resumed = Step::default();
            for alert in board.entries.values_mut().flat_map(|entry| &mut entry.alerts) {
                let back = alert::resumed(alert.clone(), left_ms, now_ms);
                if back != *alert {
                    resumed.put.push(back.clone());
                    *alert = back;
                }
            }
            if resumed != Step::default() {
                match self.0.alerts.commit(&resumed, board.version).await? {
                    Written::Done(version) => board.version = version,
                    // Another replica has begun as well.
                    Written::Stale | Written::Refused => continue,
                }
            }
            *self.board() = board;
            return Ok(());
        }
    }

    /// Takes in what other replicas have changed by now, so that whoever has changed something finds
    /// it whichever replica answers next. Without the store, the board stays as it is.
    async fn look_at_board(&self) {
        if let Err(error) = self.meet_board().await {
            tracing::debug!("the alerts shown may be old: {}", openframe_fault::chain(&error));
        }
    }

    /// Takes in what other replicas have changed, if they have.
    pub(super) async fn meet_board(&self) -> Result<(), Error> {
        if self.0.shared && self.0.alerts.version().await? != self.board().version {
            let _turn = self.turn().await;
            self.refresh_board().await?;
        }
        Ok(())
    }

    /// Takes in what other replicas have changed, and tells it. The caller has the turn.
    pub(super) async fn refresh_board(&self) -> Result<(), Error> {
        let kept = self.0.alerts.load().await?;
        let changed = self.board().take_in(kept, self.now_ms());
        for (rule, alert) in changed {
            self.tell_alert(&rule, alert);
        }
        Ok(())
    }

    /// The tenant's rules, by name: for whoever sees all of it.
    pub async fn rules(&self, caller: &Caller) -> Result<Vec<RuleShown>, Error> {
        need(caller, Permission::TelemetryRead)?;
        self.look_at_board().await;
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
        let mut rule = Rule { id: RuleId::new(), tenant, definition, created_ms: self.now_ms() };
        self.meet_board().await?;
        let _turn = self.turn().await;
        let mut told = false;
        loop {
            let (version, old) = self.check_rule(&rule, id).await?;
            (rule.id, rule.created_ms) = old.unwrap_or((rule.id, rule.created_ms));
            if !std::mem::replace(&mut told, true) {
                let action = if old.is_some() { "rule.change" } else { "rule.create" };
                let detail = format!("name={:?}", rule.definition.name);
                self.record(ask, action, rule.id.to_string(), detail).await?;
            }
            match self.0.alerts.put_rule(&rule, version).await? {
                Written::Done(version) => return Ok(self.board().put(rule, version)),
                Written::Refused => return Err(Error::NameTaken),
                Written::Stale => self.refresh_board().await?,
            }
        }
    }

    /// Whether a rule may be put on the board as it is now: which version that is, and the id and age
    /// of the rule that it replaces.
    async fn check_rule(
        &self,
        rule: &Rule,
        id: Option<RuleId>,
    ) -> Result<(i64, Option<(RuleId, i64)>), Error> {
        let (version, old, count) = {
            let board = self.board();
            let old = id.map(|id| board.own(rule.tenant, id)).transpose()?;
            (board.version, old, board.count(rule.tenant))
        };
        let known = self.0.alerts.channels(rule.tenant).await?;
        let mut wanted = rule.definition.channels.iter();
        if let Some(id) = wanted.find(|id| known.iter().all(|it| it.id != **id)) {
            return Err(Error::BadRule(format!("there is no channel {id}; make it first")));
        }
        if old.is_none() && count >= self.0.config.max_rules {
            return Err(Error::TooManyRules(self.0.config.max_rules));
        }
        Ok((version, old))
    }

    /// Removes a rule. What fires because of it is over.
    pub async fn delete_rule(&self, ask: &Ask, id: RuleId) -> Result<(), Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        self.meet_board().await?;
        let _turn = self.turn().await;
        let mut told = false;
        loop {
            let (rule, alerts, version) = {
                let board = self.board();
                board.own(ask.caller.tenant, id)?;
                let entry = board.entries.get(&id).ok_or(Error::NoSuchRule)?;
                (entry.rule.clone(), entry.alerts.clone(), board.version)
            };
            if !std::mem::replace(&mut told, true) {
                self.record(ask, "rule.delete", id.to_string(), String::new()).await?;
            }
            let now_ms = self.now_ms();
            let look = Look { at_ms: now_ms, settling: false };
            let mut over = evaluate(&rule, alerts, BTreeMap::new(), look);
            over.retain(|change| change.what == Transition::Resolved);
            let notify = notifications(&rule, &over, now_ms).map_err(Error::Encode)?;
            match self.0.alerts.delete_rule(id, &notify, version).await? {
                Written::Done(version) => self.board().remove(id, version),
                Written::Stale | Written::Refused => {
                    self.refresh_board().await?;
                    continue;
                }
            }
            self.0.wake.notify_one();
            for change in over {
                self.tell_alert(&rule, change.alert);
            }
            return Ok(());
        }
    }

    /// The tenant's alerts of what the caller sees, newest first.
    pub async fn alerts(&self, caller: &Caller) -> Result<Vec<AlertShown>, Error> {
        let sight = self.sight(caller).await?;
        self.look_at_board().await;
        let board = self.board();
        let own = board.entries.values().filter(|entry| entry.rule.tenant == caller.tenant);
        let shown = |entry: &OnBoard| {
            let rule = entry.rule.clone();
            let alerts: Vec<Alert> =
                entry.alerts.iter().filter(|it| sight.sees_alert(it)).cloned().collect();
            alerts.into_iter().map(move |alert| AlertShown { rule: rule.clone(), alert })
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
    fn put(&mut self, rule: Rule, version: i64) -> RuleShown {
        self.version = version;
        let entry = self.entries.entry(rule.id).or_insert_with(|| OnBoard::new(rule.clone()));
        entry.rule = rule;
        (entry.evaluated_ms, entry.error) = (None, None);
        entry.shown()
    }

    fn remove(&mut self, id: RuleId, version: i64) {
        self.version = version;
        self.entries.remove(&id);
    }

    /// Becomes what the store has, with what only this replica knows; returns the alerts that have
    /// changed, those that are gone as over.
    fn take_in(&mut self, kept: Kept, now_ms: i64) -> Vec<(Rule, Alert)> {
        let mut before = std::mem::take(&mut self.entries);
        self.version = kept.version;
        for rule in kept.rules {
            let known = before.get(&rule.id).filter(|known| known.rule == rule);
            let looked = known.map(|known| (known.evaluated_ms, known.error.clone()));
            let (evaluated_ms, error) = looked.unwrap_or_default();
            let alerts = Vec::new();
            self.entries.insert(rule.id, OnBoard { rule, alerts, evaluated_ms, error });
        }
        let mut changed = Vec::new();
        for mut alert in kept.alerts {
            let Some(entry) = self.entries.get_mut(&alert.rule) else { continue };
            let old = before.get_mut(&alert.rule).map(|known| &mut known.alerts);
            let old = old.and_then(|old| {
                let at = old.iter().position(|it| it.labels == alert.labels)?;
                Some(old.swap_remove(at))
            });
            match old {
                Some(old) if alert::same_but_value(&old, &alert) => alert.value = old.value,
                Some(_) | None => changed.push((entry.rule.clone(), alert.clone())),
            }
            entry.alerts.push(alert);
        }
        for gone in before.into_values() {
            for mut alert in gone.alerts {
                if alert.state == State::Firing {
                    (alert.state, alert.resolved_ms) = (State::Resolved, Some(now_ms));
                }
                changed.push((gone.rule.clone(), alert));
            }
        }
        changed
    }

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
