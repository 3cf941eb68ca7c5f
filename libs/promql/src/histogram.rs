//! `histogram_quantile` of classic buckets, as Prometheus computes it (`bucketQuantile`).

use std::collections::HashMap;

use crate::Labels;
use crate::eval::Vector;
use crate::types::NAME;

/// How far two counts may differ by rounding alone, relative.
const TOLERANCE: f64 = 1e-12;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    upper: f64,
    count: f64,
}

/// The φ-quantile of each histogram among `elements`, whose label `le` is the upper bound.
pub(crate) fn quantile(phi: f64, elements: Vector) -> Vector {
    let mut order = Vec::new();
    let mut histograms: HashMap<Labels, Vec<Bucket>> = HashMap::new();
    for (labels, count) in elements {
        let Ok(upper) = labels.get("le").parse::<f64>() else { continue };
        let key = labels.filter(|name| name != NAME && name != "le");
        let buckets = histograms.entry(key.clone()).or_insert_with(|| {
            order.push(key);
            Vec::new()
        });
        buckets.push(Bucket { upper, count });
    }
    let one = |labels: Labels| {
        let buckets = histograms.remove(&labels)?;
        Some((labels, of_buckets(phi, buckets)))
    };
    order.into_iter().filter_map(one).collect()
}

fn of_buckets(phi: f64, mut buckets: Vec<Bucket>) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    let buckets = monotonic(buckets);
    let [.., below, last] = buckets.as_slice() else { return f64::NAN };
    let total = last.count;
    if last.upper != f64::INFINITY || total == 0.0 || total.is_nan() {
        return f64::NAN;
    }
    let rank = phi * total;
    let finite = buckets.len() - 1;
    let at = buckets.iter().take(finite).position(|bucket| bucket.count >= rank);
    let Some(at) = at else { return below.upper };
    let Some(bucket) = buckets.get(at) else { return f64::NAN };
    let before = at.checked_sub(1).and_then(|before| buckets.get(before));
    match before {
        None if bucket.upper <= 0.0 => bucket.upper,
        None => bucket.upper * (rank / bucket.count),
        Some(before) => {
            let (rank, count) = (rank - before.count, bucket.count - before.count);
            before.upper + (bucket.upper - before.upper) * (rank / count)
        }
    }
}

/// Joins buckets of equal bounds, and makes counts that fall rise instead.
fn monotonic(sorted: Vec<Bucket>) -> Vec<Bucket> {
    let mut joined: Vec<Bucket> = Vec::with_capacity(sorted.len());
    for bucket in sorted {
        match joined.last_mut() {
            Some(last) if last.upper.to_bits() == bucket.upper.to_bits() => {
                last.count += bucket.count;
            }
            _ => joined.push(bucket),
        }
    }
    let mut highest: Option<f64> = None;
    for bucket in &mut joined {
        if let Some(highest) = highest {
            let close =
                (bucket.count - highest).abs() <= TOLERANCE * bucket.count.abs().max(highest.abs());
            if bucket.count < highest || close {
                bucket.count = highest;
            }
        }
        highest = Some(bucket.count);
    }
    joined
}
