//! Webhooks: what is sent, and where to. The body is Alertmanager's, version 4
//! (prometheus.io/docs/alerting/latest/configuration, `webhook_config`), so that what receives
//! Alertmanager's alerts receives ours.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use http::{HeaderValue, Request, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use openframe_fault::BoxError;
use openframe_ids::ChannelId;
use openframe_monitoring_api::{Webhook, WebhookAlert};
use openframe_promql::format_value;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use crate::app::alerting::time;
use crate::domain::alert::{Alert, Rule, State};

/// Bytes of an address at most.
const MAX_ADDRESS: usize = 2_000;

/// Alerts in one message at most; how many more there are is said in it.
const MAX_TOLD: usize = 100;
/// How long one delivery may take, the look-up of the name included.
const DEADLINE: Duration = Duration::from_secs(10);

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

/// An address without what may be a secret in it.
pub(crate) fn host_only(text: &str) -> String {
    let url = Url::parse(text).ok();
    let host = url.as_ref().and_then(|url| Some((url.scheme(), url.host_str()?)));
    host.map_or_else(String::new, |(scheme, host)| format!("{scheme}://{host}/…"))
}

/// Whether nothing that wants alerts lives there. At link-local addresses, and at one of Amazon's
/// own, clouds hand out credentials; private networks are allowed, as that is where chat servers
/// live.
fn forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            let metadata = ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            let local = ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local();
            metadata || local || inner(ip).is_some_and(|ip| forbidden(IpAddr::V4(ip)))
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64 (RFC 6052, and the
/// local range of RFC 8215), 6to4.
fn inner(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = || {
        let [.., a, b, c, d] = ip.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, ..] => Some(low()),
        [0, 0, 0, 0, 0, 0, high, last] if high != 0 || last > 1 => Some(low()),
        [0x2002, high, last, ..] => {
            let [[a, b], [c, d]] = [high, last].map(u16::to_be_bytes);
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// Looks names up, and leaves out addresses that are not allowed: what is connected to is what was
/// checked.
#[derive(Debug, Clone, Copy)]
struct Allowed;

impl tower::Service<Name> for Allowed {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| !forbidden(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::other(NotAllowed));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the host is at an address that is not allowed")]
struct NotAllowed;

/// Posts to webhooks. Cheap to clone: clones share the connections.
#[derive(Clone)]
pub struct Webhooks(Client<HttpsConnector<HttpConnector<Allowed>>, Body>);

impl Webhooks {
    /// Trusts the servers that `tls` trusts.
    pub fn new(tls: rustls::ClientConfig) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Allowed);
        connector.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    async fn send(&self, request: Request<Body>) -> Result<(), Refusal> {
        // Redirects are not followed: they would lead around the check of the address.
        let answer = self.0.request(request).await;
        let status = answer.map_err(|error| Refusal::Temporary(reason(&error)))?.status();
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

/// The last of the causes, which says most.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

#[async_trait]
impl Sender for Webhooks {
    async fn post(&self, url: &str, key: &str, body: &str) -> Result<(), Refusal> {
        let url = address(url).map_err(Refusal::Final)?;
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) | None => None,
        };
        // Nothing is looked up for these.
        if literal.is_some_and(forbidden) {
            return Err(Refusal::Final(NotAllowed.to_string()));
        }
        let request = Request::post(url.as_str())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::USER_AGENT, HeaderValue::from_static("openframe"))
            .header("idempotency-key", key)
            .body(Body::from(body.to_owned()))
            .map_err(|error| Refusal::Final(error.to_string()))?;
        let answer = tokio::time::timeout(DEADLINE, self.send(request)).await;
        answer.unwrap_or_else(|_| {
            let seconds = DEADLINE.as_secs();
            Err(Refusal::Temporary(format!("the receiver did not answer within {seconds} s")))
        })
    }
}

/// What tells this message, about alerts of one rule in one state, from every other.
pub(crate) fn key(alerts: &[&Alert], now_ms: i64, channel: ChannelId) -> String {
    let Some(first) = alerts.first() else { return String::new() };
    let (rule, state) = (first.rule, first.state.as_str());
    let mut hash = Sha256::new();
    for alert in alerts {
        hash.update(fingerprint(alert));
        hash.update(alert.active_ms.to_le_bytes());
    }
    format!("{rule}-{}-{now_ms}-{state}-{channel}", short(hash))
}

fn fingerprint(alert: &Alert) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &alert.labels {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.update([0]);
    }
    short(hash)
}

fn short(hash: Sha256) -> String {
    let hash = hash.finalize();
    let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// What is sent about alerts of one rule in one state.
pub(crate) fn body(rule: &Rule, alerts: &[&Alert], channel: ChannelId) -> Result<String, BoxError> {
    let told: Vec<_> = alerts.iter().take(MAX_TOLD).map(|alert| told(rule, alert)).collect();
    let resolved = alerts.iter().all(|alert| alert.state == State::Resolved);
    let name = ("alertname".to_owned(), rule.definition.name.clone());
    let message = Webhook {
        version: "4".to_owned(),
        group_key: rule.id.to_string(),
        truncated_alerts: u32::try_from(alerts.len() - told.len()).unwrap_or(u32::MAX),
        status: if resolved { "resolved" } else { "firing" }.to_owned(),
        receiver: channel.to_string(),
        group_labels: [name].into(),
        common_labels: shared(told.iter().map(|alert| &alert.labels)),
        common_annotations: shared(told.iter().map(|alert| &alert.annotations)),
        external_url: String::new(),
        alerts: told,
    };
    Ok(serde_json::to_string(&message)?)
}

fn told(rule: &Rule, alert: &Alert) -> WebhookAlert {
    let definition = &rule.definition;
    let mut labels = alert.labels.clone();
    labels.insert("alertname".to_owned(), definition.name.clone());
    labels.insert("severity".to_owned(), definition.severity.as_str().to_owned());
    let annotations = [
        ("summary".to_owned(), definition.summary.clone()),
        ("value".to_owned(), format_value(alert.value)),
    ];
    WebhookAlert {
        status: if alert.state == State::Resolved { "resolved" } else { "firing" }.to_owned(),
        labels,
        annotations: annotations.into(),
        starts_at: time(alert.active_ms),
        ends_at: alert.resolved_ms.map(time),
        generator_url: String::new(),
        fingerprint: fingerprint(alert),
    }
}

/// What all have in common.
fn shared<'a>(
    mut all: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut common = all.next().cloned().unwrap_or_default();
    for other in all {
        common.retain(|name, value| other.get(name) == Some(value));
    }
    common
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
        for ip in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fe80::1",
            "::",
            "0.0.0.0",
            "224.0.0.1",
        ] {
            assert!(forbidden(ip.parse().unwrap()), "{ip}");
        }
        for ip in
            ["10.0.0.1", "192.168.1.1", "127.0.0.1", "1.1.1.1", "2001:db8::1", "::1", "fd00::1"]
        {
            assert!(!forbidden(ip.parse().unwrap()), "{ip}");
        }
    }
    fn alert(device: &str, state: State) -> Alert {
        let labels = [("device".to_owned(), device.to_owned()), ("job".to_owned(), "a".to_owned())];
        Alert {
            rule: openframe_ids::RuleId(uuid::Uuid::from_u128(1)),
            labels: labels.into(),
            state,
            value: f64::INFINITY,
            active_ms: 5,
            fired_ms: Some(6),
            resolved_ms: None,
        }
    }

    #[test]
    fn alerts_of_one_rule_share_a_message() {
        let channel = ChannelId(uuid::Uuid::from_u128(2));
        let definition = crate::domain::alert::Definition {
            name: "hot".to_owned(),
            expr: "up".to_owned(),
            for_s: 0,
            severity: crate::domain::alert::Severity::Critical,
            summary: "cool it".to_owned(),
            channels: vec![channel],
        };
        let rule = openframe_ids::RuleId(uuid::Uuid::from_u128(1));
        let tenant = openframe_ids::TenantId(uuid::Uuid::from_u128(3));
        let rule = Rule { id: rule, tenant, definition, created_ms: 0 };
        let alerts: Vec<_> = (0..103).map(|n| alert(&n.to_string(), State::Firing)).collect();
        let alerts: Vec<_> = alerts.iter().collect();
        let message: Webhook =
            serde_json::from_str(&body(&rule, &alerts, channel).unwrap()).unwrap();
        assert_eq!((message.alerts.len(), message.truncated_alerts), (MAX_TOLD, 3));
        let common = [("alertname", "hot"), ("job", "a"), ("severity", "critical")];
        assert!(message.common_labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq(common));
        assert_eq!(message.alerts[0].annotations["value"], "+Inf");
        let one = key(&alerts, 9, channel);
        assert_eq!(one, key(&alerts, 9, channel));
        assert_ne!(one, key(&alerts[1..], 9, channel));
        assert_ne!(one, key(&alerts, 10, channel));
    }

    #[test]
    fn an_address_is_shown_without_its_secret() {
        for (url, want) in [
            ("https://chat.example/hooks/T0/secret?x=y", "https://chat.example/…"),
            ("http://127.0.0.1:9/x", "http://127.0.0.1/…"),
            ("nonsense", ""),
        ] {
            assert_eq!(host_only(url), want);
        }
    }

    #[tokio::test]
    async fn what_is_connected_to_was_checked() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let trust = rustls::RootCertStore::empty();
        let tls =
            rustls::ClientConfig::builder().with_root_certificates(trust).with_no_client_auth();
        let sender = Webhooks::new(tls);
        let refused = sender.post("https://[64:ff9b::a9fe:a9fe]/", "key", "{}").await.unwrap_err();
        assert_eq!(refused, Refusal::Final(NotAllowed.to_string()));
        let mut allowed = Allowed;
        let found = tower::Service::call(&mut allowed, "localhost".parse().unwrap());
        assert!(found.await.unwrap().all(|address| address.ip().is_loopback()));
        let name = "169.254.169.254".parse().unwrap();
        assert!(tower::Service::call(&mut allowed, name).await.is_err());
    }
}
