//! Series, their samples, and what becomes of both.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const OTHER: TenantId = TenantId(Uuid::from_u128(2));
const DEVICE: DeviceId = DeviceId(Uuid::from_u128(3));
const ALL: (i64, i64) = (i64::MIN, i64::MAX);

fn labels(name: &str, job: &str) -> Labels {
    Labels::new(vec![("__name__".into(), name.into()), ("job".into(), job.into())]).unwrap()
}

fn record(samples: &[(SeriesRef, i64, f64)]) -> Record {
    Record { samples: samples.to_vec(), ..Record::default() }
}

fn described(number: SeriesRef, name: &str) -> Record {
    let series = vec![(number, TENANT, labels(name, "a"))];
    Record { series, ..record(&[]) }
}

fn table(hash: u64, series: &[SeriesRef]) -> Table {
    Table { tenant: TENANT, device: DEVICE, hash, series: series.to_vec() }
}

/// Name and samples of everything the tenant has.
fn all(head: &Head) -> Vec<(String, Vec<Sample>)> {
    let found = head.select(TENANT, &[], ALL).into_iter();
    found.map(|it| (it.labels.get("__name__").to_owned(), it.samples())).collect()
}

#[test]
fn series_match_by_their_labels_and_tenants_do_not_see_each_other() {
    let mut head = Head::default();
    let a = head.resolve(TENANT, &labels("up", "a"), 10, 0).unwrap();
    let b = head.resolve(TENANT, &labels("up", ""), 10, 0).unwrap();
    let c = head.resolve(OTHER, &labels("up", "a"), 10, 0).unwrap();
    assert_eq!(head.resolve(TENANT, &labels("up", "a"), 10, 0), Ok(a));
    let job = |value: &str| Matcher::equal("job", value.to_owned());
    let not = |value: &'static str| Matcher::when("job", Arc::new(move |it| it != value));
    let like = |value: &'static str| Matcher::when("job", Arc::new(move |it| it.contains(value)));
    for (tenant, matchers, want) in [
        (TENANT, vec![job("a")], vec![a]),
        (TENANT, vec![job("")], vec![b]),
        (TENANT, vec![job("z")], vec![]),
        (TENANT, vec![not("a")], vec![b]),
        (TENANT, vec![not("")], vec![a]),
        (TENANT, vec![like("a"), job("a")], vec![a]),
        (TENANT, vec![like("a"), not("a")], vec![]),
        (TENANT, vec![Matcher::equal("none", String::new())], vec![a, b]),
        (OTHER, vec![], vec![c]),
    ] {
        let found: Vec<_> = head.matching(tenant, &matchers).into_iter().collect();
        assert_eq!(found, want);
    }
    assert_eq!(head.resolve(TENANT, &labels("down", "a"), 2, 0), Err(TooManySeries));
    assert_eq!(head.resolve(TENANT, &labels("up", "a"), 2, 0), Ok(a), "known ones go on");
}

#[test]
fn a_series_is_described_until_the_log_knows_it() {
    let mut head = Head::default();
    let number = head.resolve(TENANT, &labels("up", "a"), 10, 0).unwrap();
    let series = head.describe(&[number], 0);
    assert_eq!(series.len(), 1);
    let record = Record { series, ..Record::default() };
    head.apply(&record, 0);
    assert!(head.describe(&[number], 0).is_empty());
    let mut again = Head::default();
    again.apply(&record, 0);
    assert_eq!(again.resolve(TENANT, &labels("up", "a"), 10, 0), Ok(number));
    assert_eq!(again.resolve(TENANT, &labels("up", "b"), 10, 0), Ok(number + 1));
}

#[test]
fn a_number_that_the_log_mentions_is_never_given_to_another_series() {
    // What describes the number 7 is lost.
    for mention in [
        record(&[(7, 1, 1.0)]),
        Record { tables: vec![table(1, &[REFUSED, 7])], ..record(&[]) },
        described(7, "known"),
    ] {
        let mut head = Head::default();
        head.apply(&mention, 0);
        head.settle(i64::MIN, 0);
        let number = head.resolve(TENANT, &labels("new", "a"), 10, 0).unwrap();
        assert_eq!(number, 8, "{mention:?}");
        head.apply(
            &Record { series: head.describe(&[number], 0), ..record(&[(number, 5, 2.0)]) },
            0,
        );
        assert_eq!(all(&head), [("new".to_owned(), vec![(5, 2.0)])]);
    }
}

#[test]
fn samples_wait_for_their_description_only_while_the_log_is_read() {
    let mut head = Head::default();
    head.apply(&record(&[(1, 10, 1.0), (2, 10, 2.0), (2, 20, 2.0)]), 0);
    head.apply(&described(1, "one"), 0);
    assert_eq!(head.settle(15, 0), 1, "one of the lost ones was still wanted");
    assert_eq!(all(&head), [("one".to_owned(), vec![(10, 1.0)])]);
    head.apply(&record(&[(2, 30, 2.0)]), 0);
    head.apply(&described(2, "two"), 0);
    assert_eq!(all(&head).len(), 1, "afterwards they belong to nobody");
}

#[test]
fn a_table_that_names_an_unknown_series_is_asked_for_again() {
    let mut head = Head::default();
    head.apply(&described(1, "one"), 0);
    let tables = vec![table(1, &[1, REFUSED]), table(2, &[1, 2])];
    head.apply(&Record { tables, ..record(&[]) }, 0);
    head.settle(i64::MIN, 0);
    assert!(head.use_table((TENANT, DEVICE), 1, 0).is_some());
    assert!(head.use_table((TENANT, DEVICE), 2, 0).is_none());
}

#[test]
fn a_device_has_its_last_few_tables() {
    let mut head = Head::default();
    head.apply(&described(1, "one"), 0);
    for hash in 1..=20 {
        head.use_table((TENANT, DEVICE), 1, i64::try_from(hash).unwrap());
        let received_ms = i64::try_from(hash).unwrap();
        head.apply(&Record { received_ms, tables: vec![table(hash, &[1])], ..record(&[]) }, 0);
    }
    let mut kept: Vec<u64> = head.descriptions().1.iter().map(|table| table.hash).collect();
    kept.sort_unstable();
    assert_eq!(kept, [1, 18, 19, 20], "the one in use stays");
}

#[test]
fn a_series_goes_with_its_last_sample_unless_it_was_used_lately() {
    let mut head = Head::default();
    let old = head.resolve(TENANT, &labels("old", "a"), 10, 10).unwrap();
    let used = head.resolve(TENANT, &labels("used", "b"), 10, 90).unwrap();
    let new = head.resolve(TENANT, &labels("new", "a"), 10, 10).unwrap();
    let all_of_it = head.describe(&[old, used, new], 0);
    let samples = vec![(old, 10, 1.0), (used, 10, 1.0), (new, 60, 1.0)];
    let tables = vec![table(1, &[old]), table(2, &[used, new])];
    head.apply(&Record { received_ms: 10, series: all_of_it, tables, samples }, 0);
    head.use_table((TENANT, DEVICE), 2, 90);
    let numbers = head.numbers();
    head.forget(&numbers, 50, 50);
    head.forget_tables(50);
    assert_eq!((all(&head).len(), head.len()), (1, 2));
    assert!(!head.any(TENANT, &[Matcher::equal("__name__", "old".into())]));
    assert!(head.use_table((TENANT, DEVICE), 1, 90).is_none());
    assert!(head.use_table((TENANT, DEVICE), 2, 90).is_some());
    let again = head.resolve(TENANT, &labels("old", "a"), 10, 100).unwrap();
    assert!(again > new, "its number is not given again");
    let numbers = head.numbers();
    head.forget(&numbers, 1_000, 1_000);
    assert_eq!((head.len(), head.bytes(), head.tenants.len()), (0, 0, 0));
}

#[test]
fn what_was_read_does_not_change() {
    let mut head = Head::default();
    let number = head.resolve(TENANT, &labels("up", "a"), 10, 0).unwrap();
    head.apply(&record(&[(number, 10, 1.0)]), 0);
    let before = head.select(TENANT, &[], ALL);
    head.apply(&record(&[(number, 20, 2.0), (number, 5, 0.0)]), 0);
    assert_eq!(before[0].samples(), [(10, 1.0)]);
    assert_eq!(all(&head)[0].1, [(5, 0.0), (10, 1.0), (20, 2.0)]);
    let part = head.select(TENANT, &[], (10, 15));
    assert_eq!(part[0].samples(), [(10, 1.0)]);
    assert!(head.select(TENANT, &[], (21, 99)).is_empty());
}

#[test]
fn a_series_that_has_ended_has_no_newest_value() {
    let mut head = Head::default();
    let number = head.resolve(TENANT, &labels("up", "a"), 10, 0).unwrap();
    head.apply(&record(&[(number, 1, f64::NAN)]), 0);
    assert!(head.newest(TENANT, &[])[0].1.1.is_nan());
    head.apply(&record(&[(number, 2, f64::from_bits(0x7ff0_0000_0000_0002))]), 0);
    assert!(head.newest(TENANT, &[]).is_empty() && head.any(TENANT, &[]));
}

proptest! {
    #[test]
    fn samples_in_any_order_read_back_in_order_and_once(
        times in prop::collection::vec(0..400_i64, 0..600)
    ) {
        let mut head = Head::default();
        let number = head.resolve(TENANT, &labels("up", "a"), 10, 0).unwrap();
        let empty = head.bytes();
        let mut model = BTreeMap::new();
        for (n, t) in times.into_iter().enumerate() {
            let value = f64::from(u32::try_from(n).unwrap());
            prop_assert_eq!(head.has(number, t), model.contains_key(&t));
            let new = head.apply(&record(&[(number, t, value)]), 0);
            prop_assert_eq!(new == 1, !model.contains_key(&t));
            // Later values have greater bits here.
            model.insert(t, value);
        }
        let want: Vec<Sample> = model.iter().map(|(t, v)| (*t, *v)).collect();
        let read = |range| {
            let found = head.select(TENANT, &[], range);
            found.first().map(Snapshot::samples).unwrap_or_default()
        };
        prop_assert_eq!(read(ALL), want.clone());
        let newest = head.newest(TENANT, &[]).first().map(|(_, sample)| *sample);
        prop_assert_eq!(newest, want.last().copied());
        let part: Vec<Sample> =
            want.into_iter().filter(|(t, _)| (100..=200).contains(t)).collect();
        prop_assert_eq!(read((100, 200)), part);
        let mut minutes = BTreeMap::new();
        head.ages(&[number], &mut minutes);
        prop_assert_eq!(minutes.values().sum::<usize>(), head.bytes() - empty);
    }

    #[test]
    fn writes_at_the_same_moment_end_the_same_in_any_order(
        mut writes in prop::collection::vec((0..30_i64, 0..5_u8), 1..60)
    ) {
        let read = |writes: &[(i64, u8)]| {
            let mut head = Head::default();
            let number = head.resolve(TENANT, &labels("up", "a"), 10, 0).unwrap();
            for (t, value) in writes {
                head.apply(&record(&[(number, *t, f64::from(*value))]), 0);
            }
            all(&head)
        };
        let one = read(&writes);
        writes.reverse();
        prop_assert_eq!(read(&writes), one);
    }
}
