//! Settings of the auth service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the auth service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address that devices reach the platform at, as written into the enrolment command. The
    /// executable fills it in when it is empty.
    pub agents_url: String,
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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            agents_url: String::new(),
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
            enrol_network_burst: 1000,
            enrol_network_per_minute: 600,
            enrol_total_burst: 10_000,
            enrol_total_per_minute: 6000,
            recover_days: 90,
            cleanup_seconds: 300,
        }
    }
}
