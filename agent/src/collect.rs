//! What is measured, from `/proc` and `/sys`. Names follow OpenTelemetry's system semantic
//! conventions in their Prometheus translation.
//!
//! A collector that is not due, or fails, leaves its series without a value, so that the table of
//! series stays the same. One that takes too long is asked less often.

mod disks;
mod state;
mod system;

use std::time::{Duration, Instant};

use openframe_agent_api::MAX_SERIES;
use openframe_agent_api::link::{Label, Series, SeriesTable};

/// Of anything that a machine may have many of, so many are measured at most.
const MANY: usize = 64;
/// A collector may take this part of the time at most; a slower one is asked less often.
const SHARE: u32 = 200;
/// Bytes of a label's value.
const LABEL_BYTES: usize = 256;

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    name: &'static str,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

fn point(name: &'static str, value: f64) -> Point {
    Point { name, labels: Vec::new(), value }
}

fn labelled(name: &'static str, labels: &[(&'static str, &str)], value: f64) -> Point {
    let text = |value: &str| value.chars().take(LABEL_BYTES / 4).collect();
    let labels = labels.iter().map(|(name, value)| (*name, text(value))).collect();
    Point { name, labels, value }
}

/// A count as a value.
#[expect(clippy::cast_precision_loss, reason = "a double holds counts up to petabytes exactly")]
fn count(number: u64) -> f64 {
    number as f64
}

/// What a collector gives: values, or why there are none.
type Measured = Result<Vec<Point>, String>;

/// Name, seconds between two runs, function.
type Known = (&'static str, u64, fn(&mut system::Before) -> Measured);

const KNOWN: [Known; 12] = [
    ("load", 0, system::load),
    ("memory", 0, system::memory),
    ("cpu", 0, system::cpu),
    ("network", 0, system::network),
    ("disks", 0, disks::io),
    ("filesystems", 60, disks::filesystems),
    ("pressure", 0, system::pressure),
    ("temperatures", 60, system::temperatures),
    ("processes", 30, system::processes),
    ("sessions", 60, state::sessions),
    ("clock", 60, state::clock),
    ("batteries", 60, state::batteries),
];

/// The names of all collectors.
pub const NAMES: [&str; 12] = [
    "load",
    "memory",
    "cpu",
    "network",
    "disks",
    "filesystems",
    "pressure",
    "temperatures",
    "processes",
    "sessions",
    "clock",
    "batteries",
];

#[derive(Debug)]
struct Collector {
    known: Known,
    due: Option<Instant>,
    last: Vec<Point>,
    works: bool,
}

/// All collectors that are switched on.
#[derive(Debug)]
pub struct Collectors {
    list: Vec<Collector>,
    before: system::Before,
}

impl Collectors {
    /// All but those named.
    pub fn new(without: &[String]) -> Self {
        let wanted = KNOWN.into_iter().filter(|known| !without.iter().any(|it| it == known.0));
        let list = wanted
            .map(|known| Collector { known, due: None, last: Vec::new(), works: true })
            .collect();
        Self { list, before: system::Before::default() }
    }

    /// Measures what is due: the table of series and their values. `ring` is the ring's bytes, and
    /// how many snapshots it dropped and lost.
    pub fn collect(&mut self, ring: (u64, u64, u64)) -> (SeriesTable, Vec<f64>) {
        let mut points = Vec::new();
        for collector in &mut self.list {
            points.extend(collector.run(&mut self.before));
            let works = f64::from(u8::from(collector.works));
            let labels = [("collector", collector.known.0)];
            points.push(labelled("openframe_agent_collector_up", &labels, works));
        }
        points.push(point("openframe_agent_ring_bytes", count(ring.0)));
        points.push(point("openframe_agent_snapshots_dropped_total", count(ring.1)));
        points.push(point("openframe_agent_snapshots_lost_total", count(ring.2)));
        points.truncate(MAX_SERIES);
        table(points)
    }
}

impl Collector {
    fn run(&mut self, before: &mut system::Before) -> Vec<Point> {
        let start = openframe_clock::monotonic();
        if self.due.is_some_and(|due| start < due) {
            let silent = |point: &Point| Point { value: f64::NAN, ..point.clone() };
            return self.last.iter().map(silent).collect();
        }
        let (name, every, measure) = self.known;
        match measure(before) {
            Ok(points) => {
                self.works = true;
                self.last.clone_from(&points);
            }
            Err(why) => {
                if self.works {
                    tracing::info!("cannot collect {name}: {why}");
                }
                self.works = false;
                self.last.clear();
            }
        }
        let pause = Duration::from_secs(every).max(start.elapsed() * SHARE);
        // A little early, so that a tick that comes a moment too soon still counts.
        self.due = (!pause.is_zero()).then(|| start + pause.saturating_sub(Duration::from_secs(1)));
        self.last.clone()
    }
}

/// The table of the series of `points`, and their values in its order.
fn table(points: Vec<Point>) -> (SeriesTable, Vec<f64>) {
    let values = points.iter().map(|point| point.value).collect();
    let label = |(name, value): (&str, String)| Label { name: name.to_owned(), value };
    let series = points.into_iter().map(|point| Series {
        name: point.name.to_owned(),
        labels: point.labels.into_iter().map(label).collect(),
    });
    (SeriesTable { series: series.collect() }, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_measured_with_a_table_that_stays() {
        let mut collectors = Collectors::new(&[]);
        let (first, values) = collectors.collect((0, 0, 0));
        assert_eq!(first.series.len(), values.len());
        for name in ["system_memory_usage_bytes", "system_filesystem_usage_bytes"] {
            let at = first.series.iter().position(|series| series.name == name);
            assert!(at.is_some_and(|at| values[at] > 0.0), "{name}");
        }
        let (second, values) = collectors.collect((0, 0, 0));
        let at = second.series.iter().position(|s| s.name == "system_filesystem_usage_bytes");
        assert!(values[at.unwrap()].is_nan(), "not due again");
        let names = |table: &SeriesTable| table.series.len();
        assert_eq!(names(&first), names(&second));
    }

    #[test]
    fn every_collector_can_be_switched_off() {
        assert!(KNOWN.iter().map(|known| known.0).eq(NAMES));
        let without: Vec<String> = NAMES.map(str::to_owned).to_vec();
        assert_eq!(Collectors::new(&without).collect((1, 2, 3)).1, [1.0, 2.0, 3.0]);
    }
}
