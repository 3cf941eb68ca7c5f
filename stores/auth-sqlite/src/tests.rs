//! What the file itself refuses, whoever writes to it.

use jiff::Timestamp;
use openframe_auth::domain::{Action, Checkpoint, Event, Filter};
use openframe_auth::store::Place;
use openframe_ids::TenantId;
use openframe_pki::Authority;

use super::*;

fn event() -> Event {
    let text = || "x".to_owned();
    Event {
        at: Timestamp::UNIX_EPOCH,
        actor_kind: text(),
        actor: text(),
        action: text(),
        target: text(),
        outcome: text(),
        detail: text(),
        remote_address: text(),
        request_id: text(),
    }
}

// B36.database
#[tokio::test]
async fn nothing_writes_over_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("auth.db"), &MIGRATIONS).await.unwrap();
    let (stores, tenant) = (stores(&database), TenantId::new());
    for _ in 0..3 {
        stores.trail.append(tenant, &event()).await.unwrap();
    }
    let before = stores.trail.after(tenant, 0, 10).await.unwrap();
    let (authority, _) = Authority::create(Timestamp::UNIX_EPOCH).unwrap();
    let end = (2, [0; 32]);
    let made = Checkpoint::make(&authority, tenant, end, Timestamp::UNIX_EPOCH).unwrap();
    assert!(stores.trail.add_checkpoint(&made, None).await.unwrap());
    let columns = "tenant_id, seq, at_ms, actor_kind, actor, action, target, outcome, detail, \
                   remote_address, request_id, hash";
    let again = |seq: &str| {
        let taken = columns.replacen("seq", seq, 1);
        format!("insert or replace into audit ({columns}) select {taken} from audit where seq = 2")
    };
    let statements = [
        "update audit set actor = 'somebody else' where seq = 2".to_owned(),
        "delete from audit where seq = 3".to_owned(),
        again("2"),
        again("9"),
        "update audit_heads set seq = 2".to_owned(),
        "update audit_heads set seq = 9".to_owned(),
        "delete from audit_heads".to_owned(),
        "update audit_checkpoints set seq = 9".to_owned(),
        "delete from audit_checkpoints".to_owned(),
        "insert or replace into audit_checkpoints select * from audit_checkpoints".to_owned(),
    ];
    for statement in statements {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(database.writer());
        let refused = done.await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(stores.trail.after(tenant, 0, 10).await.unwrap(), before);
    stores.trail.append(tenant, &event()).await.unwrap();
}

/// What is looked for is found in an index, whose order is that of the answer: however long the trail
/// is, a page of it costs a page.
#[tokio::test]
async fn no_search_of_the_audit_trail_reads_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("auth.db"), &MIGRATIONS).await.unwrap();
    let plan = async |filter: Filter, from: Place| {
        let search = queries::search(TenantId::new().0, &filter, from, 100);
        let explained = format!("explain query plan {}", search.sql().as_str());
        let rows = sqlx::query_as::<_, (i64, i64, i64, String)>(sqlx::AssertSqlSafe(explained));
        let rows = rows.fetch_all(database.reader()).await.unwrap();
        rows.into_iter().map(|(.., step)| step).collect::<Vec<_>>().join("; ")
    };
    let (all, some) = (Filter::default, || Some("x".to_owned()));
    let action = |text: &str| Some(Action::read(text.to_owned()));
    let at = Some(Timestamp::UNIX_EPOCH);
    let cases = [
        (all(), "sqlite_autoindex_audit_1 (tenant_id=? AND seq"),
        (Filter { action: action("a.b"), ..all() }, "audit_by_action (tenant_id=? AND action=?"),
        (Filter { action: action("a."), ..all() }, "audit_by_family (tenant_id=? AND <expr>=?"),
        (Filter { action: action("a.b."), ..all() }, "audit_by_family (tenant_id=? AND <expr>=?"),
        (Filter { actor: some(), ..all() }, "audit_by_actor (tenant_id=? AND actor=?"),
        (Filter { target: some(), ..all() }, "audit_by_target (tenant_id=? AND target=?"),
        (
            Filter { outcome: Some("refused".to_owned()), ..all() },
            "audit_by_outcome (tenant_id=? AND outcome=?",
        ),
        (
            Filter { from: at, to: at, places: Some((1, 9)), ..all() },
            "sqlite_autoindex_audit_1 (tenant_id=? AND seq>? AND seq<?)",
        ),
    ];
    for (filter, index) in cases {
        for place in [Place::NEWEST, Place::OLDEST] {
            let plan = plan(filter.clone(), place).await;
            assert!(plan.contains(index) && !plan.contains("B-TREE"), "{filter:?}: {plan}");
        }
    }
}
