//! The body of OpenTelemetry's OTLP/HTTP for metrics, as samples: `ExportMetricsServiceRequest`
//! (opentelemetry-proto, `collector/metrics/v1` and `metrics/v1`), protobuf, plain or gzip.
//!
//! Gauges, cumulative sums, and explicit histograms as classic ones. What else there is (deltas,
//! exponential histograms, summaries) is refused, each data point for itself.

mod names;
mod wire;

use std::io::Read as _;

use flate2::read::GzDecoder;
use names::{label_name, metric_name};
use prost::Message;
use wire::{HistogramPoint, KeyValue, NumberPoint, Point, Resource, number};

use crate::Error;
use crate::domain::chunk::{STALE, Sample};
use crate::domain::labels::{Labels, NAME};
use crate::domain::refused::Refused;
use crate::wire::{Fields, Value, decode};

/// The aggregation temporality of values since a fixed start.
const CUMULATIVE: u64 = 2;
/// The flag of a data point that only says that its series has ended.
const NO_RECORDED_VALUE: u32 = 1;
/// Buckets of one histogram at most.
const MAX_BUCKETS: usize = 500;

type Pairs = Vec<(String, String)>;

/// Takes what is read from a request.
pub(crate) trait Take {
    /// Samples of one series.
    fn add(&mut self, labels: Pairs, samples: Vec<Sample>);
    /// Whether a sample of that instant is taken; counted if not.
    fn timely(&mut self, t: i64) -> bool;
    /// Where refusals are counted.
    fn refused(&mut self) -> &mut Refused;
}

/// Decompresses a body, never to more than `limit` bytes.
pub(crate) fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let mut plain = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = GzDecoder::new(body).take(most).read_to_end(&mut plain);
    read.map_err(|_| Error::BadBody("not gzip"))?;
    if plain.len() > limit {
        return Err(Error::BadBody("too large once decompressed"));
    }
    Ok(plain)
}

/// Reads a request and gives its samples to `take`. Returns how many data points there were.
pub(crate) fn each(body: &[u8], take: &mut impl Take) -> Result<u64, Error> {
    let mut points = 0;
    for resource_metrics in Fields(body).all(1) {
        let resource_metrics = Fields(resource_metrics?);
        // Fields may come in any order, and the resource is needed first.
        let resource = resource_metrics.all(1).last().transpose()?.unwrap_or_default();
        let resource = Origin::of(decode(resource)?);
        let mut newest = None;
        for scope_metrics in resource_metrics.all(2) {
            for metric in Fields(scope_metrics?).all(2) {
                let metric = Metric { fields: Fields(metric?), origin: &resource.identity };
                points += metric.read(take, &mut newest)?;
            }
        }
        resource.describe(take, newest);
    }
    Ok(points)
}

/// What was not stored of a request, as the answer to it.
pub(crate) fn answer(refused: &Refused, points: u64) -> Vec<u8> {
    let rejected = i64::try_from(refused.total().min(points)).unwrap_or(i64::MAX);
    let partial_success = (refused.total() > 0)
        .then(|| wire::PartialSuccess { rejected, message: refused.to_string() });
    wire::Answer { partial_success }.encode_to_vec()
}

/// Where metrics come from.
struct Origin {
    /// `job` and `instance`, which every series gets.
    identity: Pairs,
    /// The other attributes, which `target_info` gets.
    rest: Pairs,
}

impl Origin {
    fn of(resource: Resource) -> Self {
        let (mut name, mut space, mut instance) = (String::new(), String::new(), String::new());
        let mut rest = Vec::new();
        for KeyValue { key, value } in resource.attributes {
            let value = value.map(wire::text).unwrap_or_default();
            match key.as_str() {
                "service.name" => name = value,
                "service.namespace" => space = value,
                "service.instance.id" => instance = value,
                _ => rest.push((key, value)),
            }
        }
        let job = if space.is_empty() { name } else { format!("{space}/{name}") };
        let identity = [("job".to_owned(), job), ("instance".to_owned(), instance)];
        let identity = identity.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self { identity, rest: named(rest) }
    }

    /// The series that tells what else is known of the origin.
    fn describe(self, take: &mut impl Take, newest: Option<i64>) {
        let Some(t) = newest else { return };
        if self.rest.is_empty() || self.identity.is_empty() {
            return;
        }
        take.add(labels("target_info", self.rest, &self.identity), vec![(t, 1.0)]);
    }
}

struct Metric<'a> {
    fields: Fields<'a>,
    origin: &'a [(String, String)],
}

impl Metric<'_> {
    /// Reads the data points; returns how many there were.
    fn read(&self, take: &mut impl Take, newest: &mut Option<i64>) -> Result<u64, Error> {
        let (name, unit) = (self.fields.text(1)?, self.fields.text(3)?);
        let mut points = 0;
        for field in self.fields.clone() {
            let (kind, Value::Bytes(data)) = field? else { continue };
            let data = Fields(data);
            let cumulative = match kind {
                5 => true,
                7 | 9 => data.number(2)? == CUMULATIVE,
                10 | 11 => false,
                _ => continue,
            };
            let gauge = kind == 5;
            let counter = kind == 7 && data.number(3)? == 1;
            let name = metric_name(name, unit, gauge, counter);
            for point in data.all(1) {
                let point = point?;
                points += 1;
                match kind {
                    10 => take.refused().bad_kind("exponential histograms, which are not taken", 1),
                    11 => take.refused().bad_kind("summaries, which are not taken", 1),
                    _ if !cumulative => take
                        .refused()
                        .bad_kind("with delta temporality; set the exporter to cumulative", 1),
                    9 => self.histogram(&name, &decode(point)?, take, newest),
                    _ => self.number(&name, decode(point)?, take, newest),
                }
            }
        }
        Ok(points)
    }

    fn number(
        &self,
        name: &str,
        point: NumberPoint,
        take: &mut impl Take,
        newest: &mut Option<i64>,
    ) {
        let Some(t) = time(&point, take, newest) else { return };
        let value = if ended(&point) { f64::from_bits(STALE) } else { number(point.value) };
        take.add(labels(name, named(wire::pairs(point.attributes)), self.origin), vec![(t, value)]);
    }

    fn histogram(
        &self,
        name: &str,
        point: &HistogramPoint,
        take: &mut impl Take,
        newest: &mut Option<i64>,
    ) {
        let bounds = &point.bounds;
        let fits = point.counts.len() == bounds.len() + 1 || point.counts.is_empty();
        if !fits || bounds.len() > MAX_BUCKETS || !bounds.is_sorted_by(|a, b| a < b) {
            return take.refused().bad_kind("histograms whose buckets make no sense", 1);
        }
        let Some(t) = time(point, take, newest) else { return };
        let base = labels(name, named(wire::pairs(point.attributes.clone())), self.origin);
        // Its series are taken all or none: what is wrong with the labels is wrong with all.
        if let Err(why) = Labels::new(base.clone()) {
            return take.refused().bad_labels(why, 1);
        }
        let stale = ended(point);
        let mut add = |suffix: &str, le: Option<String>, value: f64| {
            let mut labels = base.clone();
            labels.iter_mut().filter(|(key, _)| key == NAME).for_each(|it| it.1.push_str(suffix));
            labels.extend(le.map(|le| ("le".to_owned(), le)));
            take.add(labels, vec![(t, if stale { f64::from_bits(STALE) } else { value })]);
        };
        let mut below = 0;
        for (bound, count) in bounds.iter().zip(&point.counts) {
            below += count;
            add("_bucket", Some(bound.to_string()), float(below));
        }
        add("_bucket", Some("+Inf".to_owned()), float(point.count));
        add("_count", None, float(point.count));
        if let Some(sum) = point.sum {
            add("_sum", None, sum);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats; counts above 2^53 are rare")]
fn float(count: u64) -> f64 {
    count as f64
}

fn ended(point: &impl Point) -> bool {
    point.flags() & NO_RECORDED_VALUE != 0
}

/// The instant of a data point, Unix milliseconds, if it is taken.
fn time(point: &impl Point, take: &mut impl Take, newest: &mut Option<i64>) -> Option<i64> {
    let t = i64::try_from(point.nanoseconds() / 1_000_000).unwrap_or(i64::MAX);
    if !take.timely(t) {
        return None;
    }
    *newest = (*newest).max(Some(t));
    Some(t)
}

/// A series' labels: those of the point, then those of its origin, which count more.
fn labels(name: &str, own: Pairs, origin: &[(String, String)]) -> Pairs {
    let mut labels = vec![(NAME.to_owned(), name.to_owned())];
    labels.extend(own.into_iter().filter(|(key, _)| origin.iter().all(|(taken, _)| taken != key)));
    labels.extend(origin.iter().cloned());
    labels
}

/// Attributes as labels. Different keys can become one name: their values are then put together, in
/// order of the keys.
fn named(mut attributes: Pairs) -> Pairs {
    attributes.sort();
    let mut labels: Pairs = Vec::with_capacity(attributes.len());
    for (key, value) in attributes {
        let name = label_name(&key);
        match labels.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push(';');
                known.push_str(&value);
            }
            None => labels.push((name, value)),
        }
    }
    labels
}

#[cfg(test)]
mod tests;
