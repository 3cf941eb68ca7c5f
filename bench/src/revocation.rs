//! How long what was revoked still works, at whichever of two gateways: from the answer to the request that
//! revoked it to the first refusal at the last of them. Each is in use at both all the while, so that both
//! remember it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Body;
use futures::future::{BoxFuture, try_join, try_join_all};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, Request, StatusCode};
use openframe_auth_api::{NewApiKey, NewUser};
use openframe_mesh::Peer;
use openframe_sim::Lone;
use openframe_system::program::{Program, answer_of, bearer};
use openframe_system::{Server, peer_at};
use serde_json::json;
use tokio::sync::Notify;

use crate::say;

/// Tries at the same time.
const WORKERS: usize = 8;
/// Time between two requests with what is to be revoked.
const PAUSE: Duration = Duration::from_millis(10);
/// Who never gets refused is given up.
const LIMIT: Duration = Duration::from_mins(1);

/// The whole picture, and each gateway by itself.
struct Picture {
    server: Server,
    gateways: Vec<Peer>,
}

/// Something that opens the door, and what revokes it.
struct Pass<'a> {
    headers: HeaderMap,
    revoke: BoxFuture<'a, anyhow::Result<()>>,
}

impl Picture {
    fn start() -> anyhow::Result<Self> {
        let settings = [
            "auth.login_burst=1000000",
            "auth.login_network_burst=1000000",
            "auth.login_network_per_minute=1000000",
        ];
        let mut server = Server::start_on_clusters(&settings)?;
        let picture = server.picture().context("the whole picture runs")?;
        let address = |number| format!("http://{}:8443", picture.address(("gateway", number)));
        let gateways = [1, 2].map(|number| peer_at(&address(number)));
        Ok(Self { gateways: gateways.into_iter().collect::<anyhow::Result<_>>()?, server })
    }

    async fn session(&self, number: usize) -> anyhow::Result<Pass<'_>> {
        let auth = self.server.auth()?;
        let (email, password) = (format!("ann{number}@example.org"), "a good long one");
        let (name, role) = ("Ann".to_owned(), "technician".to_owned());
        let user = NewUser { email: email.clone(), name, role, password: password.to_owned() };
        let user = auth.create_user(&user).await?;
        let headers = openframe_system::program::signed_in(&self.server, (&email, password)).await;
        let sessions = auth.sessions(true).await?.items;
        let session = sessions.iter().find(|session| session.user_id == user.id);
        let session = session.context("the session is listed")?.id;
        Ok(Pass { headers, revoke: async move { Ok(auth.revoke_session(session).await?) }.boxed() })
    }

    async fn key(&self, number: usize) -> anyhow::Result<Pass<'_>> {
        let auth = self.server.auth()?;
        let (name, scopes) = (format!("key {number}"), vec!["devices:read".to_owned()]);
        let wanted = NewApiKey { name, scopes, expires_in_days: None };
        let made = auth.create_api_key(&wanted).await?;
        let revoke = async move { Ok(auth.revoke_api_key(made.key.id).await?) }.boxed();
        Ok(Pass { headers: bearer(&made.secret), revoke })
    }

    async fn program(&self, number: usize) -> anyhow::Result<Pass<'_>> {
        let auth = self.server.auth()?;
        let with = json!({ "name": format!("program {number}"), "own_behalf": true });
        let program = Program::register(&self.server, &with).await;
        let form = [("grant_type", "client_credentials"), ("scope", "devices:read")];
        let answer = answer_of(program.post(&self.server, "token", &form).await).await;
        let token = answer.pointer("/access_token").and_then(|token| token.as_str());
        let headers = bearer(token.context("an access token")?);
        let id = program.id.parse()?;
        let revoke = async move { Ok(auth.remove_oauth_client(id).await?) }.boxed();
        Ok(Pass { headers, revoke })
    }

    /// How long a pass still works.
    async fn revoked(&self, pass: Pass<'_>) -> anyhow::Result<Duration> {
        let used = Notify::new();
        let refusals = self.gateways.iter().map(|gateway| refused(gateway, &pass.headers, &used));
        let revoked = async {
            for _ in &self.gateways {
                used.notified().await;
            }
            pass.revoke.await?;
            Ok(openframe_clock::monotonic())
        };
        let (refused, revoked) = try_join(try_join_all(refusals), revoked).await?;
        let last = refused.into_iter().max().context("there are gateways")?;
        Ok(last.saturating_duration_since(revoked))
    }

    async fn device(&self) -> anyhow::Result<Duration> {
        let token = self.server.enrolment_token(1).await?;
        let device = Lone::enrol(&self.server.agents_url, &token).await?;
        let connected = Notify::new();
        let stay = async {
            device.stay(&connected).await?;
            Ok(openframe_clock::monotonic())
        };
        let path = format!("/api/auth/v1/devices/{}", device.id());
        let revoke = async {
            connected.notified().await;
            let mut request = Request::delete(&path).body(Body::empty())?;
            *request.headers_mut() = bearer(&self.server.key);
            let answer = self.server.peer()?.call(request).await?;
            anyhow::ensure!(answer.status().is_success(), "{}", answer.status());
            Ok(openframe_clock::monotonic())
        };
        let (refused, revoked) = try_join(stay, revoke).await?;
        Ok(refused.saturating_duration_since(revoked))
    }
}

/// Uses a pass until it is refused, and says when that was. `used` hears when it was let in first.
async fn refused(gateway: &Peer, headers: &HeaderMap, used: &Notify) -> anyhow::Result<Instant> {
    let (began, mut let_in) = (openframe_clock::monotonic(), false);
    while began.elapsed() < LIMIT {
        let mut request = Request::get("/api/devices/v1/devices?limit=1").body(Body::empty())?;
        *request.headers_mut() = headers.clone();
        match gateway.call(request).await?.status() {
            StatusCode::UNAUTHORIZED if let_in => return Ok(openframe_clock::monotonic()),
            StatusCode::OK if !let_in => {
                let_in = true;
                used.notify_one();
            }
            StatusCode::OK => {}
            other => anyhow::bail!("{other}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    anyhow::bail!("it still works after {LIMIT:?}")
}

fn row(what: &str, mut took: Vec<Duration>, bar: &str) {
    took.sort_unstable();
    let at = |share: usize| {
        let place = (took.len() * share).div_ceil(100).saturating_sub(1);
        took.get(place).copied().unwrap_or_default().as_millis()
    };
    let (tries, middle, late, last) = (took.len(), at(50), at(99), at(100));
    say(&format!("| {what} | {tries} | {middle} | {late} | {last} | {bar} |"));
}

/// Measures `tries` of each kind. The lab has to be up.
pub(crate) async fn run(tries: usize) -> anyhow::Result<()> {
    let picture = Picture::start()?;
    say(
        "| revoked | tries | p50, ms | p99, ms | longest, ms | bar, p99 |\n|---|---|---|---|---|---|",
    );
    let numbers = || futures::stream::iter(0..tries);
    let own = &picture;
    let took = numbers().map(|number| async move { own.revoked(own.session(number).await?).await });
    row("a session", took.buffer_unordered(WORKERS).try_collect().await?, "1000");
    let took = numbers().map(|number| async move { own.revoked(own.key(number).await?).await });
    row("an API key", took.buffer_unordered(WORKERS).try_collect().await?, "1000");
    let took = numbers().map(|number| async move { own.revoked(own.program(number).await?).await });
    row("a program", took.buffer_unordered(WORKERS).try_collect().await?, "1000");
    let took = numbers().map(|_| own.device());
    row("a device, its link", took.buffer_unordered(WORKERS).try_collect().await?, "2000");
    Ok(())
}
