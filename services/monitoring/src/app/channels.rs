//! Channels, and the delivery of what has to be told.

use std::sync::Arc;

use futures::StreamExt as _;
use openframe_auth_api::Ask;
use openframe_ids::ChannelId;
use openframe_tokens::{Caller, Permission};

use super::alerting::named;
use super::{Monitoring, need};
use crate::Error;
use crate::domain::alert::Channel;
use crate::notify::{self, Refusal};
use crate::store::alerts::{Attempt, Notification, StoreError};

/// Channels of a tenant at most.
const MAX_CHANNELS: usize = 200;
/// Notifications on their way at the same time.
const AT_ONCE: usize = 8;
/// Channels served in one round.
const ROUND: u32 = 100;
/// Time before the second attempt, milliseconds; doubled for each that follows.
const FIRST_WAIT_MS: i64 = 5_000;
/// Time between two attempts at most, milliseconds.
const MAX_WAIT_MS: i64 = 600_000;
/// After this time, a notification is no longer worth sending, milliseconds.
const GIVE_UP_MS: i64 = 24 * 3_600_000;

impl Monitoring {
    /// The tenant's channels, by name.
    pub async fn channels(&self, caller: &Caller) -> Result<Vec<Channel>, Error> {
        need(caller, Permission::TelemetryRead)?;
        Ok(self.0.alerts.channels(caller.tenant).await?)
    }

    /// Makes a channel.
    pub async fn add_channel(
        &self,
        ask: &Ask,
        (name, url): (String, String),
    ) -> Result<Channel, Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        named(&name)?;
        notify::address(&url).map_err(Error::BadRule)?;
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

    /// Removes a channel, with what was to be sent by it.
    pub async fn delete_channel(&self, ask: &Ask, id: ChannelId) -> Result<(), Error> {
        need(&ask.caller, Permission::AlertsWrite)?;
        let tenant = ask.caller.tenant;
        let known = self.0.alerts.channels(tenant).await?;
        if known.iter().all(|channel| channel.id != id) {
            return Err(Error::NoSuchChannel);
        }
        self.record(ask, "channel.delete", id.to_string(), String::new()).await?;
        if self.0.alerts.delete_channel(tenant, id).await? {
            Ok(())
        } else {
            Err(Error::NoSuchChannel)
        }
    }

    /// Returns when there may be something to deliver.
    pub(crate) async fn something_to_tell(&self) {
        self.0.wake.notified().await;
    }

    /// Tries to deliver everything that is due.
    pub(crate) async fn deliver(&self) -> Result<(), StoreError> {
        loop {
            let due = self.0.alerts.due(self.now_ms(), ROUND).await?;
            if due.is_empty() {
                return Ok(());
            }
            let tries = due.into_iter().map(|one| self.try_one(one));
            let results: Vec<_> = futures::stream::iter(tries).buffered(AT_ONCE).collect().await;
            results.into_iter().collect::<Result<(), _>>()?;
        }
    }

    async fn try_one(&self, one: Notification) -> Result<(), StoreError> {
        let Some(channel) = self.0.alerts.channel(one.channel).await? else {
            // Removed meanwhile, and its notifications with it.
            return Ok(());
        };
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
