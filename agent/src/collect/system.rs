//! Load, memory, processor, network, pressure, temperatures and processes.

use std::fs;

use procfs::{Current as _, CurrentSI as _};

use super::{MANY, Measured, Point, count, labelled, point};

/// What derived values need of the last measurement.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Ticks the processors were busy, and all ticks.
    cpu: Option<Ticks>,
    /// The same of each.
    cores: Vec<Ticks>,
}

/// What processors have done since the start, in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Ticks {
    fn of(time: &procfs::CpuTime) -> Self {
        let or_none = Option::unwrap_or_default;
        let interrupts = or_none(time.irq) + or_none(time.softirq);
        let busy = time.user + time.nice + time.system + interrupts + or_none(time.steal);
        Self { busy, all: busy + time.idle + or_none(time.iowait) }
    }

    /// The part of the time since `then` that was busy.
    fn ratio_since(self, then: Self) -> f64 {
        count(self.busy.saturating_sub(then.busy)) / count(self.all.saturating_sub(then.all).max(1))
    }
}

pub(super) fn load(_: &mut Before) -> Measured {
    let load = procfs::LoadAverage::current().map_err(|cause| cause.to_string())?;
    let uptime = procfs::Uptime::current().map_err(|cause| cause.to_string())?;
    Ok(vec![
        point("system_cpu_load_average_1m", f64::from(load.one)),
        point("system_cpu_load_average_5m", f64::from(load.five)),
        point("system_cpu_load_average_15m", f64::from(load.fifteen)),
        point("system_uptime_seconds", uptime.uptime),
    ])
}

pub(super) fn memory(_: &mut Before) -> Measured {
    let memory = procfs::Meminfo::current().map_err(|cause| cause.to_string())?;
    let cached = memory.cached + memory.buffers;
    let used = memory.mem_total.saturating_sub(memory.mem_free + cached);
    let available = memory.mem_available.unwrap_or(memory.mem_free);
    let busy = memory.mem_total.saturating_sub(available);
    let usage =
        |state, value| labelled("system_memory_usage_bytes", &[("state", state)], count(value));
    let paging =
        |state, value| labelled("system_paging_usage_bytes", &[("state", state)], count(value));
    Ok(vec![
        usage("used", used),
        usage("free", memory.mem_free),
        usage("cached", cached),
        point("system_memory_utilization_ratio", count(busy) / count(memory.mem_total.max(1))),
        paging("used", memory.swap_total.saturating_sub(memory.swap_free)),
        paging("free", memory.swap_free),
    ])
}

pub(super) fn cpu(before: &mut Before) -> Measured {
    let stat = procfs::KernelStats::current().map_err(|cause| cause.to_string())?;
    let total = &stat.total;
    let or_none = Option::unwrap_or_default;
    let states = [
        ("user", total.user + total.nice),
        ("system", total.system),
        ("idle", total.idle),
        ("iowait", or_none(total.iowait)),
        ("interrupt", or_none(total.irq) + or_none(total.softirq)),
        ("steal", or_none(total.steal)),
    ];
    let ticks = count(procfs::ticks_per_second().max(1));
    let seconds = |(state, value): (&str, u64)| {
        labelled("system_cpu_time_seconds_total", &[("state", state)], count(value) / ticks)
    };
    let mut points: Vec<Point> = states.into_iter().map(seconds).collect();
    points.push(point("system_cpu_logical_count", count(stat.cpu_time.len() as u64)));
    let now = Ticks::of(total);
    let last = before.cpu.replace(now);
    // No value the first time; the series is there all the same.
    let ratio = last.map_or(f64::NAN, |then| now.ratio_since(then));
    points.push(point("system_cpu_utilization_ratio", ratio));
    let cores: Vec<Ticks> = stat.cpu_time.iter().take(MANY).map(Ticks::of).collect();
    for (number, now) in cores.iter().enumerate() {
        let ratio = before.cores.get(number).map_or(f64::NAN, |then| now.ratio_since(*then));
        let labels = [("cpu", &*number.to_string())];
        points.push(labelled("system_cpu_core_utilization_ratio", &labels, ratio));
    }
    before.cores = cores;
    Ok(points)
}

pub(super) fn network(_: &mut Before) -> Measured {
    let interfaces = procfs::net::dev_status().map_err(|cause| cause.to_string())?;
    let mut found: Vec<_> = interfaces.iter().filter(|(name, _)| *name != "lo").collect();
    found.sort_by_key(|(name, _)| *name);
    let mut points = Vec::new();
    for (name, it) in found.into_iter().take(MANY) {
        let pairs = [
            ("system_network_io_bytes_total", it.recv_bytes, it.sent_bytes),
            ("system_network_packets_total", it.recv_packets, it.sent_packets),
            ("system_network_errors_total", it.recv_errs, it.sent_errs),
            ("system_network_dropped_total", it.recv_drop, it.sent_drop),
        ];
        for (series, received, sent) in pairs {
            let of = |direction, value| {
                let labels = [("interface", name.as_str()), ("direction", direction)];
                labelled(series, &labels, count(value))
            };
            points.extend([of("receive", received), of("transmit", sent)]);
        }
    }
    Ok(points)
}

pub(super) fn pressure(_: &mut Before) -> Measured {
    let mut points = Vec::new();
    for resource in ["cpu", "memory", "io"] {
        let text = fs::read_to_string(format!("/proc/pressure/{resource}"))
            .map_err(|cause| format!("/proc/pressure/{resource}: {cause}"))?;
        for line in text.lines() {
            let kind = line.split_whitespace().next().unwrap_or_default();
            let total = line.split("total=").nth(1).and_then(|it| it.trim().parse::<u64>().ok());
            let (Some(micros), "some" | "full") = (total, kind) else { continue };
            let labels = [("resource", resource), ("kind", kind)];
            let seconds = count(micros) / 1e6;
            points.push(labelled("system_pressure_stalled_seconds_total", &labels, seconds));
        }
    }
    Ok(points)
}

pub(super) fn temperatures(_: &mut Before) -> Measured {
    let chips = fs::read_dir("/sys/class/hwmon").map_err(|cause| cause.to_string())?;
    let mut points = Vec::new();
    for chip in chips.flatten().take(MANY) {
        let name = fs::read_to_string(chip.path().join("name")).unwrap_or_default();
        let Ok(files) = fs::read_dir(chip.path()) else { continue };
        for file in files.flatten() {
            let sensor = file.file_name().to_string_lossy().into_owned();
            let Some(sensor) = sensor.strip_suffix("_input").filter(|it| it.starts_with("temp"))
            else {
                continue;
            };
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let Ok(milli) = text.trim().parse::<i32>() else { continue };
            let chip = chip.file_name().to_string_lossy().into_owned();
            let labels = [("chip", chip.as_str()), ("name", name.trim()), ("sensor", sensor)];
            points.push(labelled("hw_temperature_celsius", &labels, f64::from(milli) / 1e3));
        }
    }
    if points.is_empty() {
        return Err("this machine shows no temperature sensors".to_owned());
    }
    points.truncate(MANY);
    Ok(points)
}

pub(super) fn processes(_: &mut Before) -> Measured {
    let entries = fs::read_dir("/proc").map_err(|cause| cause.to_string())?;
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let all =
        entries.flatten().filter(|it| it.file_name().to_str().is_some_and(is_process)).count();
    let stat = procfs::KernelStats::current().map_err(|cause| cause.to_string())?;
    let running = u64::from(stat.procs_running.unwrap_or_default());
    let blocked = u64::from(stat.procs_blocked.unwrap_or_default());
    Ok(vec![
        point("system_processes_count", count(all as u64)),
        point("system_processes_running_count", count(running)),
        point("system_processes_blocked_count", count(blocked)),
    ])
}
