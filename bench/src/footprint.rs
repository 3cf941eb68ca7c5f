//! What an idle server and one idle agent use.

use std::time::Duration;

use openframe_system::Server;

use crate::say;
use crate::usage::{cpu_us, peak_kib, rss_kib, tcp_bytes, written_bytes};

/// Time before the watch begins: enrolment, the first inventory.
const SETTLE: Duration = Duration::from_secs(15);
const DAY_S: u64 = 86_400;

/// Watches both for `seconds`.
pub(crate) async fn run(seconds: u64) -> anyhow::Result<()> {
    let begun = openframe_clock::monotonic();
    let mut server = Server::start()?;
    let cold_ms = begun.elapsed().as_millis();
    let (mut agent, _) = server.agent().await?;
    let online_ms = begun.elapsed().as_millis();
    tokio::time::sleep(SETTLE).await;
    let (server_pid, agent_pid) = (server.process().id(), agent.process().id());
    let port = server.agents_url.rsplit(':').next().unwrap_or_default().to_owned();
    let cpu = (cpu_us(server_pid)?, cpu_us(agent_pid)?);
    let (net, disk) = (tcp_bytes(&port)?, written_bytes(agent_pid)?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let server_cpu = cpu_us(server_pid)? - cpu.0;
    let agent_cpu = cpu_us(agent_pid)? - cpu.1;
    let after = tcp_bytes(&port)?;
    let a_day = |bytes: u64| bytes * DAY_S / seconds / 1_000;
    #[expect(clippy::cast_precision_loss, reason = "a share of a processor")]
    let share = |us: u64| us as f64 / (seconds as f64 * 1e4);
    say("| what | figure |\n|---|---|");
    say(&format!("| server, start on an empty folder | {cold_ms} ms |"));
    say(&format!("| the same until the first device is online | {online_ms} ms |"));
    say(&format!("| server RSS, one device | {} KiB |", rss_kib(server_pid)?));
    say(&format!("| server RSS at most | {} KiB |", peak_kib(server_pid)?));
    say(&format!("| server CPU | {:.3} % of one |", share(server_cpu)));
    say(&format!("| agent RSS | {} KiB |", rss_kib(agent_pid)?));
    say(&format!("| agent RSS at most | {} KiB |", peak_kib(agent_pid)?));
    say(&format!("| agent CPU | {:.3} % of one |", share(agent_cpu)));
    say(&format!("| agent sends a day | {} kB |", a_day(after.0.saturating_sub(net.0))));
    say(&format!("| agent receives a day | {} kB |", a_day(after.1.saturating_sub(net.1))));
    let written = written_bytes(agent_pid)?.saturating_sub(disk);
    say(&format!("| agent writes to disk a day | {} kB |", a_day(written)));
    Ok(())
}
