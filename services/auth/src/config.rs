//! Settings of the auth service.

use std::path::PathBuf;

use openframe_tokens::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the auth service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address that devices reach the platform at, as written into the enrolment command. The
    /// executable fills it in when it is empty.
    pub agents_url: String,
    /// The address that people reach the platform at: what it calls itself to programs that ask for
    /// access (OAuth). The executable fills it in when it is empty.
    pub url: String,
    /// Minutes without a request after which a browser session ends.
    pub session_idle_minutes: u32,
    /// Hours after which a browser session ends in any case.
    pub session_hours: u32,
    /// How many passwords are hashed at the same time; each takes 19 MiB. 0 means one per core.
    pub password_hashers: u32,
    /// Seconds that a sign-in waits for its turn at hashing before it is told to come back.
    pub password_wait_seconds: u32,
    /// How many wrong passwords one network may send for one account in a row.
    pub login_burst: u32,
    /// Seconds until one more try is allowed after that.
    pub login_refill_seconds: u32,
    /// How many sign-ins and set-ups one network may try in a row, whatever the account.
    pub login_network_burst: u32,
    /// How many more it may try in a minute after that.
    pub login_network_per_minute: u32,
    /// How many sign-ins and set-ups everybody together may try in a row.
    pub login_total_burst: u32,
    /// How many more in a minute after that.
    pub login_total_per_minute: u32,
    /// How many wrong codes of an authenticator app may be sent for one person in a row, from anywhere.
    pub factor_burst: u32,
    /// Seconds until one more is allowed after that.
    pub factor_refill_seconds: u32,
    /// How many refused enrolments one network may try in a row; those that succeed cost nothing.
    pub enrol_network_burst: u32,
    /// How many more it may try in a minute after that.
    pub enrol_network_per_minute: u32,
    /// How many refused enrolments everybody together may try in a row.
    pub enrol_total_burst: u32,
    /// How many more in a minute after that.
    pub enrol_total_per_minute: u32,
    /// Days that a device may stay away after its certificate has ended, and still get a new one.
    pub recover_days: u32,
    /// Seconds between two clean-ups of ended sessions.
    pub cleanup_seconds: u32,
    /// The audit trail.
    pub audit: AuditConfig,
    /// Mail to people.
    pub mail: MailConfig,
    /// Directories that say who is there (SCIM).
    pub scim: ScimConfig,
}

/// Directories that say who is there (SCIM).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScimConfig {
    /// The role of people whom a directory adds.
    pub role: ScimRole,
    /// The most that somebody may hold whom a directory changes, disables or ends; no less than `role`.
    /// Nobody who holds more is in its hand, and never an owner.
    pub up_to: ScimRole,
}

/// A role that a directory may have to do with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScimRole {
    /// Nothing but grants that permit nothing.
    #[default]
    None,
    /// Looks, and changes nothing.
    ReadOnly,
    /// Works on devices and alerts.
    Technician,
}

impl ScimRole {
    /// The role.
    pub fn role(self) -> Role {
        match self {
            Self::None => Role::None,
            Self::ReadOnly => Role::ReadOnly,
            Self::Technician => Role::Technician,
        }
    }
}

/// Mail to people: links for who has forgotten a password, and word of what was changed. The server is
/// checked against the roots of webhooks (`webhook_roots`) and the platform's own. Links begin with
/// `url`, which must be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server, HOST:PORT (SMTP submission); no mail is sent when empty.
    pub server: String,
    /// The mail address that it comes from.
    pub from: String,
    /// How it is encrypted on its way to the server.
    pub tls: MailTls,
    /// Whom to sign in to the server as; nobody when empty.
    pub user: String,
    /// File with that user's password.
    pub password_file: PathBuf,
}

/// How mail is encrypted on its way to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// TLS from the start, as on port 465.
    #[default]
    Tls,
    /// TLS before anything else is said, as on port 587; a server that does not offer it gets no mail.
    Starttls,
    /// Not at all: for a server of this machine or its own network only.
    None,
}

/// The audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Hours after which the end of the trail is sealed by a checkpoint, if there is any new entry.
    pub checkpoint_hours: u32,
    /// How many new entries make a checkpoint before that.
    pub checkpoint_entries: u32,
    /// Where it is sent to as it grows.
    pub stream: StreamConfig,
}

/// Where the audit trail is sent to as it grows. Servers are checked against the roots of webhooks
/// (`webhook_roots`) and the platform's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamConfig {
    /// A syslog server, HOST:PORT (RFC 5424, with octet counting); none when empty.
    pub syslog: String,
    /// Whether that is over TLS (RFC 5425). Without, anybody on the way can read and change it.
    pub syslog_tls: bool,
    /// An address that batches are posted to as JSON, `https://HOST/PATH`; none when empty.
    pub webhook: String,
    /// File with the secret that those are signed with (HMAC-SHA-256), 16 bytes at least.
    pub webhook_secret_file: PathBuf,
}

impl Default for StreamConfig {
    fn default() -> Self {
        let (syslog, webhook, webhook_secret_file) = Default::default();
        Self { syslog, syslog_tls: true, webhook, webhook_secret_file }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { checkpoint_hours: 24, checkpoint_entries: 10_000, stream: StreamConfig::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            agents_url: String::new(),
            url: String::new(),
            session_idle_minutes: 30,
            session_hours: 12,
            password_hashers: 0,
            password_wait_seconds: 2,
            login_burst: 5,
            login_refill_seconds: 30,
            login_network_burst: 50,
            login_network_per_minute: 60,
            login_total_burst: 500,
            login_total_per_minute: 1200,
            factor_burst: 5,
            factor_refill_seconds: 300,
            enrol_network_burst: 1000,
            enrol_network_per_minute: 600,
            enrol_total_burst: 10_000,
            enrol_total_per_minute: 6000,
            recover_days: 90,
            cleanup_seconds: 300,
            audit: AuditConfig::default(),
            mail: MailConfig::default(),
            scim: ScimConfig::default(),
        }
    }
}
