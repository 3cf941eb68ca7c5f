//! What it costs the gateway to know who asks, once it remembers.
//!
//! The auth service answers the first time, in this process; what is measured is each time after that.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::Request;
use openframe_auth::store::MemoryStore;
use openframe_auth::{Config, Deps, JoinKeys, Mailer, Running, Stores, Streams, Webhooks};
use openframe_auth_api::AuthClient;
use openframe_clock::Clock;
use openframe_gateway::Identity;
use openframe_ids::TenantId;
use openframe_mesh::Client;
use openframe_mesh::identity::service_credential;
use openframe_pki::Authority;
use openframe_tokens::internal::Minter;
use prometheus_client::registry::Registry;

use crate::{say, usage};

/// How long an answer is believed: no longer than gateways do.
const BELIEVE: Duration = Duration::from_secs(1);
/// Requests between two looks at the clock.
const BATCH: u32 = 1_000;

fn auth_service(minter: &Minter, clock: Clock, tenant: TenantId) -> anyhow::Result<Running> {
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let deps = Deps {
        store: Stores::of(&MemoryStore::default()),
        authority: Arc::new(Authority::create(clock.now())?.0),
        clock,
        verifier: minter.verifier("auth"),
        tenant,
        joins: JoinKeys::new([]),
        streams: Streams::default(),
        webhooks: Webhooks::new(tls),
        mailer: Mailer::default(),
        metrics: &mut Registry::default(),
    };
    Ok(openframe_auth::start(Config::default(), deps))
}

/// Measures for `seconds`.
pub(crate) async fn run(seconds: u64) -> anyhow::Result<()> {
    openframe_pki::install_provider();
    let (minter, clock, tenant) = (Minter::generate(), Clock::system(), TenantId::new());
    let auth = auth_service(&minter, clock.clone(), tenant)?;
    let key = openframe_auth::new_bootstrap_secret();
    anyhow::ensure!(auth.app.bootstrap(&key).await?, "somebody was there before");
    let credential = service_credential(minter.clone(), clock.clone(), ("gateway", "auth"), tenant);
    let client = AuthClient::new(Client::new(auth.router.clone().into(), credential));
    let identity = Identity::new(client, minter, clock, BELIEVE);
    let resolve = async || {
        let request = Request::get("/api/devices/v1/devices").header("host", "openframe.example");
        let mut request = request.header("authorization", format!("Bearer {key}")).body(())?;
        let found = identity.resolve(&mut request, "192.0.2.1").await;
        let (resolved, _) = found.map_err(|fault| anyhow::anyhow!("{fault}"))?;
        resolved.caller.user().context("nobody asks")
    };
    let person = resolve().await?;
    let (began, cpu) = (openframe_clock::monotonic(), usage::cpu_us(std::process::id())?);
    let mut done = 0_u32;
    while began.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..BATCH {
            anyhow::ensure!(resolve().await? == person, "somebody else asks");
        }
        done += BATCH;
    }
    let spent = f64::from(u32::try_from(usage::cpu_us(std::process::id())? - cpu)?);
    let each = spent / f64::from(done);
    say(&format!(
        "who asks, remembered: {each:.2} µs of CPU, {:.0} per second of CPU (bar 200,000)",
        1e6 / each
    ));
    auth.stop.cancel();
    Ok(())
}
