//! What becomes of a request of OpenTelemetry's Python SDK, and of what is not taken.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Made by opentelemetry-sdk 1.45.2 (`encode_metrics` of the OTLP exporter): a counter, a histogram,
/// a gauge and an up-down counter.
const SDK: &[u8] = include_bytes!("fixtures/python-sdk.bin");
/// When, Unix milliseconds.
const SDK_MS: i64 = 1_795_584_353_762;

/// Takes everything, as one line each.
#[derive(Default)]
struct Lines {
    all: Vec<String>,
    refused: Refused,
    oldest_ms: i64,
}

impl Take for Lines {
    fn add(&mut self, mut labels: Pairs, samples: Vec<Sample>) {
        labels.sort();
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for (t, value) in samples {
            self.all.push(format!("{} {} {value}", labels.join(" "), t - SDK_MS));
        }
    }

    fn timely(&mut self, t: i64) -> bool {
        self.refused.too_old += u64::from(t < self.oldest_ms);
        t >= self.oldest_ms
    }

    fn refused(&mut self) -> &mut Refused {
        &mut self.refused
    }
}

fn read(body: &[u8]) -> (u64, Lines) {
    let mut lines = Lines::default();
    let points = each(body, &mut lines).unwrap();
    (points, lines)
}

#[test]
fn an_sdks_metrics_are_named_as_prometheus_names_them() {
    let (points, mut lines) = read(SDK);
    assert_eq!((points, &lines.refused), (5, &Refused::default()));
    lines.all.sort();
    insta::assert_snapshot!(lines.all.join("\n"), @r"
    __name__=http_server_duration_milliseconds_bucket http_method=GET instance=shop-1 job=eu/shop le=+Inf 0 4
    __name__=http_server_duration_milliseconds_bucket http_method=GET instance=shop-1 job=eu/shop le=10 0 3
    __name__=http_server_duration_milliseconds_bucket http_method=GET instance=shop-1 job=eu/shop le=25.5 0 3
    __name__=http_server_duration_milliseconds_bucket http_method=GET instance=shop-1 job=eu/shop le=5 0 1
    __name__=http_server_duration_milliseconds_count http_method=GET instance=shop-1 job=eu/shop 0 4
    __name__=http_server_duration_milliseconds_sum http_method=GET instance=shop-1 job=eu/shop 0 46
    __name__=http_server_requests_total http_method=GET instance=shop-1 job=eu/shop ok=true 0 3
    __name__=http_server_requests_total http_method=POST instance=shop-1 job=eu/shop ok=false 0 2
    __name__=process_memory_usage_bytes instance=shop-1 job=eu/shop 0 12345678
    __name__=queue_length instance=shop-1 job=eu/shop 0 5
    __name__=target_info deployment_environment=test host_name=h1 instance=shop-1 job=eu/shop telemetry_sdk_language=python telemetry_sdk_name=opentelemetry telemetry_sdk_version=1.45.2 0 1
    ");
}

#[test]
fn points_that_are_too_old_are_counted_once_each() {
    let mut lines = Lines { oldest_ms: i64::MAX, ..Lines::default() };
    assert_eq!(each(SDK, &mut lines).unwrap(), 5);
    assert_eq!((lines.all.len(), lines.refused.too_old), (0, 5));
    let answer = wire::Answer::decode(answer(&lines.refused, 5).as_slice()).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected, 5);
}

/// A field with a message in it.
fn field(number: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encode_length_delimiter(message.len(), &mut bytes).unwrap();
    bytes.extend_from_slice(message);
    bytes
}

/// A request with one metric, whose data is in `field` of it.
fn metric(kind: u8, data: &[u8]) -> Vec<u8> {
    let metric = [field(1, b"m"), field(kind, data)].concat();
    field(1, &field(2, &field(2, &metric)))
}

#[test]
fn kinds_that_are_not_taken_are_refused_point_by_point() {
    let point = field(1, &NumberPoint::default().encode_to_vec());
    let two = [point.clone(), point.clone()].concat();
    let delta = [two.clone(), vec![0x10, 1]].concat();
    let buckets =
        HistogramPoint { counts: vec![1, 2, 3], bounds: vec![1.0], ..HistogramPoint::default() };
    let odd = [field(1, &buckets.encode_to_vec()), vec![0x10, 2]].concat();
    for (kind, data, count, why) in [
        (7, &delta, 2, "delta"),
        (9, &delta, 2, "delta"),
        (7, &two, 2, "delta"),
        (10, &two, 2, "exponential"),
        (11, &point, 1, "summaries"),
        (9, &odd, 1, "make no sense"),
    ] {
        let (points, lines) = read(&metric(kind, data));
        assert_eq!((points, lines.refused.kind, lines.all.len()), (count, count, 0), "{why}");
        assert!(lines.refused.to_string().contains(why), "{}", lines.refused);
    }
}

#[test]
fn a_series_that_has_ended_is_said_to_have() {
    struct Last(f64, Refused);
    impl Take for Last {
        fn add(&mut self, _: Pairs, samples: Vec<Sample>) {
            self.0 = samples[0].1;
        }
        fn timely(&mut self, _: i64) -> bool {
            true
        }
        fn refused(&mut self) -> &mut Refused {
            &mut self.1
        }
    }

    let ended = NumberPoint { flags: 1, ..NumberPoint::default() };
    let mut last = Last(0.0, Refused::default());
    each(&metric(5, &field(1, &ended.encode_to_vec())), &mut last).unwrap();
    assert_eq!(last.0.to_bits(), STALE);
}

#[test]
fn a_bomb_and_junk_are_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 1 << 20]).unwrap();
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < 2_000);
    assert!(inflate(&bomb, 1_000).unwrap_err().to_string().contains("too large"));
    assert_eq!(inflate(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    inflate(b"junk", 1_000).unwrap_err();
    for cut in 0..SDK.len() {
        // Whatever it is, it ends and does not panic.
        drop(each(&SDK[..cut], &mut Lines::default()));
    }
    each(b"\xff\xff", &mut Lines::default()).unwrap_err();
}
