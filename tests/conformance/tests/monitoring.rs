//! The monitoring service's promises, kept by the model and by the embedded engine.

use bytes::Bytes;
use openframe_conformance::monitoring::{contents, log};
use openframe_monitoring::store::TelemetryLog as _;
use openframe_monitoring::store::memory::MemoryLog;
use openframe_monitoring_embedded::{Log, Options};
use proptest::prelude::*;

const SMALL: Options = Options { segment_bytes: 200, reserve_bytes: 100 };

#[tokio::test]
async fn the_model_keeps_the_log_promise() {
    log(MemoryLog::default(), |log| log).await;
}

#[tokio::test]
async fn the_embedded_engine_keeps_the_log_promise() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Log::open(dir.path(), SMALL).unwrap();
    log(open(), |old| {
        drop(old);
        open()
    })
    .await;
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Trim(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(any::<u8>(), 0..50).prop_map(Step::Append),
        1 => (0..40_u64).prop_map(Step::Trim),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_embedded_engine_does_what_the_model_does(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let model = MemoryLog::default();
            let mut log = Log::open(dir.path(), SMALL).unwrap();
            for step in steps {
                match step {
                    Step::Append(bytes) => {
                        let number = model.append(0, Bytes::from(bytes.clone())).await.unwrap();
                        assert_eq!(log.append(0, Bytes::from(bytes)).await.unwrap(), number);
                    }
                    Step::Trim(number) => {
                        let keep = || Box::new([Bytes::from_static(b"kept")].into_iter());
                        model.trim_to(number, keep()).await.unwrap();
                        log.trim_to(number, keep()).await.unwrap();
                    }
                    Step::Restart => log = Log::open(dir.path(), SMALL).unwrap(),
                }
                assert_eq!(contents(&log).await, contents(&model).await);
            }
        });
    }
}
