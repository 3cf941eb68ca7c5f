//! Webhooks: what is sent, and where to. The body is Alertmanager's, version 4
//! (prometheus.io/docs/alerting/latest/configuration, `webhook_config`), so that what receives
//! Alertmanager's alerts receives ours.

use std::net::IpAddr;

use async_trait::async_trait;
use http::{HeaderValue, Method, Request, Uri, header};
use openframe_fault::BoxError;
use openframe_ids::ChannelId;
use openframe_mesh::{Connector, Peer};
use openframe_monitoring_api::{Webhook, WebhookAlert};
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use crate::app::alerting::time;
use crate::domain::alert::{Alert, Rule, State};

/// Bytes of an address at most.
const MAX_ADDRESS: usize = 2_000;

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It may be taken later.
    Temporary(String),
    /// It never will.
    Final(String),
}

/// Sends notifications.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Posts `body` to `url`; the receiver tells repeats by `key`.
    async fn post(&self, url: &str, key: &str, body: &str) -> Result<(), Refusal>;
}

/// Whether `text` may be posted to: `https`, or `http` on loopback; no user name in it.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let wrong = "`webhook_url` must be https://HOST/PATH, or http:// on loopback";
    if text.len() > MAX_ADDRESS {
        return Err(format!("`webhook_url` must have at most {MAX_ADDRESS} bytes"));
    }
    let url = Url::parse(text).map_err(|error| format!("{wrong}: {error}"))?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(wrong.to_owned()),
    };
    if !(url.scheme() == "https" || (url.scheme() == "http" && loopback)) {
        return Err(wrong.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`webhook_url` must have no user name or password".to_owned());
    }
    Ok(url)
}

/// Whether nothing that wants alerts lives there. Link-local addresses are where clouds hand out
/// credentials; private networks are allowed, as that is where chat servers live.
fn forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => forbidden(IpAddr::V4(ip)),
            None => ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local(),
        },
    }
}

#[async_trait]
impl Sender for Connector {
    async fn post(&self, url: &str, key: &str, body: &str) -> Result<(), Refusal> {
        let url = address(url).map_err(Refusal::Final)?;
        check_host(&url).await?;
        let uri: Uri = url.as_str().parse().map_err(|_| Refusal::Final("bad address".into()))?;
        let broken = |_| Refusal::Final("the key is no header value".to_owned());
        let mut request = Request::new(axum::body::Body::from(body.to_owned()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("openframe"));
        headers.insert("idempotency-key", HeaderValue::from_str(key).map_err(broken)?);
        let peer = Peer::Remote { base: origin(&uri)?, connector: Box::new(self.clone()) };
        // Redirects are not followed: they would lead around the checks above.
        let answer = peer.call(request).await;
        let status = answer.map_err(|fault| Refusal::Temporary(fault.to_string()))?.status();
        let why = format!("the receiver answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(Refusal::Temporary(why)),
            0..=199 | 300..=407 | 409..=424 | 426..=428 | 430..=499 | 600..=u16::MAX => {
                Err(Refusal::Final(why))
            }
        }
    }
}

async fn check_host(url: &Url) -> Result<(), Refusal> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found = found.map_err(|error| Refusal::Temporary(format!("{host}: {error}")))?;
    for address in found {
        if forbidden(address.ip()) {
            return Err(Refusal::Final(format!("{host} is at an address that is not allowed")));
        }
    }
    Ok(())
}

fn origin(uri: &Uri) -> Result<Uri, Refusal> {
    let bad = || Refusal::Final("bad address".to_owned());
    let (scheme, authority) = (uri.scheme().ok_or_else(bad)?, uri.authority().ok_or_else(bad)?);
    let made = Uri::builder().scheme(scheme.clone()).authority(authority.clone());
    made.path_and_query("/").build().map_err(|_| bad())
}

/// What tells this message from every other.
pub(crate) fn key(alert: &Alert, channel: ChannelId) -> String {
    let (rule, state, since) = (alert.rule, alert.state.as_str(), alert.active_ms);
    format!("{rule}-{}-{since}-{state}-{channel}", fingerprint(alert))
}

fn fingerprint(alert: &Alert) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &alert.labels {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.update([0]);
    }
    let hash = hash.finalize();
    let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// What is sent.
pub(crate) fn body(rule: &Rule, alert: &Alert, channel: ChannelId) -> Result<String, BoxError> {
    let definition = &rule.definition;
    let status = if alert.state == State::Resolved { "resolved" } else { "firing" };
    let mut labels = alert.labels.clone();
    labels.insert("alertname".to_owned(), definition.name.clone());
    labels.insert("severity".to_owned(), definition.severity.as_str().to_owned());
    let mut annotations = std::collections::BTreeMap::new();
    annotations.insert("summary".to_owned(), definition.summary.clone());
    annotations.insert("value".to_owned(), alert.value.to_string());
    let one = WebhookAlert {
        status: status.to_owned(),
        labels: labels.clone(),
        annotations: annotations.clone(),
        starts_at: time(alert.active_ms),
        ends_at: alert.resolved_ms.map(time),
        generator_url: String::new(),
        fingerprint: fingerprint(alert),
    };
    let message = Webhook {
        version: "4".to_owned(),
        group_key: format!("{}/{}", rule.id, fingerprint(alert)),
        truncated_alerts: 0,
        status: status.to_owned(),
        receiver: channel.to_string(),
        group_labels: labels.clone(),
        common_labels: labels,
        common_annotations: annotations,
        external_url: String::new(),
        alerts: vec![one],
    };
    Ok(serde_json::to_string(&message)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in ["https://chat.example/x?y=1", "http://127.0.0.1:9/x", "http://[::1]/x"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://chat.example/x",
            "ftp://127.0.0.1/",
            "https://",
            "https://me:pw@chat.example/",
            "not an address",
            "http://127.0.0.1.example/",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_sent_to_the_cloud_s_credentials() {
        let yes = ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"];
        for ip in yes {
            assert!(forbidden(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["10.0.0.1", "192.168.1.1", "127.0.0.1", "1.1.1.1", "2001:db8::1"] {
            assert!(!forbidden(ip.parse().unwrap()), "{ip}");
        }
    }
}
