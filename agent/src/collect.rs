//! What is measured, from `/proc`. Names follow OpenTelemetry's system semantic conventions in
//! their Prometheus translation.

use openframe_agent_api::link::{Label, Series, SeriesTable};
use procfs::{Current as _, CurrentSI as _};

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    name: &'static str,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

fn point(name: &'static str, value: f64) -> Point {
    Point { name, labels: Vec::new(), value }
}

fn labelled(name: &'static str, label: (&'static str, &str), value: f64) -> Point {
    Point { name, labels: vec![(label.0, label.1.to_owned())], value }
}

/// Everything that can be measured now. What cannot be read is left out.
pub fn collect() -> Vec<Point> {
    let mut points = Vec::new();
    points.extend(load().unwrap_or_default());
    points.extend(memory().unwrap_or_default());
    points.extend(cpu().unwrap_or_default());
    points.extend(network().unwrap_or_default());
    points
}

/// The table of the series of `points`, and their values in its order.
pub fn table(points: &[Point]) -> (SeriesTable, Vec<f64>) {
    let series = |point: &Point| Series {
        name: point.name.to_owned(),
        labels: point
            .labels
            .iter()
            .map(|(name, value)| Label { name: (*name).to_owned(), value: value.clone() })
            .collect(),
    };
    let table = SeriesTable { series: points.iter().map(series).collect() };
    (table, points.iter().map(|point| point.value).collect())
}

fn load() -> Option<Vec<Point>> {
    let load = procfs::LoadAverage::current().ok()?;
    let uptime = procfs::Uptime::current().ok()?;
    Some(vec![
        point("system_cpu_load_average_1m", f64::from(load.one)),
        point("system_cpu_load_average_5m", f64::from(load.five)),
        point("system_cpu_load_average_15m", f64::from(load.fifteen)),
        point("system_uptime_seconds", uptime.uptime),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a double holds any real memory size exactly")]
fn memory() -> Option<Vec<Point>> {
    let memory = procfs::Meminfo::current().ok()?;
    let cached = memory.cached + memory.buffers;
    let used = memory.mem_total.saturating_sub(memory.mem_free + cached);
    let name = "system_memory_usage_bytes";
    let available = memory.mem_available.unwrap_or(memory.mem_free);
    let busy = memory.mem_total.saturating_sub(available) as f64 / memory.mem_total.max(1) as f64;
    Some(vec![
        labelled(name, ("state", "used"), used as f64),
        labelled(name, ("state", "free"), memory.mem_free as f64),
        labelled(name, ("state", "cached"), cached as f64),
        point("system_memory_utilization_ratio", busy),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a double holds centuries of clock ticks exactly")]
fn cpu() -> Option<Vec<Point>> {
    let stat = procfs::KernelStats::current().ok()?;
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second().max(1) as f64;
    let total = &stat.total;
    let states = [
        ("user", total.user + total.nice),
        ("system", total.system),
        ("idle", total.idle),
        ("iowait", total.iowait.unwrap_or_default()),
        ("steal", total.steal.unwrap_or_default()),
    ];
    let name = "system_cpu_time_seconds_total";
    let mut points: Vec<Point> = states
        .into_iter()
        .map(|(state, ticks)| labelled(name, ("state", state), seconds(ticks)))
        .collect();
    points.push(point("system_cpu_logical_count", stat.cpu_time.len() as f64));
    Some(points)
}

#[expect(clippy::cast_precision_loss, reason = "a double holds petabytes exactly")]
fn network() -> Option<Vec<Point>> {
    let interfaces = procfs::net::dev_status().ok()?;
    let mut names: Vec<&String> = interfaces.keys().filter(|name| *name != "lo").collect();
    names.sort();
    let mut points = Vec::new();
    for name in names {
        let Some(status) = interfaces.get(name) else { continue };
        for (direction, bytes) in [("receive", status.recv_bytes), ("transmit", status.sent_bytes)]
        {
            points.push(Point {
                name: "system_network_io_bytes_total",
                labels: vec![("interface", name.clone()), ("direction", direction.to_owned())],
                value: bytes as f64,
            });
        }
    }
    Some(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_measured() {
        let points = collect();
        let memory = points.iter().find(|point| point.name == "system_memory_usage_bytes");
        assert!(memory.is_some_and(|point| point.value > 0.0), "{points:?}");
        let (table, values) = table(&points);
        assert_eq!(table.series.len(), values.len());
    }
}
