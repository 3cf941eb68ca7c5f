//! What letting people and devices in costs: a password, beside argon2id alone, and a certificate.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use axum::body::Body;
use http::Request;
use openframe_sim::Lone;
use openframe_system::Server;
use serde_json::json;

use super::{Provider, WORKERS, measure, row};

/// Everybody asks from one address here.
pub(super) const SETTINGS: [&str; 4] = [
    "auth.login_burst=1000000",
    "auth.login_network_burst=1000000",
    "auth.login_total_burst=1000000",
    "auth.password_wait_seconds=60",
];
/// The cost that the auth service keeps passwords at: KiB, passes, lanes.
const PASSWORD_COST: (u32, u32, u32) = (19_456, 2, 1);
/// Hashes under way at the same time: as many as there are cores on the machines that figures are of.
const HASHERS: usize = 2;
/// Of the person who allowed the program.
const PASSWORD: &str = "a good long one";
/// As many as a token enrols at most; more than can be enrolled in a round.
const DEVICES: u32 = 10_000;

/// Sign-ins by password, and hashing alone.
pub(super) async fn logins(own: &Provider, seconds: u64) -> anyhow::Result<()> {
    let sign_in = |()| async {
        let body = json!({ "email": "ann@example.org", "password": PASSWORD }).to_string();
        let request = Request::post("/api/auth/v1/login")
            .header("content-type", "application/json")
            .body(Body::from(body))?;
        let status = own.peer.call(request).await?.status();
        anyhow::ensure!(status.is_success(), "{status}");
        Ok(())
    };
    let login = measure(&own.pids, seconds, vec![(); WORKERS], sign_in).await?;
    // Each with memory of its own, which it uses again.
    let hash = |memory| async { tokio::task::spawn_blocking(|| hash(memory)).await? };
    let raw = measure(&[std::process::id()], seconds, vec![Vec::new(); HASHERS], hash).await?;
    let share = raw.each_us / login.each_us;
    row("OpenFrame, login", &login, &format!("{share:.2} of argon2id alone; 0.90"));
    row("argon2id alone", &raw, "");
    Ok(())
}

fn hash(mut room: Vec<Block>) -> anyhow::Result<Vec<Block>> {
    let (memory, passes, lanes) = PASSWORD_COST;
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(anyhow::Error::msg)?;
    room.resize_with(params.block_count(), Block::default);
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    argon
        .hash_password_into_with_memory(
            PASSWORD.as_bytes(),
            &[7; 16],
            &mut out,
            room.as_mut_slice(),
        )
        .map_err(anyhow::Error::msg)?;
    std::hint::black_box(out);
    Ok(room)
}

/// Devices that enrol: the check of the token, the certificate, the device, and the audit trail.
pub(super) async fn certificates(
    server: &Server,
    own: &Provider,
    seconds: u64,
) -> anyhow::Result<()> {
    let token = server.enrolment_token(DEVICES).await?;
    let enrol = |()| async { Lone::enrol(&server.agents_url, &token).await.map(drop) };
    let cost = measure(&own.pids, seconds, vec![(); WORKERS], enrol).await?;
    row("OpenFrame, certificate", &cost, "1000");
    Ok(())
}
