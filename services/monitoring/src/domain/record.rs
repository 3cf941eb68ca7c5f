//! What one record of the telemetry log says, as bytes: a version, the instant of receipt, then
//! series, tables and samples. A series is described once and then named by its number.

use openframe_ids::{DeviceId, TenantId};
use uuid::Uuid;

use crate::domain::labels::Labels;

const VERSION: u8 = 2;
/// The version in which characters stood between the labels.
const SEPARATED: u8 = 1;
const SERIES: u8 = 1;
const TABLE: u8 = 2;
const SAMPLES: u8 = 3;

/// The number of a series, the same for its life.
pub type SeriesRef = u32;
/// Stands in a table for a series that was refused: its values are dropped.
pub const REFUSED: SeriesRef = SeriesRef::MAX;

/// A batch that becomes durable as one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// When the platform received it, Unix milliseconds.
    pub received_ms: i64,
    /// Series described here.
    pub series: Vec<(SeriesRef, TenantId, Labels)>,
    /// Tables of series that devices refer to.
    pub tables: Vec<Table>,
    /// Samples: series, Unix milliseconds, value.
    pub samples: Vec<(SeriesRef, i64, f64)>,
}

/// A device's table of series: the hash that names it, and the number of each of its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The device's tenant.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
    /// The table's name.
    pub hash: u64,
    /// Its series, in order.
    pub series: Vec<SeriesRef>,
}

/// Bytes that are not a record of a known version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record of the log has an unknown form")]
pub struct BadRecord;

impl Record {
    /// Records of about `limit` bytes at most that say the same one after the other: first the
    /// descriptions, as the rest needs them.
    pub fn split(self, limit: usize) -> Vec<Self> {
        let described: usize = self.series.iter().map(described_bytes).sum();
        let named: usize =
            self.tables.iter().map(|table| TABLE_BYTES + 5 * table.series.len()).sum();
        if described + named + self.samples.len() * SAMPLE_BYTES <= limit {
            return vec![self];
        }
        let received_ms = self.received_ms;
        let empty = || Self { received_ms, ..Self::default() };
        let mut parts = Vec::new();
        let (mut part, mut bytes) = (empty(), 0);
        for series in self.series {
            let more = described_bytes(&series);
            if bytes + more > limit && bytes > 0 {
                parts.push(std::mem::replace(&mut part, empty()));
                bytes = 0;
            }
            bytes += more;
            part.series.push(series);
        }
        parts.push(part);
        parts.extend(self.tables.into_iter().map(|table| Self { tables: vec![table], ..empty() }));
        let samples = self.samples.chunks((limit / SAMPLE_BYTES).max(1));
        parts.extend(samples.map(|samples| Self { samples: samples.to_vec(), ..empty() }));
        parts.retain(|part| *part != empty());
        parts
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_signed(&mut out, self.received_ms);
        for (number, tenant, labels) in &self.series {
            out.push(SERIES);
            put(&mut out, u64::from(*number));
            out.extend_from_slice(tenant.0.as_bytes());
            put(&mut out, labels.as_text().len() as u64);
            out.extend_from_slice(labels.as_text().as_bytes());
        }
        for table in &self.tables {
            out.push(TABLE);
            out.extend_from_slice(table.tenant.0.as_bytes());
            out.extend_from_slice(table.device.0.as_bytes());
            out.extend_from_slice(&table.hash.to_le_bytes());
            put(&mut out, table.series.len() as u64);
            table.series.iter().for_each(|number| put(&mut out, u64::from(*number)));
        }
        // One run per instant: the instant is written once for all of its samples.
        for run in self.samples.chunk_by(|a, b| a.1 == b.1) {
            let Some((_, t, _)) = run.first() else { continue };
            out.push(SAMPLES);
            put_signed(&mut out, *t);
            put(&mut out, run.len() as u64);
            let mut before = 0;
            for (number, _, value) in run {
                put_signed(&mut out, i64::from(*number) - before);
                before = i64::from(*number);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let mut input = Input(bytes);
        let labels = match input.byte()? {
            VERSION => Labels::from_text,
            SEPARATED => Labels::from_separated,
            _ => return Err(BadRecord),
        };
        let mut record = Self { received_ms: input.signed()?, ..Self::default() };
        while !input.0.is_empty() {
            match input.byte()? {
                SERIES => {
                    let (number, tenant) = (input.number()?, TenantId(input.uuid()?));
                    let size = usize::try_from(input.varint()?).map_err(|_| BadRecord)?;
                    let text = std::str::from_utf8(input.take(size)?).map_err(|_| BadRecord)?;
                    record.series.push((number, tenant, labels(text)));
                }
                TABLE => record.tables.push(input.table()?),
                SAMPLES => input.samples(&mut record.samples)?,
                _ => return Err(BadRecord),
            }
        }
        Ok(record)
    }
}

/// Bytes of a sample at most: a run of its own, its number, its value.
const SAMPLE_BYTES: usize = 34;
/// Bytes of a table beside its series, at most.
const TABLE_BYTES: usize = 52;

fn described_bytes((_, _, labels): &(SeriesRef, TenantId, Labels)) -> usize {
    labels.as_text().len() + 32
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], BadRecord> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(BadRecord)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadRecord> {
        self.take(N)?.try_into().map_err(|_| BadRecord)
    }

    fn byte(&mut self) -> Result<u8, BadRecord> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn uuid(&mut self) -> Result<Uuid, BadRecord> {
        self.array().map(Uuid::from_bytes)
    }

    fn varint(&mut self) -> Result<u64, BadRecord> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(BadRecord)
    }

    fn signed(&mut self) -> Result<i64, BadRecord> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    fn number(&mut self) -> Result<SeriesRef, BadRecord> {
        self.varint()?.try_into().map_err(|_| BadRecord)
    }

    fn table(&mut self) -> Result<Table, BadRecord> {
        let (tenant, device) = (TenantId(self.uuid()?), DeviceId(self.uuid()?));
        let hash = u64::from_le_bytes(self.array()?);
        let count = self.varint()?;
        let series = (0..count).map(|_| self.number()).collect::<Result<_, _>>()?;
        Ok(Table { tenant, device, hash, series })
    }

    fn samples(&mut self, out: &mut Vec<(SeriesRef, i64, f64)>) -> Result<(), BadRecord> {
        let (t, count) = (self.signed()?, self.varint()?);
        let mut before = 0_i64;
        for _ in 0..count {
            before = before.checked_add(self.signed()?).ok_or(BadRecord)?;
            let number = before.try_into().map_err(|_| BadRecord)?;
            out.push((number, t, f64::from_le_bytes(self.array()?)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_of_the_first_version_are_read() {
        let tenant = TenantId(Uuid::from_u128(7));
        let mut bytes = vec![SEPARATED, 0, SERIES, 3];
        bytes.extend_from_slice(tenant.0.as_bytes());
        let text = "__name__\u{1}up\u{2}job\u{1}a\u{2}";
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend_from_slice(text.as_bytes());
        let record = Record::decode(&bytes).unwrap();
        let labels =
            Labels::new(vec![("__name__".into(), "up".into()), ("job".into(), "a".into())]);
        assert_eq!(record.series, [(3, tenant, labels.unwrap())]);
    }

    proptest! {
        #[test]
        fn a_record_reads_back(
            received_ms in any::<i64>(),
            samples in prop::collection::vec((any::<u32>(), -5..5_i64, -1e9..1e9_f64), 0..50),
            numbers in prop::collection::vec(any::<u32>(), 0..20),
        ) {
            let tenant = TenantId(Uuid::from_u128(7));
            let labels = Labels::new(vec![("__name__".into(), "up".into())]).unwrap();
            let series = numbers.iter().map(|number| (*number, tenant, labels.clone())).collect();
            let device = DeviceId(Uuid::from_u128(9));
            let tables = vec![Table { tenant, device, hash: 5, series: numbers }];
            let record = Record { received_ms, series, tables, samples };
            prop_assert_eq!(&Record::decode(&record.encode()).unwrap(), &record);
            let parts = record.clone().split(200);
            let mut whole = Record { received_ms, ..Record::default() };
            for part in parts {
                prop_assert!(part.encode().len() <= 200);
                prop_assert!(part.series.is_empty() || whole.samples.is_empty());
                whole.series.extend(part.series);
                whole.tables.extend(part.tables);
                whole.samples.extend(part.samples);
            }
            prop_assert_eq!(whole, record);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            drop(Record::decode(&bytes));
        }
    }
}
