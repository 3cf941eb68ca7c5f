//! What lies on disk, read from outside: the samples in the platform's log, and the snapshots in an
//! agent's ring. Only copies are opened, so that the owners may be alive.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Frame, SeriesTable, Snapshot};
use openframe_agent_api::table;
use openframe_monitoring::domain::labels::{Labels, of_device};
use openframe_monitoring::domain::record::Record;
use openframe_wal::{Options, Wal};
use prost::Message as _;

/// One sample: which series, and when in Unix milliseconds.
pub type Instant = (Labels, i64);

/// Every sample that the log in a server's data folder holds, with each value it was written with:
/// a second value means that it was stored twice.
pub fn stored(data: &Path) -> anyhow::Result<HashMap<Instant, Vec<f64>>> {
    let (mut names, mut samples) = (HashMap::new(), Vec::new());
    for (_, payload) in frames(&data.join("monitoring/telemetry"))? {
        let record = Record::decode(&payload)?;
        names.extend(record.series.into_iter().map(|(number, _, labels)| (number, labels)));
        samples.extend(record.samples);
    }
    let mut stored: HashMap<Instant, Vec<f64>> = HashMap::new();
    for (number, t, value) in samples {
        let labels = names.get(&number).context("a sample of a series without a name")?;
        stored.entry((labels.clone(), t)).or_default().push(value);
    }
    Ok(stored)
}

/// What an agent's state folder has held, gathered over its crashes.
#[derive(Debug, Default)]
pub struct Ring {
    snapshots: HashMap<u64, Snapshot>,
    tables: HashMap<u64, SeriesTable>,
}

impl Ring {
    /// Adds what is in the folder now, what the platform has acknowledged included.
    pub fn read(&mut self, state: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(state.join("tables"))? {
            // A file that is being written has another name then.
            let Ok(bytes) = fs::read(entry?.path()) else { continue };
            if let Ok(series) = SeriesTable::decode(bytes.as_slice()) {
                self.tables.insert(table::hash(&series), series);
            }
        }
        for (seq, payload) in frames(&state.join("ring"))? {
            let Some(Body::Snapshot(snapshot)) = Frame::decode(payload.as_slice())?.body else {
                continue;
            };
            let before = self.snapshots.insert(seq, snapshot.clone());
            let same = before.is_none_or(|before| before == snapshot);
            anyhow::ensure!(same, "number {seq} was given to two snapshots");
        }
        Ok(())
    }

    /// How many snapshots were seen.
    pub fn len(&self) -> usize {
        self.snapshots.len()
    }

    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }

    /// Every sample in it, as the platform must store it for `device`.
    pub fn samples(&self, device: &str) -> anyhow::Result<HashMap<Instant, f64>> {
        let mut samples = HashMap::new();
        for snapshot in self.snapshots.values() {
            let series = self.tables.get(&snapshot.table_hash).context("a table is gone")?;
            for (series, value) in series.series.iter().zip(table::unpack(&snapshot.values)?) {
                let pairs = series.labels.iter().map(|it| (it.name.clone(), it.value.clone()));
                let labels = of_device(&series.name, pairs, device)?;
                if !value.is_nan() {
                    samples.insert((labels, snapshot.time_ms), value);
                }
            }
        }
        Ok(samples)
    }
}

/// The frames of a log, those included that its owner has trimmed but whose bytes are there.
fn frames(log: &Path) -> anyhow::Result<Vec<(u64, Vec<u8>)>> {
    let copy = tempfile::tempdir()?;
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "wal") {
            // Removed by its owner in this moment: then it is not needed.
            fs::copy(&path, copy.path().join(path.file_name().unwrap_or_default())).ok();
        }
    }
    let (mut wal, _) = Wal::open(copy.path(), Options::default())?;
    let from = wal.first_seq();
    let read = wal.read_from(from)?.map(|frame| frame.map(|it| (it.seq, it.payload)));
    Ok(read.collect::<Result<_, _>>()?)
}
