//! What a query may use: samples, series, text, time.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use openframe_promql::{Budget, Engine, Error, Labels, Limits, Matcher, Sample, Series, Source};

/// A hundred series of a hundred samples, one each second.
struct Data;

impl Source for Data {
    fn select(&self, _: &[Matcher], _: i64, _: i64, budget: &Budget) -> Result<Vec<Series>, Error> {
        let mut found = Vec::new();
        for n in 0..100 {
            let labels = Labels::new([("__name__", "m"), ("n", n.to_string().as_str())]);
            budget.series(found.len(), &labels)?;
            budget.samples(100)?;
            let samples = (0..100).map(|t| Sample { t_ms: t * 1_000, v: 1.0 }).collect();
            found.push(Series { labels, samples });
        }
        Ok(found)
    }
}

fn limits(max_samples: usize) -> Limits {
    Limits { max_samples, ..Limits::default() }
}

fn instant(limits: Limits, query: &str) -> Result<(), Error> {
    Engine { limits }.instant(&Data, query, 99_000).map(drop)
}

#[track_caller]
fn too_much(max_samples: usize, query: &str) {
    let got = instant(limits(max_samples), query);
    assert!(matches!(got, Err(Error::TooMuch(_))), "{query}: {got:?}");
}

#[test]
fn every_sample_counts_wherever_it_comes_from() {
    too_much(9_000, "m");
    instant(limits(15_000), "sum(m)").unwrap();
    too_much(15_000, "sum(m) + sum(m)");
    too_much(1_000_000, "count_over_time(vector(1)[1d:1ms])");
    too_much(500_000, "count_over_time(count_values(\"x\", vector(time()))[1d:1s])");
    let doubled = (0..40).fold("vector(1)".to_owned(), |inner, _| {
        format!("label_join({inner}, \"x\", \"-\", \"x\", \"x\")")
    });
    too_much(1_000_000, &doubled);
    let engine = Engine { limits: limits(20_000) };
    engine.range(&Data, "sum(m)", (0, 99_000, 1_000)).unwrap();
    let got = engine.range(&Data, "m", (0, 99_000, 500));
    assert!(matches!(got, Err(Error::TooMuch(_))), "{got:?}");
}

#[test]
fn what_a_step_used_is_free_for_the_next() {
    instant(limits(2_000), "count_over_time((vector(1) + vector(2))[1000s:1s])").unwrap();
}

#[test]
fn a_selector_has_a_limit_of_series() {
    let limits = Limits { max_series: 99, ..Limits::default() };
    assert!(matches!(instant(limits, "m"), Err(Error::TooMuch(_))));
}

#[test]
fn a_query_ends_when_its_time_is_over_or_nobody_waits() {
    let query = "count_over_time(vector(1)[10y:1ms])";
    let past = openframe_clock::monotonic();
    let late = Limits { deadline: Some(past), ..limits(usize::MAX) };
    assert!(matches!(instant(late, query), Err(Error::TimedOut(_))));
    let flag = Arc::new(AtomicBool::new(true));
    let gone = Limits { cancelled: Some(flag), ..limits(usize::MAX) };
    assert!(matches!(instant(gone, query), Err(Error::Cancelled)));
}
