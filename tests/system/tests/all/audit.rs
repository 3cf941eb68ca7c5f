//! The audit trail from outside: what is found in it, all of it as a file, and what is found out about
//! one that was tampered with.

use futures::{StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use http_body_util::BodyExt as _;
use openframe_auth::domain::{Event, link};
use openframe_auth_api::{AuditEntry, AuditFilter};
use openframe_ids::TenantId;
use openframe_system::{AuthDatabase, Server, until};
use serde_json::Value;

use crate::cli::Operator;

/// The places of what the command line prints, in its order.
fn seqs(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_is_looked_for_is_found() {
    let server = Server::start().unwrap();
    let auth = server.auth().unwrap();
    for _ in 0..3 {
        server.enrolment_token(1).await.unwrap();
    }
    let everything = auth.audit(None, 500).await.unwrap().items;
    let tokens: Vec<_> =
        everything.iter().filter(|it| it.action.starts_with("enrolment")).collect();
    let [last, middle, first] = tokens.as_slice() else { panic!("{everything:?}") };

    let operator = Operator::of(&server);
    let found = |args: &[&str]| seqs(&operator.json(&[&["audit", "tail"], args].concat()));
    let all = [last.seq, middle.seq, first.seq];
    assert_eq!(found(&["--action", "enrolment_token."]), all);
    assert_eq!(found(&["--action", "enrolment_token.create", "--outcome", "done"]), all);
    assert_eq!(found(&["--target", &middle.target]), [middle.seq]);
    assert_eq!(found(&["--actor", &first.actor, "--action", "enrolment_token."]), all);
    let (from, to) = (first.at.to_string(), last.at.to_string());
    let between = found(&["--from", &from, "--to", &to]);
    assert!(between.contains(&first.seq) && !between.contains(&last.seq), "{between:?}");
    assert!(found(&["--action", "enrolment_token"]).is_empty());
    operator.fails(2, &["audit", "tail", "--from", "yesterday"]);

    let filter =
        AuditFilter { action: Some("enrolment_token.".to_owned()), ..AuditFilter::default() };
    let page = auth.search_audit(&filter, None, 2).await.unwrap();
    let cursor = page.next_cursor.unwrap();
    let rest = auth.search_audit(&filter, Some(&cursor), 2).await.unwrap();
    assert_eq!(rest.items.iter().map(|it| it.seq).collect::<Vec<_>>(), [first.seq]);
}

/// Puts so many entries on the trail.
pub(crate) async fn fill(server: &Server, entries: usize) {
    let made = futures::stream::iter(0..entries).map(|_| server.enrolment_token(1));
    made.buffer_unordered(16).try_for_each(async |_| Ok(())).await.unwrap();
}

fn entries(lines: &str) -> Vec<AuditEntry> {
    assert!(lines.ends_with('\n'), "the last line is whole");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Exported are all entries, oldest first, with their hashes; an export whose store fails in the middle
/// is seen to be one.
#[tokio::test]
async fn an_export_is_whole_or_fails() {
    let mut server = Server::start().unwrap();
    fill(&server, 700).await;
    let operator = Operator::of(&server);
    let exported = entries(&operator.says(&["audit", "export"]));
    let seqs = exported.iter().map(|entry| entry.seq);
    assert!(exported.len() > 700 && seqs.eq(1..=exported.len() as u64));
    let newest = server.auth().unwrap().audit(None, 1).await.unwrap().items;
    let last = exported.iter().find(|it| it.seq == newest[0].seq).unwrap();
    assert_eq!((&last.hash, last.at), (&newest[0].hash, newest[0].at));

    let file = operator.home.path().join("tokens.ndjson");
    let name = file.display().to_string();
    let tokens = ["audit", "export", "--action", "enrolment_token.", "--file", &name];
    assert_eq!(operator.says(&tokens), "");
    let found = entries(&std::fs::read_to_string(&file).unwrap());
    assert!(found.len() == 700 && found.iter().all(|it| it.action == "enrolment_token.create"));

    let database = server.auth_database().await.unwrap();
    database.disarm().await.unwrap();
    let damage = format!("update audit set hash = {} where seq = 650", database.bytes(&[0]));
    database.run(&damage).await.unwrap();
    // Between services a stream that breaks off takes with it what has not left yet, be it the head.
    match server.auth().unwrap().export_audit(&AuditFilter::default()).await {
        Ok(answer) => assert!(answer.into_body().collect().await.is_err(), "a whole export"),
        Err(fault) => assert_eq!(fault.kind().status(), StatusCode::SERVICE_UNAVAILABLE),
    }
    let late = operator.home.path().join("late.ndjson");
    let said = operator.fails(8, &["audit", "export", "--file", &late.display().to_string()]);
    assert!(said.contains("broke off") || said.contains("does not answer"), "{said}");
    let left = std::fs::read_dir(operator.home.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("late")), "{left:?}");
}

/// A trail with checkpoints, whose database lies open.
struct Scene {
    server: Server,
    operator: Operator,
    database: AuthDatabase,
    tenant: TenantId,
    entries: Vec<AuditEntry>,
    /// The last place, which has a checkpoint.
    end: u64,
}

impl Scene {
    async fn set() -> Self {
        let mut server = Server::start_with(&["auth.audit.checkpoint_entries=1"]).unwrap();
        let (auth, operator) = (server.auth().unwrap(), Operator::of(&server));
        let tenant = auth.me().await.unwrap().tenant_id;
        let mut sealed = Vec::new();
        for _ in 0..2 {
            fill(&server, 10).await;
            let last = until("the end to be sealed", || async {
                let verdict = auth.verify_audit().await.ok()?;
                verdict.last_checkpoint.filter(|last| last.seq == verdict.entries)
            });
            sealed.push(last.await);
        }
        let (last, entries) =
            (sealed.pop().unwrap(), entries(&operator.says(&["audit", "export"])));
        assert_eq!((last.seq, &last.hash), (entries.len() as u64, &entries.last().unwrap().hash));
        let database = server.auth_database().await.unwrap();
        database.disarm().await.unwrap();
        database.keep().await.unwrap();
        Self { server, operator, database, tenant, entries, end: last.seq }
    }

    /// Does this to the trail, and says what is found out; then undoes it.
    async fn after(&self, damage: &[String]) -> Option<(u64, String)> {
        for statement in damage {
            self.database.run(statement).await.unwrap();
        }
        let verdict = self.server.auth().unwrap().verify_audit().await.unwrap();
        let found = verdict.broken_at.zip(verdict.finding);
        if found.is_some() {
            let said = self.operator.fails(6, &["audit", "verify"]);
            assert!(said.contains("does not hold"), "{said}");
        } else {
            self.operator.says(&["audit", "verify"]);
        }
        found
    }

    async fn mended(&self, damage: &[String]) -> Option<(u64, String)> {
        let found = self.after(damage).await;
        self.database.mend().await.unwrap();
        found
    }

    /// The statements that make a trail of entries whose every hash follows, and whose head fits.
    fn written(&self, entries: &[AuditEntry]) -> Vec<String> {
        let (mut hash, mut statements) = ([0; 32], Vec::new());
        for (entry, seq) in entries.iter().zip(1..) {
            hash = link(&hash, self.tenant, seq, &event(entry));
            let bytes = self.database.bytes(&hash);
            let actor = &entry.actor;
            statements.push(format!(
                "update audit set actor = '{actor}', hash = {bytes} where seq = {seq}"
            ));
        }
        let end = entries.len();
        statements.push(format!("delete from audit where seq > {end}"));
        let hash = self.database.bytes(&hash);
        statements.push(format!("update audit_heads set seq = {end}, hash = {hash}"));
        statements
    }
}

fn event(entry: &AuditEntry) -> Event {
    let entry = entry.clone();
    Event {
        at: entry.at,
        actor_kind: entry.actor_kind,
        actor: entry.actor,
        action: entry.action,
        target: entry.target,
        outcome: entry.outcome,
        detail: entry.detail,
        remote_address: entry.remote_address,
        request_id: entry.request_id,
    }
}

// ASVS 16.4.2
// B36.chain
/// What somebody does to the trail who owns its database and knows how hashes are made, but has no key
/// of the platform.
#[tokio::test]
async fn whoever_owns_the_database_is_found_out() {
    let scene = Scene::set().await;
    let (end, database) = (scene.end, &scene.database);
    let found = |at: u64, what: &str| Some((at, what.to_owned()));
    let sql = |text: &str| text.to_owned();
    assert_eq!(scene.mended(&[]).await, None);

    let flipped = [sql("update audit set detail = detail || '.' where seq = 5")];
    assert_eq!(scene.mended(&flipped).await, found(5, "chain"));
    let flipped = format!("update audit set hash = {} where seq = 5", database.bytes(&[1; 32]));
    assert_eq!(scene.mended(&[flipped]).await, found(5, "chain"));

    let removed = [sql("delete from audit where seq = 5")];
    assert_eq!(scene.mended(&removed).await, found(5, "chain"));
    let closed_up = [
        sql("delete from audit where seq = 5"),
        sql("update audit set seq = -seq where seq > 5"),
        sql("update audit set seq = -seq - 1 where seq < 0"),
    ];
    assert_eq!(scene.mended(&closed_up).await, found(5, "chain"));

    let columns = "at_ms, actor_kind, actor, action, target, outcome, detail, remote_address, \
                   request_id, hash";
    let insert = |seq: u64, of: u64| {
        format!(
            "insert into audit (tenant_id, seq, {columns}) \
             select tenant_id, {seq}, {columns} from audit where seq = {of}"
        )
    };
    let inserted = [
        sql("update audit set seq = -seq where seq >= 5"),
        sql("update audit set seq = 1 - seq where seq < 0"),
        insert(5, 4),
    ];
    assert_eq!(scene.mended(&inserted).await, found(5, "chain"));
    // One at the end, whose hash follows.
    let last = scene.entries.last().unwrap();
    let hash = bytes_of(&last.hash);
    let hash = link(&hash, scene.tenant, end + 1, &event(last));
    let hash = format!("update audit set hash = {} where seq = {}", database.bytes(&hash), end + 1);
    let added = [insert(end + 1, end), hash];
    assert_eq!(scene.mended(&added).await, found(end + 1, "added"));

    let cut = [format!("delete from audit where seq > {}", end - 3)];
    assert_eq!(scene.mended(&cut).await, found(end - 2, "cut"));
    let kept = usize::try_from(end - 3).unwrap();
    let cut = scene.written(&scene.entries[..kept]);
    assert_eq!(scene.mended(&cut).await, found(end - 2, "cut"));
}

fn bytes_of(hex: &str) -> [u8; 32] {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).unwrap().try_into().unwrap()).collect();
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, it| byte << 4 | it)).collect();
    bytes.try_into().unwrap()
}

// ASVS 16.4.2
// B36.chain
/// Every hash of it follows from the one before; what gives it away is what the platform has sealed.
#[tokio::test]
async fn a_trail_that_was_written_anew_is_found_out() {
    let scene = Scene::set().await;
    let mut anew = scene.entries.clone();
    anew[2].actor = "somebody else".to_owned();
    let rewritten = scene.written(&anew);
    let checkpoints = "audit_checkpoints";
    let (first, finding) = scene.mended(&rewritten).await.unwrap();
    assert!(first >= 3 && first <= scene.end && finding == "rewritten", "{first} {finding}");

    // The checkpoints are made to fit, but their seals cannot be.
    let forged = format!(
        "update {checkpoints} set hash = (select hash from audit where audit.seq = {checkpoints}.seq)"
    );
    let forged = [rewritten.clone(), vec![forged]].concat();
    let (at, finding) = scene.mended(&forged).await.unwrap();
    assert_eq!((at, finding.as_str()), (first, "forged"));

    // No checkpoint is left: what has left the machine shows it.
    let (end, last) = (scene.end, scene.entries.last().unwrap());
    let told = format!("{end}:{}", last.hash);
    scene.operator.says(&["audit", "verify", "--against", &told]);
    let gone = [rewritten, vec![format!("delete from {checkpoints}")]].concat();
    assert_eq!(scene.after(&gone).await, None);
    let said = scene.operator.fails(6, &["audit", "verify", "--against", &told]);
    assert!(said.contains("has the hash"), "{said}");
    let late = format!("{}:{}", end + 100, last.hash);
    let said = scene.operator.fails(6, &["audit", "verify", "--against", &late]);
    assert!(said.contains("ends before"), "{said}");
}

/// The end is sealed when the trail has grown, once whatever the number of replicas, and the log tells.
#[tokio::test]
async fn a_checkpoint_is_made_when_the_trail_has_grown() {
    let mut server = Server::start_with(&["auth.audit.checkpoint_entries=5"]).unwrap();
    let auth = server.auth().unwrap();
    let first =
        until("the first checkpoint", || async { auth.verify_audit().await.ok()?.last_checkpoint })
            .await;
    fill(&server, 10).await;
    let verdict = until("a checkpoint of what is new", || async {
        let verdict = auth.verify_audit().await.ok()?;
        let last = verdict.last_checkpoint.as_ref()?;
        (last.seq > first.seq).then_some(verdict)
    })
    .await;
    let last = verdict.last_checkpoint.unwrap();
    let line = format!("entry {} has the hash {}", last.seq, last.hash);
    let tellers = server.auth_logs();
    assert_eq!(tellers.iter().filter(|said| said.contains(&line)).count(), 1, "{line}");

    fill(&server, 1).await;
    let newest = auth.audit(None, 1).await.unwrap().items[0].seq;
    server.stop_and_restart().unwrap();
    let verdict = server.auth().unwrap().verify_audit().await.unwrap();
    assert!(verdict.last_checkpoint.unwrap().seq >= newest, "a clean stop seals the end");
}
