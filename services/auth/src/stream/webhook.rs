//! Entries as JSON, a batch a request, signed: HMAC-SHA-256 over the time and the body.

use async_trait::async_trait;
use aws_lc_rs::hmac;
use http::HeaderName;
use openframe_auth_api::{AuditBatch, SIGNATURE};
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_webhook::{Post, Refusal, Webhooks};

use super::Sink;
use crate::app::{hex, told};
use crate::domain::Entry;

/// A webhook.
pub(super) struct Webhook {
    url: String,
    to: String,
    key: hmac::Key,
    sender: Webhooks,
    clock: Clock,
    arrived: Option<u64>,
}

impl Webhook {
    pub(super) fn new(
        (url, to): (String, String),
        (secret, clock): (&str, Clock),
        sender: Webhooks,
    ) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self { url, to, key, sender, clock, arrived: None }
    }

    /// `t=TIME,v1=SIGNATURE`: what is signed is the time, a dot and the body, so that a message cannot
    /// be played back much later.
    fn signature(&self, body: &str) -> String {
        let t = self.clock.now().as_second();
        let tag = hmac::sign(&self.key, format!("{t}.{body}").as_bytes());
        format!("t={t},v1={}", hex(tag.as_ref()))
    }
}

#[async_trait]
impl Sink for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn to(&self) -> String {
        self.to.clone()
    }

    async fn send(&mut self, tenant: TenantId, entries: &[Entry]) -> Result<(), String> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let batch =
            AuditBatch { tenant_id: tenant, entries: entries.iter().cloned().map(told).collect() };
        let body = serde_json::to_string(&batch).map_err(|error| error.to_string())?;
        let key = format!("{tenant}-{}-{}", first.seq, last.seq);
        let headers = [(HeaderName::from_static(SIGNATURE), self.signature(&body))];
        let post = Post { url: &self.url, key: &key, body: &body, headers: &headers };
        // None is left out, whatever the answer: a receiver that is mended gets all of them.
        self.sender.post(post).await.map_err(|refusal| match refusal {
            Refusal::Temporary(why) | Refusal::Final(why) => why,
        })?;
        self.arrived = Some(last.seq);
        Ok(())
    }

    async fn arrived(&mut self) -> Result<Option<u64>, String> {
        Ok(self.arrived)
    }
}
