//! PostgreSQL: the auth service's promises, and those of monitoring's alerts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use openframe_auth::Stores;
use openframe_auth::domain::Checkpoint;
use openframe_auth::store::MemoryStore;
use openframe_conformance::{
    alerts, audit, auth as rules, device_grants, enrolment, invitations, mails, oauth, passwords,
    places, proofs,
};
use openframe_ids::TenantId;
use openframe_lab::Node;
use openframe_monitoring::store::alerts::MAX_WAITING;
use openframe_monitoring::store::memory::MemoryAlerts;
use openframe_monitoring_postgres::SqlAlerts;
use openframe_pki::Authority;
use openframe_postgres::{Database, OpenError, Settings};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::{POSTGRES, lab, schema, while_it_dies};

pub(crate) struct Auth {
    database: Database,
    pub(crate) stores: Stores,
}

impl Auth {
    pub(crate) async fn fresh() -> Self {
        Self::open(&lab().postgres(&schema("auth"))).await
    }

    async fn open(settings: &Settings) -> Self {
        let database = Database::connect(settings).await.unwrap();
        database.migrate(&openframe_auth_postgres::MIGRATIONS).await.unwrap();
        Self { stores: openframe_auth_postgres::stores(&database), database }
    }

    pub(crate) async fn end(self) {
        self.database.remove_schema().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_mail_and_invitations() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    mails::one_replica_at_a_time_has_a_mail(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    mails::a_wish_is_answered_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    invitations::an_invitation_is_accepted_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    invitations::an_invitation_ends_with_its_person(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    invitations::an_address_is_verified_once(&auth.stores).await;
    auth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_auth_services_rules() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    enrolment::a_single_use_token_lets_one_in(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    rules::one_first_owner_is_made(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    rules::a_bootstrapped_owner_leaves_room_for_a_person(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    rules::changes_of_a_person_add_up(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    passwords::a_password_link_is_good_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    passwords::a_password_is_changed_from_the_one_that_was_seen(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    enrolment::a_certificate_counts_for_the_bound_key(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    enrolment::a_generation_is_followed_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    audit::a_checkpoint_is_kept_once(&auth.stores).await;
    audit::one_replica_sends_the_trail(&auth.stores).await;
    auth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_places() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    places::a_place_goes_when_nothing_is_in_it(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    enrolment::a_device_waits_to_be_let_in(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    places::a_grant_is_given_and_taken_back(&auth.stores).await;
    auth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_access_for_programs() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    oauth::a_family_is_changed_from_the_version_that_was_seen(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    oauth::what_was_allowed_ends_with_the_session(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    oauth::what_was_allowed_can_be_taken_back(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    oauth::a_logout_is_told_by_one_at_a_time(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    oauth::whatever_ends_a_session_is_told(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    device_grants::a_waiting_program_gets_one_answer(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    device_grants::codes_cannot_be_guessed(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    proofs::a_pushed_request_is_answered_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    proofs::what_is_good_once_is_used_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    oauth::one_signing_key_is_made(&auth.stores).await;
    auth.end().await;
}

#[test]
#[ignore = "needs the lab"]
fn postgres_and_the_model_agree_on_alerts() {
    let _held = POSTGRES.shared_blocking();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let acts = proptest::collection::vec((0..12_u8, 0..4_u8, 0..6_u8), 1..40);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let agree = runner.run(&acts, |acts| {
        let (model, real) = runtime.block_on(alert_logs(&acts));
        prop_assert_eq!(model, real);
        Ok(())
    });
    agree.unwrap();
}

/// What happens with the model, and here.
async fn alert_logs(acts: &[(u8, u8, u8)]) -> (String, String) {
    let (database, real) = fresh_alerts().await;
    let model = alerts::log(&MemoryAlerts::default(), acts).await;
    let real = alerts::log(&real, acts).await;
    database.remove_schema().await.unwrap();
    (model, real)
}

/// The same of people.
async fn people_logs(steps: &[(u8, u8, u8)]) -> (String, String) {
    let auth = Auth::fresh().await;
    let model = Stores::of(&MemoryStore::default());
    let logs = (rules::log(&model, steps).await, rules::log(&auth.stores, steps).await);
    auth.end().await;
    logs
}

async fn fresh_alerts() -> (Database, SqlAlerts) {
    let database = Database::connect(&lab().postgres(&schema("alerts"))).await.unwrap();
    database.migrate(&openframe_monitoring_postgres::MIGRATIONS).await.unwrap();
    (database.clone(), SqlAlerts::new(database))
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_channel_that_takes_nothing_fills_no_disk() {
    let _held = POSTGRES.shared().await;
    let (database, store) = fresh_alerts().await;
    let want: Vec<_> = (3..MAX_WAITING + 3).map(|number| number.to_string()).collect();
    assert_eq!(alerts::waiting_after(&store, MAX_WAITING + 3).await, want);
    database.remove_schema().await.unwrap();
}

#[test]
#[ignore = "needs the lab"]
fn postgres_and_the_model_agree_on_people() {
    let _held = POSTGRES.shared_blocking();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = proptest::collection::vec((0..13_u8, 0..8_u8, 0..6_u8), 1..60);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let agree = runner.run(&steps, |steps| {
        let (model, real) = runtime.block_on(people_logs(&steps));
        prop_assert_eq!(model, real);
        Ok(())
    });
    agree.unwrap();
}

#[test]
#[ignore = "needs the lab"]
fn postgres_and_the_model_find_the_same_on_the_audit_trail() {
    let _held = POSTGRES.shared_blocking();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deeds = proptest::collection::vec((0..6u8, 0..7u8, 0..4u8, 0..3u8, 0..50u8), 1..40);
    let look = (0..16u8, 0..8u8, 0..6u8, 0..6u8, (0..80u8, 0..80u8));
    let looks = proptest::collection::vec(look, 1..12);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let agree = runner.run(&(deeds, looks), |(deeds, looks)| {
        let (model, real) = runtime.block_on(async {
            let (auth, model) = (Auth::fresh().await, Stores::of(&MemoryStore::default()));
            let model = audit::log(&model, &deeds, &looks).await;
            let real = audit::log(&auth.stores, &deeds, &looks).await;
            auth.end().await;
            (model, real)
        });
        prop_assert_eq!(model, real);
        Ok(())
    });
    agree.unwrap();
}

// B36.database
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn nothing_writes_over_the_audit_trail() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    let tenant = TenantId::new();
    for n in 0..3 {
        auth.stores.trail.append(tenant, &rules::event(n)).await.unwrap();
    }
    let (authority, _) = Authority::create(Timestamp::UNIX_EPOCH).unwrap();
    let end = (2, [0; 32]);
    let made = Checkpoint::make(&authority, tenant, end, Timestamp::UNIX_EPOCH).unwrap();
    assert!(auth.stores.trail.add_checkpoint(&made, None).await.unwrap());
    for statement in [
        "update audit set actor = 'somebody else' where seq = 2",
        "delete from audit where seq = 3",
        "truncate audit",
        "insert into audit select tenant_id, 9, at_ms, actor_kind, actor, action, target, outcome, \
         detail, remote_address, request_id, hash from audit where seq = 2",
        "update audit_heads set seq = 2",
        "update audit_heads set seq = 9",
        "delete from audit_heads",
        "truncate audit_heads",
        "update audit_checkpoints set seq = 9",
        "delete from audit_checkpoints",
        "truncate audit_checkpoints",
        "insert into audit_checkpoints select tenant_id, 1, hash, at_ms, chain_pem, signature \
         from audit_checkpoints",
    ] {
        let refused = auth.database.run(statement).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(auth.stores.trail.after(tenant, 0, 10).await.unwrap().len(), 3);
    auth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn tables_are_made_once_and_their_version_is_checked() {
    let _held = POSTGRES.shared().await;
    let settings = lab().postgres(&schema("auth"));
    let migrations = &openframe_auth_postgres::MIGRATIONS;
    let database = Database::connect(&settings).await.unwrap();
    let older = database.check(migrations).await.unwrap_err().to_string();
    assert!(older.contains("version 0") && older.contains("openframe migrate"), "{older}");
    let several = (0..4).map(|_| database.migrate(migrations));
    let applied = futures::future::join_all(several).await;
    let applied: Vec<i64> = applied.into_iter().flat_map(Result::unwrap).collect();
    assert!(applied.starts_with(&[1, 2, 3]), "{applied:?}");
    database.check(migrations).await.unwrap();
    database.run("update _sqlx_migrations set version = 9000 where version = 3").await.unwrap();
    let newer = database.check(migrations).await.unwrap_err().to_string();
    assert!(newer.contains("version 9000") && newer.contains("newer version"), "{newer}");
    database.remove_schema().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn a_cluster_that_cannot_be_reached_is_said_to_be() {
    let _held = POSTGRES.shared().await;
    let good = lab().postgres(&schema("auth"));
    let wrong = |change: fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings
    };
    let wrongs = [
        wrong(|it| it.password = "wrong".to_owned()),
        wrong(|it| it.hosts = vec!["127.0.54.200:5432".to_owned()]),
        // Not the authority that vouches for the nodes.
        wrong(|it| it.authority = "/etc/ssl/certs/ca-certificates.crt".into()),
    ];
    for settings in wrongs {
        let refused = Database::connect(&settings).await.unwrap_err();
        assert!(matches!(refused, OpenError::NoPrimary { .. }), "{refused:?}");
        assert!(!format!("{refused:?}").contains(&good.password));
    }
    let odd = wrong(|it| it.schema = "x; drop table users".to_owned());
    assert!(matches!(Database::connect(&odd).await, Err(OpenError::BadSchema(_))));
}

/// On a machine without a processor to spare a connection takes longer than a primary that is looked
/// for every second is given.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn a_primary_that_is_slow_is_found() {
    let _held = POSTGRES.shared().await;
    let mut slow = lab().postgres(&schema("slow"));
    let mut passing = Vec::new();
    for host in &mut slow.hosts {
        let (address, _) = host.rsplit_once(':').unwrap();
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let real = std::mem::replace(host, listener.local_addr().unwrap().to_string());
        passing.push(tokio::spawn(pass_late(listener, real)));
    }
    let database = Database::connect(&slow).await.unwrap();
    database.probe().await.unwrap();
    database.close().await;
    passing.iter().for_each(JoinHandle::abort);
}

/// Passes connections on, each only after three seconds.
async fn pass_late(listener: TcpListener, to: String) {
    loop {
        let (mut from, _) = listener.accept().await.unwrap();
        let to = to.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let mut to = TcpStream::connect(to).await.unwrap();
            // Whoever gives up cuts it off.
            drop(tokio::io::copy_bidirectional(&mut from, &mut to).await);
        });
    }
}

/// Writes wait until the primary is told that its standby is gone; nothing fails.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes its standby down"]
async fn postgres_and_the_model_agree_while_the_standby_dies() {
    let _held = POSTGRES.alone().await;
    let primary = lab().postgres_primary().unwrap();
    let standby = [1, 2].map(Node::Postgres).into_iter().find(|node| *node != primary).unwrap();
    let steps = proptest::collection::vec((0..13_u8, 0..8_u8, 0..6_u8), 20..40);
    while_it_dies(standby, steps, |steps| async move {
        let (model, real) = people_logs(&steps).await;
        assert_eq!(real, model);
        // Those of alerts are numbered differently.
        let acts: Vec<_> = steps.into_iter().map(|(a, b, c)| (a % 12, b % 4, c)).collect();
        let (model, real) = alert_logs(&acts).await;
        assert_eq!(real, model);
    })
    .await;
    lab().postgres_whole().await.unwrap();
}

/// Writers of an audit trail who go on until they are told to end, and know what was acknowledged.
struct Writers {
    auth: Auth,
    tenant: TenantId,
    written: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<i64>>>,
}

impl Writers {
    async fn start() -> Self {
        let auth = Auth::open(&lab().postgres(&schema("auth"))).await;
        let (tenant, written) = (TenantId::new(), Arc::<AtomicU64>::default());
        let ends = Arc::<AtomicBool>::default();
        let writer = |first: i64| {
            let (trail, written) = (Arc::clone(&auth.stores.trail), Arc::clone(&written));
            let ends = Arc::clone(&ends);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                let mut n = first;
                while !ends.load(Ordering::SeqCst) {
                    if trail.append(tenant, &rules::event(n)).await.is_ok() {
                        acknowledged.push(n);
                        written.fetch_add(1, Ordering::SeqCst);
                    } else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    n += 4;
                }
                acknowledged
            })
        };
        let tasks = (0..4).map(writer).collect();
        Self { auth, tenant, written, ends, tasks }
    }

    /// Waits until so many more were acknowledged.
    async fn write(&self, more: u64) {
        let from = self.written.load(Ordering::SeqCst);
        let enough = async || self.written.load(Ordering::SeqCst) >= from + more;
        lab().until(enough).await.unwrap();
    }

    /// What was acknowledged is there, once and in its order.
    pub(crate) async fn end(self) {
        self.ends.store(true, Ordering::SeqCst);
        let mut acknowledged = Vec::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        let (mut kept, mut hash) = (Vec::new(), [0; 32]);
        loop {
            let last = kept.len() as u64;
            let page = self.auth.stores.trail.after(self.tenant, last, 1_000).await.unwrap();
            if page.is_empty() {
                break;
            }
            for entry in page {
                assert_eq!(entry.seq, kept.len() as u64 + 1);
                hash = openframe_auth::domain::link(&hash, self.tenant, entry.seq, &entry.event);
                assert_eq!(hash, entry.hash, "entry {}", entry.seq);
                kept.push(entry.event.at.as_millisecond());
            }
        }
        kept.sort_unstable();
        let lost: Vec<_> = acknowledged.iter().filter(|n| kept.binary_search(n).is_err()).collect();
        assert!(lost.is_empty(), "{} of {} lost", lost.len(), acknowledged.len());
        let all = kept.len();
        kept.dedup();
        assert_eq!(kept.len(), all, "nothing is there twice");
        self.auth.end().await;
    }
}

/// Whoever writes while the primary dies is told the truth, and writing goes on after the standby has
/// taken over.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes its primary down"]
async fn nothing_acknowledged_is_lost_with_the_primary() {
    let _held = POSTGRES.alone().await;
    let lab = lab();
    let writers = Writers::start().await;
    writers.write(50).await;
    let killed = lab.postgres_primary().unwrap();
    lab.kill(killed).await.unwrap();
    writers.write(50).await;
    lab.start(killed).await.unwrap();
    writers.end().await;
    lab.postgres_whole().await.unwrap();
}

/// A primary that is alive but hears nothing of its standby goes on alone after a while. The standby,
/// which lacks what was acknowledged meanwhile, does not take over when the primary then dies.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes its primary down"]
async fn nothing_acknowledged_is_lost_when_the_standby_is_cut_off() {
    let _held = POSTGRES.alone().await;
    let lab = lab();
    let writers = Writers::start().await;
    writers.write(50).await;
    let primary = lab.postgres_primary().unwrap();
    let cut = lab.cut_replication().unwrap();
    lab.until(async || lab.postgres_standbys(primary) == Some(0)).await.unwrap();
    writers.write(50).await;
    lab.kill(primary).await.unwrap();
    lab.start(primary).await.unwrap();
    writers.write(50).await;
    assert_eq!(lab.postgres_primary(), Some(primary));
    cut.mend();
    lab.postgres_whole().await.unwrap();
    // In step again, the standby may take over, and has everything.
    lab.kill(primary).await.unwrap();
    writers.write(50).await;
    lab.start(primary).await.unwrap();
    writers.end().await;
    lab.postgres_whole().await.unwrap();
}
