//! The audit trail: what is found in it, and what is found out about it.

use super::*;
use crate::app::{Finding, Verdict};
use crate::domain::{Action, Checkpoint};
use crate::store::{Answer, Place, StoreError, StreamState, Trail, Whose};

type Times = (Option<Timestamp>, Option<Timestamp>);

#[tokio::test]
async fn what_is_looked_for_is_found_page_by_page() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let begin = world.clock.clock().now();
    for _ in 0..5 {
        world.clock.advance(SignedDuration::from_secs(1));
        world.app.create_enrolment_token(&owner, NewToken::default()).await.unwrap();
    }
    let found = async |filter: &Filter| {
        let (mut seqs, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = world.app.audit(&owner, filter.clone(), cursor.as_deref(), Some(2));
            let (entries, next) = page.await.unwrap();
            seqs.extend(entries.into_iter().map(|entry| entry.seq));
            let Some(next) = next else { return seqs };
            cursor = Some(next);
        }
    };
    let all = found(&Filter::default()).await;
    let of = |action: &str| Filter {
        action: Some(Action::read(action.to_owned())),
        ..Filter::default()
    };
    let tokens = found(&of("enrolment_token.")).await;
    assert_eq!((tokens.len(), tokens.as_slice()), (5, &all[..5]));
    assert_eq!(found(&of("enrolment_token.create")).await, tokens);
    assert!(found(&of("enrolment_token")).await.is_empty());
    let second = SignedDuration::from_secs(1);
    let (from, to) = (Some(begin + 2 * second), Some(begin + 4 * second));
    assert_eq!(found(&Filter { from, to, ..Filter::default() }).await, tokens[2..4]);
    let late = Filter { from: Some(begin + 9 * second), ..Filter::default() };
    assert!(found(&late).await.is_empty());
}

#[tokio::test]
async fn what_no_entry_can_have_is_not_looked_for() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let long = "x".repeat(501);
    for filter in [
        Filter { outcome: Some("don".to_owned()), ..Filter::default() },
        Filter { actor: Some("a\0b".to_owned()), ..Filter::default() },
        Filter { target: Some(long), ..Filter::default() },
    ] {
        let refused = world.app.audit(&owner, filter.clone(), None, None).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{filter:?}");
    }
}

/// What was done to the entries of a trail.
type Tamper = fn(&mut Vec<Entry>);

/// A trail that is not as it should be.
struct Odd {
    memory: MemoryStore,
    tamper: Tamper,
    /// Whether the store stops to answer in the middle of a search.
    breaks: bool,
}

#[async_trait::async_trait]
impl Trail for Odd {
    async fn append(&self, tenant: TenantId, event: &Event) -> Answer<()> {
        self.memory.append(tenant, event).await
    }

    async fn search(
        &self,
        tenant: TenantId,
        filter: &Filter,
        from: Place,
        limit: u32,
    ) -> Answer<Vec<Entry>> {
        if self.breaks && matches!(from, Place::After(1..)) {
            return Err(StoreError::Unavailable("the disk is gone".into()));
        }
        self.memory.search(tenant, filter, from, limit).await
    }

    async fn span(&self, tenant: TenantId, of: Times) -> Answer<Option<(u64, u64)>> {
        self.memory.span(tenant, of).await
    }

    async fn after(&self, tenant: TenantId, after: u64, limit: u32) -> Answer<Vec<Entry>> {
        let mut entries = Trail::after(&self.memory, tenant, 0, limit).await?;
        (self.tamper)(&mut entries);
        entries.retain(|entry| entry.seq > after);
        Ok(entries)
    }

    async fn head(&self, tenant: TenantId) -> Answer<Option<(u64, [u8; 32])>> {
        self.memory.head(tenant).await
    }

    async fn add_checkpoint(&self, checkpoint: &Checkpoint, after: Option<u64>) -> Answer<bool> {
        self.memory.add_checkpoint(checkpoint, after).await
    }

    async fn checkpoints(
        &self,
        tenant: TenantId,
        after: u64,
        limit: u32,
    ) -> Answer<Vec<Checkpoint>> {
        self.memory.checkpoints(tenant, after, limit).await
    }

    async fn last_checkpoint(&self, tenant: TenantId) -> Answer<Option<Checkpoint>> {
        self.memory.last_checkpoint(tenant).await
    }

    async fn lead_stream(
        &self,
        whose: Whose<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Answer<Option<u64>> {
        self.memory.lead_stream(whose, now, until).await
    }

    async fn stream_arrived(&self, whose: Whose<'_>, place: u64, now: Timestamp) -> Answer<bool> {
        self.memory.stream_arrived(whose, place, now).await
    }

    async fn stream_failed(&self, whose: Whose<'_>, why: &str, now: Timestamp) -> Answer<()> {
        self.memory.stream_failed(whose, why, now).await
    }

    async fn streams(&self, tenant: TenantId) -> Answer<Vec<StreamState>> {
        self.memory.streams(tenant).await
    }
}

#[tokio::test]
async fn an_export_is_what_there_was_when_it_began_or_fails() {
    let mut world = world();
    let memory = MemoryStore::default();
    world.app.store = Stores::of(&memory);
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let event = world.app.event(&owner, "test.made", "x");
    for _ in 0..1_200 {
        memory.append(world.tenant, &event).await.unwrap();
    }
    let of_tests = Filter { action: Some(Action::read("test.".to_owned())), ..Filter::default() };
    for filter in [of_tests, Filter::default()] {
        let (end, _) = memory.head(world.tenant).await.unwrap().unwrap();
        let mut export = world.app.export_audit(&owner, filter.clone()).await.unwrap();
        memory.append(world.tenant, &event).await.unwrap();
        let mut seqs = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            assert!(piece.len() <= 500);
            seqs.extend(piece.iter().map(|entry| entry.seq));
        }
        let first = if filter.action.is_some() { end - 1_199 } else { 1 };
        assert!(seqs.into_iter().eq(first..=end));
    }
    let nothing = Filter { actor: Some("nobody".to_owned()), ..Filter::default() };
    let mut export = world.app.export_audit(&owner, nothing).await.unwrap();
    assert_eq!(export.next().await.unwrap(), None);

    let trail = Arc::new(Odd { memory: memory.clone(), tamper: |_| {}, breaks: true });
    world.app.store = Stores { trail, ..Stores::of(&memory) };
    let mut export = world.app.export_audit(&owner, Filter::default()).await.unwrap();
    assert_eq!(export.next().await.unwrap().unwrap().len(), 500);
    assert!(matches!(export.next().await, Err(Error::Store(_))));
}

// ASVS 16.4.2
// B36.chain
#[tokio::test]
async fn a_changed_removed_or_inserted_entry_is_found() {
    let cases: [(Tamper, Option<(u64, Finding)>); 5] = [
        (|_| {}, None),
        (|entries| entries[1].event.actor.push('x'), Some((2, Finding::Chain))),
        (|entries| drop(entries.remove(1)), Some((2, Finding::Chain))),
        (|entries| drop(entries.pop()), Some((5, Finding::End))),
        (
            |entries| entries.insert(2, Entry { seq: 3, ..entries[1].clone() }),
            Some((3, Finding::Chain)),
        ),
    ];
    for (tamper, broken) in cases {
        let mut world = world();
        let memory = MemoryStore::default();
        let trail = Arc::new(Odd { memory: memory.clone(), tamper, breaks: false });
        world.app.store = Stores { trail, ..Stores::of(&memory) };
        let owner = world.resolve(&world.owner().await.secret).await.unwrap();
        for _ in 0..2 {
            world.app.create_enrolment_token(&owner, NewToken::default()).await.unwrap();
        }
        let verdict = world.app.verify_audit(&owner).await.unwrap();
        assert_eq!(verdict.broken, broken);
    }
}

// ASVS 16.4.2
#[tokio::test]
async fn checkpoints_are_made_when_due_and_checked() {
    let mut world = world();
    let memory = MemoryStore::default();
    world.app.store = Stores::of(&memory);
    assert_eq!(world.app.checkpoint(true).await.unwrap(), None, "there is nothing yet");
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let first = world.app.checkpoint(false).await.unwrap().unwrap();
    world.app.create_enrolment_token(&owner, NewToken::default()).await.unwrap();
    assert_eq!(world.app.checkpoint(false).await.unwrap(), None, "too early");
    world.clock.advance(SignedDuration::from_hours(24));
    let second = world.app.checkpoint(false).await.unwrap().unwrap();
    assert!(second.seq > first.seq);
    assert_eq!(world.app.checkpoint(true).await.unwrap(), None, "nothing is new");
    world.app.create_enrolment_token(&owner, NewToken::default()).await.unwrap();
    let last = world.app.checkpoint(true).await.unwrap().unwrap();
    let verdict = world.app.verify_audit(&owner).await.unwrap();
    let end = last.seq;
    assert_eq!(verdict, Verdict { entries: end, checkpoints: 3, last: Some(last), broken: None });

    // One that another platform has sealed.
    world.app.create_enrolment_token(&owner, NewToken::default()).await.unwrap();
    let (other, now) = (Authority::create(world.app.now()).unwrap().0, world.app.now());
    let head = memory.head(world.tenant).await.unwrap().unwrap();
    let forged = Checkpoint::make(&other, world.tenant, head, now).unwrap();
    assert!(memory.add_checkpoint(&forged, Some(end)).await.unwrap());
    let verdict = world.app.verify_audit(&owner).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (end, Some((end + 1, Finding::Forged))));

    // The trail is not what the last one was made of: that one hides nothing new.
    let tamper: Tamper = |entries| entries.iter_mut().for_each(|entry| entry.hash = [0; 32]);
    let trail = Arc::new(Odd { memory: memory.clone(), tamper, breaks: false });
    world.app.store = Stores { trail, ..Stores::of(&memory) };
    let refused = world.app.checkpoint(true).await;
    assert!(matches!(refused, Err(Error::Tampered(at)) if at == forged.seq));
}
