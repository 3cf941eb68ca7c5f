//! The promises about alerts on every engine.

use openframe_conformance::alerts;
use openframe_monitoring::store::alerts::{Alerts, MAX_WAITING};
use openframe_monitoring::store::memory::MemoryAlerts;
use openframe_monitoring_embedded::{MIGRATIONS, SqlAlerts};
use openframe_sqlite::Database;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn engines_agree(acts in proptest::collection::vec((0..12u8, 0..4u8, 0..6u8), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("alerts.db");
            let database = Database::open(&path, &MIGRATIONS).await.unwrap();
            let sqlite = SqlAlerts::new(database);
            (alerts::log(&MemoryAlerts::default(), &acts).await, alerts::log(&sqlite, &acts).await)
        });
        prop_assert_eq!(memory, sqlite);
    }
}

#[tokio::test]
async fn a_channel_that_takes_nothing_fills_no_disk() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("alerts.db"), &MIGRATIONS).await.unwrap();
    let want: Vec<_> = (3..MAX_WAITING + 3).map(|number| number.to_string()).collect();
    for store in [&MemoryAlerts::default() as &dyn Alerts, &SqlAlerts::new(database)] {
        assert_eq!(alerts::waiting_after(store, MAX_WAITING + 3).await, want);
    }
}
