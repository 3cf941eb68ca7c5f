//! The model of the alerts' promise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use openframe_ids::{ChannelId, RuleId, TenantId};

use crate::domain::alert::{Alert, Channel, Rule};
use crate::store::alerts::{Alerts, Attempt, Kept, MAX_WAITING, Notification, Step, StoreError};

/// Rules, alerts and notifications in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryAlerts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    alerts: Vec<Alert>,
    channels: Vec<Channel>,
    outbox: Vec<Notification>,
}

impl State {
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
    async fn load(&self) -> Result<Kept, StoreError> {
        let state = self.state();
        Ok(Kept { rules: state.rules.clone(), alerts: state.alerts.clone() })
    }

    async fn put_rule(&self, rule: &Rule) -> Result<bool, StoreError> {
        let mut state = self.state();
        let same_name = |other: &Rule| {
            other.tenant == rule.tenant && other.definition.name == rule.definition.name
        };
        if state.rules.iter().any(|other| other.id != rule.id && same_name(other)) {
            return Ok(false);
        }
        state.rules.retain(|other| other.id != rule.id);
        state.rules.push(rule.clone());
        Ok(true)
    }

    async fn delete_rule(&self, id: RuleId, notify: &[Notification]) -> Result<(), StoreError> {
        let mut state = self.state();
        state.rules.retain(|rule| rule.id != id);
        state.alerts.retain(|alert| alert.rule != id);
        state.notify(notify);
        Ok(())
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

    async fn delete_channel(&self, tenant: TenantId, id: ChannelId) -> Result<bool, StoreError> {
        let mut state = self.state();
        let before = state.channels.len();
        state.channels.retain(|channel| channel.id != id || channel.tenant != tenant);
        let gone = state.channels.len() < before;
        if gone {
            state.outbox.retain(|one| one.channel != id);
        }
        Ok(gone)
    }

    async fn commit(&self, step: &Step) -> Result<(), StoreError> {
        let mut state = self.state();
        for alert in &step.put {
            state.alerts.retain(|old| (old.rule, &old.labels) != (alert.rule, &alert.labels));
            state.alerts.push(alert.clone());
        }
        for (rule, labels) in &step.gone {
            state.alerts.retain(|old| (old.rule, &old.labels) != (*rule, labels));
        }
        state.notify(&step.notify);
        Ok(())
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
