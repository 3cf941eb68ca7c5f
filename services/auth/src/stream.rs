//! Where the audit trail is sent to as it grows: a syslog server, a webhook.
//!
//! Each destination is a [`Sink`] of its own that is given entries in order, and says which of them have
//! arrived; `app::streaming` keeps the place in the store and begins there again after any failure.

mod syslog;
mod webhook;

use async_trait::async_trait;
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_webhook::{Webhooks, address, host_only};

use crate::config::StreamConfig;
use crate::domain::Entry;
use syslog::Syslog;
use webhook::Webhook;

/// The least bytes of the secret that messages to a webhook are signed with.
const SECRET_MIN: usize = 16;

/// A destination.
#[async_trait]
pub(crate) trait Sink: Send + Sync + 'static {
    /// Its name, by which its place is kept.
    fn name(&self) -> &'static str;
    /// Where it is, without what may be a secret.
    fn to(&self) -> String;
    /// Sends entries, in their order. After a failure it is not known which have arrived.
    async fn send(&mut self, tenant: TenantId, entries: &[Entry]) -> Result<(), String>;
    /// The last place that has arrived, as far as is known; fails when what was sent may be lost.
    async fn arrived(&mut self) -> Result<Option<u64>, String>;
}

/// Every destination that is configured.
#[derive(Default)]
pub struct Streams(pub(crate) Vec<Box<dyn Sink>>);

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|sink| sink.name())).finish()
    }
}

impl Streams {
    /// Reads the settings: `tls` is what servers are checked by, `secret` what messages to the webhook
    /// are signed with, at the time that `clock` tells. Says what is wrong with them.
    pub fn of(
        config: &StreamConfig,
        tls: &rustls::ClientConfig,
        (secret, clock): (&str, Clock),
    ) -> Result<Self, String> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if !config.syslog.is_empty() {
            let tls = config.syslog_tls.then(|| tls.clone());
            sinks.push(Box::new(Syslog::new(&config.syslog, tls)?));
        }
        if !config.webhook.is_empty() {
            address("auth.audit.stream.webhook", &config.webhook)?;
            if secret.len() < SECRET_MIN {
                return Err(format!(
                    "`auth.audit.stream.webhook_secret_file` must hold at least {SECRET_MIN} bytes"
                ));
            }
            let (to, sender) = (host_only(&config.webhook), Webhooks::new(tls.clone()));
            let url = config.webhook.clone();
            sinks.push(Box::new(Webhook::new((url, to), (secret, clock), sender)));
        }
        Ok(Self(sinks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_the_settings_is_told() {
        let roots = rustls::RootCertStore::empty();
        openframe_pki::install_provider();
        let tls =
            rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let read = |syslog: &str, webhook: &str, secret: &str| {
            let (syslog, webhook) = (syslog.to_owned(), webhook.to_owned());
            let config = StreamConfig { syslog, webhook, ..StreamConfig::default() };
            Streams::of(&config, &tls, (secret, Clock::system()))
        };
        let secret = "sixteen bytes...";
        assert!(read("", "", "").unwrap().0.is_empty());
        let both = read("logs.example:6514", "https://siem.example/x", secret).unwrap();
        assert_eq!(format!("{both:?}"), r#"["syslog", "webhook"]"#);
        assert_eq!(both.0[1].to(), "https://siem.example/\u{2026}");
        for (syslog, webhook, secret, told) in [
            ("logs.example", "", "", "syslog"),
            ("", "http://siem.example/x", secret, "stream.webhook"),
            ("", "https://siem.example/x", "short", "webhook_secret_file"),
        ] {
            let wrong = read(syslog, webhook, secret).unwrap_err();
            assert!(wrong.contains(told), "{wrong}");
        }
    }
}
