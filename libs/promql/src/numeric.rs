//! Sums and averages that lose as little as Prometheus' own.

/// A sum with compensation (Kahan, improved by Neumaier).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    pub(crate) sum: f64,
    pub(crate) carry: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.carry = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.carry += (self.sum - total) + value;
        } else {
            self.carry += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.carry }
    }
}

/// The sum of values.
pub(crate) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut total = Sum::default();
    values.into_iter().for_each(|value| total.add(value));
    total.value()
}

/// The average of values: by their sum, or step by step once the sum would overflow.
pub(crate) fn average(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut count, mut stepwise) = (Sum::default(), 0.0, false);
    for value in values {
        count += 1.0;
        if !stepwise {
            let mut next = total;
            next.add(value);
            if count <= 1.0 || !next.sum.is_infinite() {
                total = next;
                continue;
            }
            stepwise = true;
            total.sum /= count - 1.0;
            total.carry /= count - 1.0;
        }
        let share = (count - 1.0) / count;
        total.sum *= share;
        total.carry *= share;
        total.add(value / count);
    }
    if stepwise { total.sum + total.carry } else { total.sum / count + total.carry / count }
}

/// The population variance of values.
pub(crate) fn variance(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for value in values {
        count += 1.0;
        let delta = value - (mean.sum + mean.carry);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.sum + mean.carry)));
    }
    (squares.sum + squares.carry) / count
}

/// The φ-quantile of values, between neighbours by straight line.
pub(crate) fn quantile(phi: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    // NaN is smaller than all others, as in Prometheus.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let last = values.len() - 1;
    let rank = phi * last as f64;
    let lower = (rank.floor() as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_are_not_lost() {
        assert_eq!(sum([1e100, 1.0, -1e100]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(average([f64::MAX, f64::MAX]).to_bits(), f64::MAX.to_bits());
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(0.5, vec![3.0, 1.0]).to_bits(), 2.0_f64.to_bits());
        assert!(quantile(2.0, vec![1.0]).is_infinite());
    }
}
