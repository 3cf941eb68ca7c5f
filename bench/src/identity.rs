//! What a token costs: processor time of the auth service on PostgreSQL, beside oidc-provider.
//!
//! The whole picture runs, so what is counted of the auth service is all that a request costs it: the
//! connection of the mesh, the check of who asks, the statement, the commit.

mod entry;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use http::Request;
use http_body_util::BodyExt as _;
use openframe_mesh::Peer;
use openframe_system::program::{FORM, Program};
use openframe_system::{Server, peer_at, until};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::{say, usage};

/// Requests under way at the same time.
const WORKERS: usize = 32;

/// An authorization server, what shows who asks it, and the processes that answer.
struct Provider {
    peer: Peer,
    base: &'static str,
    basic: String,
    pids: Vec<u32>,
}

/// What one kind of request costs.
struct Cost {
    /// Processor time of the provider for each request, microseconds.
    each_us: f64,
    /// Requests answered in a second.
    rate: f64,
}

impl Provider {
    /// Posts a form; fails unless it is answered well.
    async fn post(&self, endpoint: &str, pairs: &[(&str, &str)]) -> anyhow::Result<Value> {
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = Request::post(format!("{}/{endpoint}", self.base))
            .header("content-type", FORM)
            .header("authorization", &self.basic)
            .body(Body::from(form))?;
        let answer = self.peer.call(request).await?;
        let status = answer.status();
        let text = answer.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&text));
        Ok(serde_json::from_slice(&text)?)
    }

    async fn own_token(&self) -> anyhow::Result<String> {
        let form = [("grant_type", "client_credentials")];
        text(&self.post("token", &form).await?, "access_token")
    }

    async fn own_tokens(&self, seconds: u64) -> anyhow::Result<Cost> {
        let work = |()| async { self.own_token().await.map(drop) };
        measure(&self.pids, seconds, vec![(); WORKERS], work).await
    }

    async fn introspections(&self, seconds: u64) -> anyhow::Result<Cost> {
        let token = self.own_token().await?;
        let work = |()| async {
            let answer = self.post("introspect", &[("token", &token)]).await?;
            anyhow::ensure!(answer.get("active") == Some(&json!(true)), "{answer}");
            Ok(())
        };
        measure(&self.pids, seconds, vec![(); WORKERS], work).await
    }

    async fn refreshes(&self, seconds: u64, first: Vec<String>) -> anyhow::Result<Cost> {
        let work = |token: String| async move {
            let form = [("grant_type", "refresh_token"), ("refresh_token", &token)];
            text(&self.post("token", &form).await?, "refresh_token")
        };
        measure(&self.pids, seconds, first, work).await
    }
}

fn cpu_us(pids: &[u32]) -> anyhow::Result<u64> {
    pids.iter().map(|pid| usage::cpu_us(*pid)).sum()
}

/// Has every worker do `work` again and again for `seconds`, each from where it began, and counts the
/// processor time of `pids`.
async fn measure<T, F>(
    pids: &[u32],
    seconds: u64,
    begin: Vec<T>,
    work: impl Fn(T) -> F + Copy,
) -> anyhow::Result<Cost>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let (began, cpu) = (openframe_clock::monotonic(), cpu_us(pids)?);
    let end = began + Duration::from_secs(seconds);
    let workers = begin.into_iter().map(|mut state| async move {
        let mut done = 0_u32;
        while openframe_clock::monotonic() < end {
            state = work(state).await?;
            done += 1;
        }
        anyhow::Ok(done)
    });
    let done: u32 = try_join_all(workers).await?.into_iter().sum();
    let cpu = u32::try_from(cpu_us(pids)? - cpu)?;
    let (done, took) = (f64::from(done.max(1)), began.elapsed().as_secs_f64());
    Ok(Cost { each_us: f64::from(cpu) / done, rate: done / took })
}

fn text(answer: &Value, name: &str) -> anyhow::Result<String> {
    let text = answer.get(name).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("no {name}"))
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A program that may do everything that is measured, as the provider's own.
async fn ours(server: &mut Server) -> anyhow::Result<(Provider, Program)> {
    let with = json!({ "own_behalf": true });
    let program = Program::register(server, &with).await;
    let secret = program.secret.as_deref().context("a secret")?;
    let basic = basic(&program.id, secret);
    let peer = peer_at(&server.url)?;
    let picture = server.picture().context("the whole picture runs")?;
    let pids = [1, 2].map(|number| Ok(picture.process(("auth", number))?.id()));
    let pids = pids.into_iter().collect::<anyhow::Result<_>>()?;
    Ok((Provider { peer, base: "/t/main", basic, pids }, program))
}

/// A refresh token for each worker.
async fn refresh_tokens(server: &Server, program: &Program) -> anyhow::Result<Vec<String>> {
    let person = program.person(server).await;
    let mut tokens = Vec::new();
    for _ in 0..WORKERS {
        let code = program.code(server, &person).await;
        let answer = program.exchange(server, &code).await.into_body().collect().await?.to_bytes();
        tokens.push(text(&serde_json::from_slice(&answer)?, "refresh_token")?);
    }
    Ok(tokens)
}

/// oidc-provider, killed when dropped.
struct Peered {
    child: Child,
    provider: Provider,
}

impl Drop for Peered {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn peered(folder: &Path) -> anyhow::Result<Peered> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (id, secret) = ("bench", "a secret of the bench");
    let child = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/oidc-provider.mjs"))
        .arg(folder)
        .args([&port.to_string(), id, secret])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("Node.js is not there")?;
    // Its own form of the header: both parts are encoded as in a form (RFC 6749, 2.3.1).
    let basic = basic(id, "a+secret+of+the+bench");
    let peer = peer_at(&format!("http://127.0.0.1:{port}"))?;
    let provider = Provider { peer, base: "", basic, pids: vec![child.id()] };
    let peered = Peered { child, provider };
    until("oidc-provider", || async { peered.provider.own_token().await.ok() }).await;
    Ok(peered)
}

/// Where oidc-provider has its introspection: `/token/introspection`.
async fn their_introspections(theirs: &Provider, seconds: u64) -> anyhow::Result<Cost> {
    let token = theirs.own_token().await?;
    let work =
        |()| async { theirs.post("token/introspection", &[("token", &token)]).await.map(drop) };
    measure(&theirs.pids, seconds, vec![(); WORKERS], work).await
}

fn row(what: &str, cost: &Cost, bar: &str) {
    let per_second = 1e6 / cost.each_us;
    say(&format!("| {what} | {:.0} | {per_second:.0} | {:.0} | {bar} |", cost.each_us, cost.rate));
}

/// Measures both, one after the other. The lab has to be up.
pub(crate) async fn run(seconds: u64, oidc_provider: Option<&Path>) -> anyhow::Result<()> {
    openframe_pki::install_provider();
    let mut server = Server::start_on_clusters(&entry::SETTINGS)?;
    let (own, program) = ours(&mut server).await?;
    let idle: Vec<u64> =
        own.pids.iter().map(|pid| usage::rss_kib(*pid)).collect::<Result<_, _>>()?;
    let first = refresh_tokens(&server, &program).await?;
    say("| what | µs of CPU | per second of CPU | per second | bar |\n|---|---|---|---|---|");
    own.own_tokens(2).await?;
    row("OpenFrame, client_credentials", &own.own_tokens(seconds).await?, "1500");
    row("OpenFrame, refresh", &own.refreshes(seconds, first).await?, "1000");
    row("OpenFrame, introspection", &own.introspections(seconds).await?, "4000");
    entry::logins(&own, seconds).await?;
    entry::certificates(&server, &own, seconds).await?;
    let peak: Vec<u64> =
        own.pids.iter().map(|pid| usage::peak_kib(*pid)).collect::<Result<_, _>>()?;
    if let Some(folder) = oidc_provider {
        let theirs = peered(folder).await?;
        theirs.provider.own_tokens(2).await?;
        let cost = theirs.provider.own_tokens(seconds).await?;
        row("oidc-provider, client_credentials", &cost, "");
        row(
            "oidc-provider, introspection",
            &their_introspections(&theirs.provider, seconds).await?,
            "",
        );
    }
    say(&format!("\nRSS of the auth replicas, KiB: {idle:?} idle, {peak:?} at most."));
    Ok(())
}
