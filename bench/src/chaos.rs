//! The failure matrix: every process of the whole picture is killed and started again, one at a time,
//! others are paused or cut off, under steady load. What was acknowledged must be there afterwards.

mod faults;
mod load;
mod tally;
mod verdict;

use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use openframe_lab::Lab;
use openframe_sim::{Fleet, Plan};
use openframe_system::Server;

use crate::say;
use faults::{Case, cases};
use load::Load;
use verdict::Verdict;

/// Devices that report, every second.
const DEVICES: usize = 50;
/// How long it goes well before and after each fault.
const CALM: Duration = Duration::from_secs(5);
/// How long what was killed stays away, and what is paused or cut off stays so.
const DOWN: Duration = Duration::from_secs(10);
const PAUSED: Duration = Duration::from_secs(20);

/// Runs the cases whose names have one of `only` in them, which are set apart by commas. Addresses are cut off in a network of its own only.
pub(crate) async fn run(only: &str, own_network: bool) -> anyhow::Result<()> {
    let lab = Lab::usual()?;
    lab.whole().await.context("the lab is not whole; start it with `cargo xtask lab up`")?;
    let settings = [
        "monitoring.evaluation_interval_s=1",
        "auth.login_burst=1000000",
        "auth.login_network_burst=1000000",
        "auth.login_network_per_minute=1000000",
    ];
    let mut server = Server::start_on_clusters(&settings)?;
    let token = server.enrolment_token(u32::try_from(DEVICES)?).await?;
    let plan = Plan {
        devices: DEVICES,
        series: 20,
        interval: Duration::from_secs(1),
        cuts: 0,
        skew: SignedDuration::ZERO,
        seed: 7,
    };
    let fleet = Fleet::start(&server.agents_url, &token, plan).await?;
    let load = Load::start(&server).await?;
    say(verdict::HEAD);
    let (mut bad, mut accepted) = (0, 0);
    let wanted = |case: &Case| only.split(',').any(|part| case.to_string().contains(part));
    for case in cases(own_network).into_iter().filter(wanted) {
        let verdict = one(&lab, &mut server, (&load, &case)).await;
        let verdict = verdict.with_context(|| format!("the case \"{case}\""))?;
        say(&verdict.line(&case.to_string()));
        bad += verdict.lost + verdict.doubled;
        accepted += verdict.commands;
    }
    load.stop().await;
    bad += of_devices(&server, fleet, accepted).await?;
    anyhow::ensure!(bad == 0, "{bad} acknowledged operations were lost or done twice");
    Ok(())
}

/// One case, from calm to calm.
async fn one(
    lab: &Lab,
    server: &mut Server,
    (load, case): (&Load, &Case),
) -> anyhow::Result<Verdict> {
    load.begin();
    tokio::time::sleep(CALM).await;
    let fault = case.begin(lab, server).await?;
    tokio::time::sleep(if case.kills() { DOWN } else { PAUSED }).await;
    let from = openframe_clock::monotonic();
    fault.end(lab, server).await?;
    faults::whole(lab, server).await?;
    let whole = from.elapsed();
    tokio::time::sleep(CALM).await;
    let measured = load.end();
    Verdict::of(server, load, measured, whole).await
}

/// What became of the devices' own snapshots and commands; returns how many were lost or done twice.
async fn of_devices(server: &Server, fleet: Fleet, accepted: u64) -> anyhow::Result<u64> {
    let told = fleet.stop().await;
    let kept = server.snapshots().await?;
    let (mut lost, mut doubled) = (0, 0);
    for device in &told {
        let kept = kept.get(&device.device.to_string()).copied().unwrap_or_default();
        lost += device.acknowledged.saturating_sub(kept);
        doubled += kept.saturating_sub(device.taken);
    }
    let sum = |of: fn(&openframe_sim::Told) -> u64| told.iter().map(of).sum::<u64>();
    let (acknowledged, ran) = (sum(|it| it.acknowledged), sum(|it| it.ran));
    say(&format!(
        "\nDevices: {acknowledged} snapshots acknowledged, {lost} lost, {doubled} doubled; \
         {accepted} commands known to be accepted, {ran} run, each once by its device."
    ));
    Ok(lost + doubled)
}
