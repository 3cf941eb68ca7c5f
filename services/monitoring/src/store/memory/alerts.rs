//! The model of the alerts' promise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use openframe_ids::{ChannelId, RuleId, TenantId};
use uuid::Uuid;

use crate::domain::alert::{Alert, Channel, Rule};
use crate::store::alerts::{
    Alerts, Attempt, Kept, MAX_WAITING, Notification, Step, StoreError, Written,
};

/// Rules, alerts and notifications in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryAlerts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    version: i64,
    /// Who decides about alerts, and until when.
    leader: Option<(Uuid, i64)>,
    rules: Vec<Rule>,
    alerts: Vec<Alert>,
    channels: Vec<Channel>,
    outbox: Vec<Notification>,
}

impl State {
    fn changed(&mut self) -> Written {
        self.version += 1;
        Written::Done(self.version)
    }

    fn notify(&mut self, wanted: &[Notification]) {
        for one in wanted {
            let reachable = self.channels.iter().any(|channel| channel.id == one.channel);
            let known = self.outbox.iter().any(|other| other.key == one.key);
            if reachable && !known {
                self.outbox.push(one.clone());
            }
            let own = |it: &Notification| it.channel == one.channel;
            let waiting = self.outbox.iter().filter(|it| own(it)).count();
            if waiting > MAX_WAITING as usize
                && let Some(oldest) = self.outbox.iter().position(own)
            {
                self.outbox.remove(oldest);
            }
        }
    }
}

impl MemoryAlerts {
    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the lists half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Alerts for MemoryAlerts {
    async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.state().version)
    }

    async fn load(&self) -> Result<Kept, StoreError> {
        let state = self.state();
        let (rules, alerts) = (state.rules.clone(), state.alerts.clone());
        Ok(Kept { version: state.version, rules, alerts })
    }

    async fn put_rule(&self, rule: &Rule, seen: i64) -> Result<Written, StoreError> {
        let mut state = self.state();
        if state.version != seen {
            return Ok(Written::Stale);
        }
        let same_name = |other: &Rule| {
            other.tenant == rule.tenant && other.definition.name == rule.definition.name
        };
        if state.rules.iter().any(|other| other.id != rule.id && same_name(other)) {
            return Ok(Written::Refused);
        }
        state.rules.retain(|other| other.id != rule.id);
        state.rules.push(rule.clone());
        Ok(state.changed())
    }

    async fn delete_rule(
        &self,
        id: RuleId,
        notify: &[Notification],
        seen: i64,
    ) -> Result<Written, StoreError> {
        let mut state = self.state();
        if state.version != seen {
            return Ok(Written::Stale);
        }
        state.rules.retain(|rule| rule.id != id);
        state.alerts.retain(|alert| alert.rule != id);
        state.notify(notify);
        Ok(state.changed())
    }

    async fn channels(&self, tenant: TenantId) -> Result<Vec<Channel>, StoreError> {
        let state = self.state();
        let own = state.channels.iter().filter(|channel| channel.tenant == tenant);
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(own)
    }

    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        Ok(self.state().channels.iter().find(|channel| channel.id == id).cloned())
    }

    async fn add_channel(&self, channel: &Channel) -> Result<bool, StoreError> {
        let mut state = self.state();
        let same = |other: &Channel| {
            other.id == channel.id || (other.tenant, &other.name) == (channel.tenant, &channel.name)
        };
        if state.channels.iter().any(same) {
            return Ok(false);
        }
        state.channels.push(channel.clone());
        Ok(true)
    }

    async fn delete_channel(
        &self,
        tenant: TenantId,
        id: ChannelId,
        seen: i64,
    ) -> Result<Written, StoreError> {
        let mut state = self.state();
        if state.version != seen {
            return Ok(Written::Stale);
        }
        let before = state.channels.len();
        state.channels.retain(|channel| channel.id != id || channel.tenant != tenant);
        if state.channels.len() == before {
            return Ok(Written::Refused);
        }
        state.outbox.retain(|one| one.channel != id);
        Ok(state.changed())
    }

    async fn commit(&self, step: &Step, seen: i64) -> Result<Written, StoreError> {
        let mut state = self.state();
        if state.version != seen {
            return Ok(Written::Stale);
        }
        for alert in &step.put {
            state.alerts.retain(|old| (old.rule, &old.labels) != (alert.rule, &alert.labels));
            state.alerts.push(alert.clone());
        }
        for (rule, labels) in &step.gone {
            state.alerts.retain(|old| (old.rule, &old.labels) != (*rule, labels));
        }
        state.notify(&step.notify);
        Ok(state.changed())
    }

    async fn lead(&self, holder: Uuid, now_ms: i64, until_ms: i64) -> Result<bool, StoreError> {
        let mut state = self.state();
        let free = state.leader.is_none_or(|(known, until)| known == holder || until < now_ms);
        if free {
            state.leader = Some((holder, until_ms));
        }
        Ok(free)
    }

    async fn due(&self, now_ms: i64, limit: u32) -> Result<Vec<Notification>, StoreError> {
        let state = self.state();
        let mut oldest: Vec<&Notification> = Vec::new();
        for one in &state.outbox {
            if oldest.iter().all(|other| other.channel != one.channel) {
                oldest.push(one);
            }
        }
        let due = oldest.into_iter().filter(|one| one.due_ms <= now_ms);
        Ok(due.take(limit as usize).cloned().collect())
    }

    async fn claim(&self, notification: &Notification, until_ms: i64) -> Result<bool, StoreError> {
        let mut state = self.state();
        let same =
            |it: &&mut Notification| it.key == notification.key && it.due_ms == notification.due_ms;
        let found = state.outbox.iter_mut().find(same);
        Ok(found.map(|one| one.due_ms = until_ms).is_some())
    }

    async fn tried(
        &self,
        notification: &Notification,
        attempt: &Attempt,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let channel = state.channels.iter_mut().find(|it| it.id == notification.channel);
        if let Some(channel) = channel {
            match attempt {
                Attempt::Delivered => (channel.delivered_ms, channel.error) = (Some(now_ms), None),
                Attempt::Again(_, why) | Attempt::GivenUp(why) => channel.error = Some(why.clone()),
            }
        }
        match attempt {
            Attempt::Delivered | Attempt::GivenUp(_) => {
                state.outbox.retain(|one| one.key != notification.key);
            }
            Attempt::Again(due_ms, _) => {
                let kept = state.outbox.iter_mut().find(|one| one.key == notification.key);
                if let Some(one) = kept {
                    (one.due_ms, one.attempts) = (*due_ms, one.attempts + 1);
                }
            }
        }
        Ok(())
    }
}
