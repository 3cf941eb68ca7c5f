//! The auth service's promises on every engine.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

use openframe_auth::Stores;
use openframe_auth::store::MemoryStore;
use openframe_conformance::auth as rules;
use openframe_sqlite::Database;
use proptest::prelude::*;

struct Engines {
    memory: Stores,
    sqlite: Stores,
    _folder: tempfile::TempDir,
}

async fn engines() -> Engines {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let database = Database::open(&path, &openframe_auth_sqlite::MIGRATIONS).await.unwrap();
    let sqlite = openframe_auth_sqlite::stores(&database);
    Engines { memory: Stores::of(&MemoryStore::default()), sqlite, _folder: folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_use_token_lets_one_in() {
    let engines = engines().await;
    rules::a_single_use_token_lets_one_in(&engines.memory).await;
    rules::a_single_use_token_lets_one_in(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_first_owner_is_made() {
    let engines = engines().await;
    rules::one_first_owner_is_made(&engines.memory).await;
    rules::one_first_owner_is_made(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrapped_owner_leaves_room_for_a_person() {
    let engines = engines().await;
    rules::a_bootstrapped_owner_leaves_room_for_a_person(&engines.memory).await;
    rules::a_bootstrapped_owner_leaves_room_for_a_person(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_from_the_one_that_was_seen() {
    let engines = engines().await;
    rules::a_password_is_changed_from_the_one_that_was_seen(&engines.memory).await;
    rules::a_password_is_changed_from_the_one_that_was_seen(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_person_add_up() {
    let engines = engines().await;
    rules::changes_of_a_person_add_up(&engines.memory).await;
    rules::changes_of_a_person_add_up(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_for_the_bound_key() {
    let engines = engines().await;
    rules::a_certificate_counts_for_the_bound_key(&engines.memory).await;
    rules::a_certificate_counts_for_the_bound_key(&engines.sqlite).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn engines_agree(steps in proptest::collection::vec((0..13u8, 0..8u8, 0..6u8), 1..60)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let engines = engines().await;
            (rules::log(&engines.memory, &steps).await, rules::log(&engines.sqlite, &steps).await)
        });
        prop_assert_eq!(memory, sqlite);
    }
}
