//! Puts the service together. Binds nothing.

use std::sync::Arc;
use std::time::Duration;

use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_pki::Authority;
use openframe_tokens::internal::Verifier;
use openframe_webhook::Webhooks;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{JoinKeys, Stream};
use crate::{Auth, Config, Mailer, Stores, Streams, http, tasks};

/// What the service needs from outside.
pub struct Deps<'a> {
    /// Where everything is kept.
    pub store: Stores,
    /// What signs certificates.
    pub authority: Arc<Authority>,
    /// The time.
    pub clock: Clock,
    /// Reads internal tokens for the audience `auth`.
    pub verifier: Verifier,
    /// The tenant that people sign in to.
    pub tenant: TenantId,
    /// Where the audit trail is sent to.
    pub streams: Streams,
    /// What clients are told by that a session has ended.
    pub webhooks: Webhooks,
    /// What mail is sent by.
    pub mailer: Mailer,
    /// How the services of other processes join.
    pub joins: JoinKeys,
    /// Where metrics are registered.
    pub metrics: &'a mut Registry,
}

/// The service at work.
#[derive(Debug)]
pub struct Running {
    /// Answers requests.
    pub router: axum::Router,
    /// The service itself, for the executable.
    pub app: Auth,
    /// Background work; ends after `stop` is cancelled.
    pub tasks: TaskTracker,
    /// Stops the background work.
    pub stop: CancellationToken,
}

/// Starts the service. Must be called inside a tokio runtime.
pub fn start(config: Config, deps: Deps<'_>) -> Running {
    let every = Duration::from_secs(config.cleanup_seconds.max(1).into());
    let clock = deps.clock.clone();
    let app = Auth::new(config, (deps.store, deps.authority, deps.clock, deps.tenant));
    let app = app.joined_by(deps.joins).sending_to(&deps.streams);
    let app = app.mailing_by(&deps.mailer).asking_by(deps.webhooks.clone());
    app.metrics.register(deps.metrics);
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(tasks::clean_up(app.clone(), every, stop.clone()));
    tasks.spawn(tasks::tell_refusals(app.clone(), stop.clone()));
    tasks.spawn(tasks::make_checkpoints(app.clone(), stop.clone()));
    if app.has_issuer() {
        tasks.spawn(tasks::tell_logouts(app.clone(), deps.webhooks, stop.clone()));
    }
    if app.sends_mail() {
        tasks.spawn(tasks::send_mail(app.clone(), stop.clone()));
    }
    for sink in deps.streams.0 {
        tasks.spawn(tasks::stream(app.clone(), Stream::new(sink), stop.clone()));
    }
    let router = http::router(app.clone(), deps.verifier, clock);
    Running { router, app, tasks, stop }
}
