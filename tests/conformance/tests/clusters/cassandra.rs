//! Cassandra: the devices service's promises.

use std::future::Future;

use futures::future::join_all;
use openframe_cassandra::{Cluster, Database, OpenError};
use openframe_conformance::devices;
use openframe_devices::Stores;
use openframe_devices::store::memory::Memory;
use openframe_devices_cassandra::{MIGRATIONS, stores};
use openframe_ids::TenantId;
use openframe_lab::Node;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::{CASSANDRA, lab, schema, while_it_dies};

async fn fresh() -> (Database, Stores) {
    let keyspace = schema("devices");
    let database = Database::connect(&lab().cassandra().unwrap(), &keyspace).await.unwrap();
    database.migrate(MIGRATIONS).await.unwrap();
    database.check(MIGRATIONS).await.unwrap();
    let stores = stores(&database).await.unwrap();
    (database, stores)
}

/// Runs a property on one store: each case has a space of its own in it.
fn hold<T: Strategy, F: Future<Output = Result<(), TestCaseError>>>(
    cases: u32,
    values: &T,
    property: impl Fn(Stores, T::Value) -> F,
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (database, stores) = runtime.block_on(fresh());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let held = runner.run(values, |value| runtime.block_on(property(stores.clone(), value)));
    held.unwrap();
    runtime.block_on(database.remove_keyspace()).unwrap();
}

async fn agree(stores: Stores, acts: Vec<devices::Act>) -> Result<(), TestCaseError> {
    let space = TenantId::new();
    let model = devices::log(&Stores::of(Memory::default()), space, &acts).await;
    let real = devices::log(&stores, space, &acts).await;
    for (model, real) in model.lines().zip(real.lines()) {
        prop_assert_eq!(model, real);
    }
    prop_assert_eq!(model.len(), real.len());
    Ok(())
}

#[test]
#[ignore = "needs the lab"]
fn cassandra_and_the_model_agree_on_devices() {
    let _held = CASSANDRA.shared_blocking();
    let acts = proptest::collection::vec((0..12_u8, 0..6_u8, 0..6_u8), 1..80);
    hold(8, &acts, agree);
}

#[test]
#[ignore = "needs the lab"]
fn races_on_a_device_end_in_order() {
    let _held = CASSANDRA.shared_blocking();
    let acts = proptest::collection::vec((0..8_u8, 0..9_u8), 1..40);
    hold(6, &acts, |stores, acts| async move {
        prop_assert_eq!(devices::race(&stores, TenantId::new(), &acts).await, Ok(()));
        Ok(())
    });
}

/// The same while one node dies and comes back: nobody is told that something failed, and every
/// answer is the model's.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes a node down"]
async fn cassandra_and_the_model_agree_while_a_node_dies() {
    let _held = CASSANDRA.alone().await;
    let (_, stores) = fresh().await;
    let acts = proptest::collection::vec((0..12_u8, 0..6_u8, 0..6_u8), 20..40);
    let round = move |acts| {
        let stores = stores.clone();
        async move { agree(stores, acts).await.unwrap() }
    };
    while_it_dies(Node::Cassandra(2), acts, round).await;
    // The keyspace stays: a node that has just come back may miss that one is dropped (seen with
    // Cassandra 5.0.9), and its tables differ from then on.
    lab().cassandra_whole().await.unwrap();
}

/// Reads that settle go to another node when the one that was asked dies: many at a time, so that some
/// are under way at that moment.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes a node down"]
async fn keys_are_looked_up_while_a_node_dies() {
    let _held = CASSANDRA.alone().await;
    let (_, stores) = fresh().await;
    let round = move |tenants: Vec<u128>| {
        let stores = stores.clone();
        async move {
            let looks = tenants.iter().map(|tenant| async {
                let tenant = TenantId(uuid::Uuid::from_u128(*tenant));
                stores.commands.used(tenant, ("user ann", "key"), jiff::Timestamp::UNIX_EPOCH).await
            });
            for used in join_all(looks).await {
                assert_eq!(used.unwrap(), None);
            }
        }
    };
    let tenants = proptest::collection::vec(any::<u128>(), 64);
    while_it_dies(Node::Cassandra(1), tenants, round).await;
    lab().cassandra_whole().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn tables_are_made_once_and_their_version_is_checked() {
    let _held = CASSANDRA.shared().await;
    let (cluster, keyspace) = (lab().cassandra().unwrap(), schema("devices"));
    let database = Database::connect(&cluster, &keyspace).await.unwrap();
    let older = database.check(MIGRATIONS).await.unwrap_err().to_string();
    assert!(older.contains("version 0") && older.contains("openframe migrate"), "{older}");
    let others = join_all((0..3).map(|_| Database::connect(&cluster, &keyspace))).await;
    let several = others.iter().map(|database| database.as_ref().unwrap().migrate(MIGRATIONS));
    let applied: Vec<i64> = join_all(several).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(applied, [1, 2, 3]);
    database.check(MIGRATIONS).await.unwrap();
    let newer = database.check(&[]).await.unwrap_err().to_string();
    assert!(newer.contains("version 3") && newer.contains("newer version"), "{newer}");
    database.remove_keyspace().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn a_cluster_that_cannot_be_reached_is_said_to_be() {
    let _held = CASSANDRA.shared().await;
    let good = lab().cassandra().unwrap();
    let wrong = |change: fn(&mut Cluster)| {
        let mut cluster = good.clone();
        change(&mut cluster);
        cluster
    };
    let wrongs = [
        wrong(|it| it.password = "wrong".to_owned()),
        wrong(|it| it.nodes = vec!["127.0.90.200:9042".to_owned()]),
        // Not the authority that vouches for the nodes.
        wrong(|it| it.roots_pem = std::fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap()),
    ];
    for cluster in wrongs {
        let refused = Database::connect(&cluster, "devices").await.unwrap_err();
        assert!(matches!(refused, OpenError::Connect { .. }), "{refused:?}");
        assert!(!format!("{refused:?}").contains(&good.password));
    }
    let odd = Database::connect(&good, "x; drop table device").await;
    assert!(matches!(odd, Err(OpenError::BadKeyspace(_))));
}
