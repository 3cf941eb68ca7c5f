//! Channels, and the delivery of what has to be told.

use std::sync::Arc;

use openframe_auth_api::Ask;
use openframe_ids::ChannelId;
use openframe_tokens::{Caller, Permission};

use super::alerting::named;
use super::{Monitoring, need};
use crate::Error;
use crate::domain::alert::Channel;
use crate::notify::Refusal;
use crate::store::alerts::{Attempt, Notification, StoreError, Written};

/// Channels of a tenant at most.
const MAX_CHANNELS: usize = 200;
/// Notifications looked up at once: more than are on their way at the same time.
const ROUND: u32 = 256;
/// A replica that has begun to send gets so long before another one does, milliseconds: longer than
/// an attempt can take.
const CLAIM_MS: i64 = 20_000;
/// Time before the second attempt, milliseconds; doubled for each that follows.
const FIRST_WAIT_MS: i64 = 5_000;
/// Time between two attempts at most, milliseconds.
const MAX_WAIT_MS: i64 = 600_000;
/// After this time, a notification is no longer worth sending, milliseconds.
const GIVE_UP_MS: i64 = 24 * 3_600_000;

impl Monitoring {
    /// The tenant's channels, by name. An address may hold a secret, so those who may not change
    /// channels see only whose it is.
    pub async fn channels(&self, caller: &Caller) -> Result<Vec<Channel>, Error> {
        need(caller, Permission::TelemetryRead)?;
        let mut channels = self.0.alerts.channels(caller.tenant).await?;
        if !caller.may(Permission::AlertsWrite) {
            for channel in &mut channels {
                channel.webhook_url = openframe_webhook::host_only(&channel.webhook_url);
            }
        }
        Ok(channels)
    }

    /// Makes a channel.
    pub async fn add_channel(
        &self,
        ask: &Ask,
        (name, url): (String, String),
    ) -> Result<Channel, Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        named(&name)?;
        openframe_webhook::address("webhook_url", &url).map_err(Error::BadRule)?;
        let tenant = ask.caller.tenant;
        if self.0.alerts.channels(tenant).await?.len() >= MAX_CHANNELS {
            return Err(Error::TooManyRules(MAX_CHANNELS));
        }
        let id = ChannelId::new();
        // The address may hold a secret, so the trail has the name only.
        self.record(ask, "channel.create", id.to_string(), format!("name={name:?}")).await?;
        let (delivered_ms, error) = (None, None);
        let channel = Channel { id, tenant, name, webhook_url: url, delivered_ms, error };
        if !self.0.alerts.add_channel(&channel).await? {
            return Err(Error::NameTaken);
        }
        Ok(channel)
    }

    /// Removes a channel, with what was to be sent by it; refused while a rule tells it, as that rule
    /// would tell nobody.
    pub async fn delete_channel(&self, ask: &Ask, id: ChannelId) -> Result<(), Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        let tenant = ask.caller.tenant;
        let known = self.0.alerts.channels(tenant).await?;
        if known.iter().all(|channel| channel.id != id) {
            return Err(Error::NoSuchChannel);
        }
        let _turn = self.turn().await;
        let mut told = false;
        loop {
            let (rules, version) = {
                let board = self.board();
                (board.told_by(tenant, id), board.version)
            };
            if !rules.is_empty() {
                return Err(Error::ChannelInUse(rules));
            }
            if !std::mem::replace(&mut told, true) {
                self.record(ask, "channel.delete", id.to_string(), String::new()).await?;
            }
            match self.0.alerts.delete_channel(tenant, id, version).await? {
                Written::Done(version) => {
                    self.board().version = version;
                    return Ok(());
                }
                Written::Refused => return Err(Error::NoSuchChannel),
                Written::Stale => self.refresh_board().await?,
            }
        }
    }

    /// Returns when there may be something to deliver.
    pub(crate) async fn something_to_tell(&self) {
        self.0.wake.notified().await;
    }

    /// The oldest notification of each channel, where it is due.
    pub(crate) async fn due(&self) -> Result<Vec<Notification>, StoreError> {
        self.0.alerts.due(self.now_ms(), ROUND).await
    }

    /// Tries to deliver a notification.
    pub(crate) async fn try_one(&self, one: Notification) -> Result<(), StoreError> {
        let Some(channel) = self.0.alerts.channel(one.channel).await? else {
            // Removed meanwhile, and its notifications with it.
            return Ok(());
        };
        if !self.0.alerts.claim(&one, self.now_ms().saturating_add(CLAIM_MS)).await? {
            // Another replica sends it.
            return Ok(());
        }
        let sender = Arc::clone(&self.0.sender);
        let answer = sender.post(&channel.webhook_url, &one.key, &one.body).await;
        let now_ms = self.now_ms();
        let attempt = match answer {
            Ok(()) => Attempt::Delivered,
            Err(Refusal::Final(why)) => Attempt::GivenUp(why),
            Err(Refusal::Temporary(why)) if now_ms - one.made_ms > GIVE_UP_MS => {
                Attempt::GivenUp(format!("given up after a day: {why}"))
            }
            Err(Refusal::Temporary(why)) => Attempt::Again(now_ms + wait(one.attempts), why),
        };
        match &attempt {
            Attempt::Delivered => self.0.metrics.delivered.inc(),
            Attempt::Again(..) | Attempt::GivenUp(_) => self.0.metrics.undelivered.inc(),
        };
        self.0.alerts.tried(&one, &attempt, now_ms).await
    }
}

fn wait(attempts: u32) -> i64 {
    let doubled = FIRST_WAIT_MS.saturating_mul(1 << attempts.min(20));
    doubled.min(MAX_WAIT_MS)
}
