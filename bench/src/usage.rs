//! What a process uses, from /proc (man 5 proc).

use std::fs;

use anyhow::Context as _;

/// CPU time of a process so far, user and kernel, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(") ").context("stat has a name")?;
    // Fields 14 and 15 of the line, the first after the name being field 3.
    let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok(ticks * 10_000)
}

/// Resident memory of a process, KiB.
pub(crate) fn rss_kib(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, KiB.
pub(crate) fn peak_kib(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Bytes that a process has written to files so far.
pub(crate) fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("no such line")?.parse()?)
}

/// Bytes sent and received by the TCP connections to `port`, as `ss` counts them at the client.
pub(crate) fn tcp_bytes(port: &str) -> anyhow::Result<(u64, u64)> {
    let mut command = std::process::Command::new("ss");
    let output = command.args(["-tinH", "dport", "=", &format!(":{port}")]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sum = |name: &str| -> u64 {
        let fields = text.split_whitespace().filter_map(|field| field.strip_prefix(name));
        fields.filter_map(|value| value.parse::<u64>().ok()).sum()
    };
    Ok((sum("bytes_sent:"), sum("bytes_received:")))
}
