//! Functions of a range: from the samples of a window to one value.

use crate::Sample;
use crate::numeric::{self, Sum};

/// The window that a function looks at.
pub(crate) struct Range<'a> {
    /// Its samples, at least one.
    pub(crate) samples: &'a [Sample],
    /// Its left end, open, Unix milliseconds.
    pub(crate) from: i64,
    /// Its right end, closed.
    pub(crate) to: i64,
}

impl Range<'_> {
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().map(|sample| sample.v)
    }

    fn ends(&self) -> Option<(Sample, Sample)> {
        match self.samples {
            [first, .., last] => Some((*first, *last)),
            _ => None,
        }
    }
}

/// A function of a range; `None` when the range gives no value.
pub(crate) type Function = fn(&Range<'_>) -> Option<f64>;

/// The function called `name`, if it takes a range and nothing else.
pub(crate) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "rate" => |range| extrapolated(range, true, true),
        "increase" => |range| extrapolated(range, true, false),
        "delta" => |range| extrapolated(range, false, false),
        "irate" => |range| newest_change(range, true),
        "idelta" => |range| newest_change(range, false),
        "deriv" => deriv,
        "changes" => |range| Some(pairs(range, |a, b| a != b && !(a.is_nan() && b.is_nan()))),
        "resets" => |range| Some(pairs(range, |a, b| b < a)),
        "avg_over_time" => |range| Some(numeric::average(range.values())),
        "sum_over_time" => |range| Some(numeric::sum(range.values())),
        "min_over_time" => |range| extreme(range, |best, v| v < best),
        "max_over_time" => |range| extreme(range, |best, v| v > best),
        "count_over_time" => |range| Some(range.samples.len() as f64),
        "last_over_time" => |range| range.values().last(),
        "first_over_time" => |range| range.values().next(),
        "present_over_time" => |_| Some(1.0),
        "stdvar_over_time" => |range| Some(numeric::variance(range.values())),
        "stddev_over_time" => |range| Some(numeric::variance(range.values()).sqrt()),
        "mad_over_time" => |range| {
            let median = numeric::quantile(0.5, range.values().collect());
            let away = range.values().map(|v| (v - median).abs()).collect();
            Some(numeric::quantile(0.5, away))
        },
        _ => return None,
    })
}

/// `rate`, `increase` and `delta`: the change between the ends, stretched to the range as
/// Prometheus does (`extrapolatedRate`).
fn extrapolated(range: &Range<'_>, counter: bool, per_second: bool) -> Option<f64> {
    let (first, last) = range.ends()?;
    let mut change = last.v - first.v;
    if counter {
        for pair in range.samples.windows(2) {
            if let [before, after] = pair
                && after.v < before.v
            {
                change += before.v;
            }
        }
    }
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let mut to_start = seconds(first.t_ms - range.from);
    let mut to_end = seconds(range.to - last.t_ms);
    let sampled = seconds(last.t_ms - first.t_ms);
    let between = sampled / (range.samples.len() - 1) as f64;
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if counter {
        // A counter never was below zero: it is not stretched to before that.
        let mut to_zero = to_start;
        if change > 0.0 && first.v >= 0.0 {
            to_zero = sampled * (first.v / change);
        }
        to_start = to_start.min(to_zero);
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if per_second {
        factor /= seconds(range.to - range.from);
    }
    Some(change * factor)
}

fn newest_change(range: &Range<'_>, rate: bool) -> Option<f64> {
    let [.., before, last] = range.samples else { return None };
    let apart = last.t_ms - before.t_ms;
    if apart == 0 {
        return None;
    }
    let change = if rate && last.v < before.v { last.v } else { last.v - before.v };
    Some(if rate { change / (apart as f64 / 1000.0) } else { change })
}

fn pairs(range: &Range<'_>, counts: impl Fn(f64, f64) -> bool) -> f64 {
    let count = range.samples.windows(2).filter(|pair| match pair {
        [before, after] => counts(before.v, after.v),
        _ => false,
    });
    count.count() as f64
}

fn extreme(range: &Range<'_>, better: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let take = |best: f64, v: f64| if better(best, v) || best.is_nan() { v } else { best };
    range.values().reduce(take)
}

fn deriv(range: &Range<'_>) -> Option<f64> {
    let (first, _) = range.ends()?;
    Some(line(range, first.t_ms).0)
}

/// `predict_linear`: where the line through the samples is `ahead` seconds after `now`.
pub(crate) fn predict(range: &Range<'_>, ahead: f64, now: i64) -> Option<f64> {
    range.ends()?;
    let (slope, at) = line(range, now);
    Some(slope * ahead + at)
}

/// Slope per second, and height at `origin`, of the line through the samples (least squares).
fn line(range: &Range<'_>, origin: i64) -> (f64, f64) {
    let first = range.samples.first().map_or(0.0, |sample| sample.v);
    if range.values().all(|v| v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let [mut x, mut y, mut xy, mut xx] = [Sum::default(); 4];
    for sample in range.samples {
        let at = (sample.t_ms - origin) as f64 / 1000.0;
        x.add(at);
        y.add(sample.v);
        xy.add(at * sample.v);
        xx.add(at * at);
    }
    let total = |sum: Sum| sum.sum + sum.carry;
    let (x, y, xy, xx) = (total(x), total(y), total(xy), total(xx));
    let n = range.samples.len() as f64;
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

/// `double_exponential_smoothing` (Holt's linear method).
pub(crate) fn smooth(range: &Range<'_>, level: f64, trend: f64) -> Option<f64> {
    let [first, second, ..] = range.samples else { return None };
    let (mut before, mut now, mut slope) = (0.0, first.v, second.v - first.v);
    for (index, sample) in range.samples.iter().skip(1).enumerate() {
        if index > 0 {
            slope = trend * (now - before) + (1.0 - trend) * slope;
        }
        let next = level * sample.v + (1.0 - level) * (now + slope);
        (before, now) = (now, next);
    }
    Some(now)
}
