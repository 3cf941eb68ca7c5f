//! What a server uses with many devices.

use std::time::Duration;

use jiff::SignedDuration;
use openframe_sim::{Fleet, Plan};
use openframe_system::Server;

use crate::say;
use crate::usage::{cpu_us, rss_kib};

/// Watches a server with `devices` devices, each with 50 series every 10 s, for `seconds`.
pub(crate) async fn run(devices: usize, seconds: u64) -> anyhow::Result<()> {
    let mut server = Server::start()?;
    let pid = server.process().id();
    let idle = rss_kib(pid)?;
    let token = server.enrolment_token(u32::try_from(devices)?).await?;
    let interval = Duration::from_secs(10);
    let (series, seed) = (50, 7);
    let plan = Plan { devices, series, interval, cuts: 0, skew: SignedDuration::ZERO, seed };
    let fleet = Fleet::start(&server.agents_url, &token, plan).await?;
    // Every device has connected and reported once.
    tokio::time::sleep(interval * 2).await;
    let (before, connected) = (cpu_us(pid)?, rss_kib(pid)?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (used, after) = (cpu_us(pid)? - before, rss_kib(pid)?);
    let told = fleet.stop().await;
    let acknowledged: u64 = told.iter().map(|device| device.acknowledged).sum();
    let taken: u64 = told.iter().map(|device| device.taken).sum();
    let samples = u64::try_from(devices * series)? * seconds / interval.as_secs();
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    let cost = used as f64 / samples as f64;
    say("| what | figure |\n|---|---|");
    say(&format!("| server RSS, no device | {idle} KiB |"));
    say(&format!("| server RSS, {devices} devices connected | {connected} KiB |"));
    say(&format!("| server RSS, {seconds} s later | {after} KiB |"));
    say(&format!("| server CPU per sample, whole path of an agent | {cost:.2} µs |"));
    say(&format!("| snapshots taken, acknowledged | {taken}, {acknowledged} |"));
    Ok(())
}
