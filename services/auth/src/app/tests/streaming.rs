//! Sending the audit trail on: in order, from what has arrived, by one replica.

use std::sync::Mutex;

use super::*;
use crate::app::{Round, Stream};
use crate::stream::{Sink, Streams};

/// What a destination got, and how it is.
#[derive(Default)]
struct Got {
    seqs: Vec<u64>,
    /// The last place that has arrived; all that it got when none.
    arrived: Option<u64>,
    away: bool,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Got>>);

#[async_trait::async_trait]
impl Sink for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn to(&self) -> String {
        "fake://there".to_owned()
    }

    async fn send(&mut self, _: TenantId, entries: &[Entry]) -> Result<(), String> {
        let mut got = self.0.lock().unwrap();
        if got.away {
            return Err("it is away".to_owned());
        }
        got.seqs.extend(entries.iter().map(|entry| entry.seq));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<Option<u64>, String> {
        let got = self.0.lock().unwrap();
        if got.away {
            return Err("it is away".to_owned());
        }
        Ok(got.arrived.or_else(|| got.seqs.last().copied()))
    }
}

struct Sending {
    world: World,
    owner: Asked,
    there: Fake,
    stream: Stream,
}

impl Sending {
    async fn begin(entries: u64) -> Self {
        let mut world = world();
        let there = Fake::default();
        let streams = Streams(vec![Box::new(there.clone())]);
        world.app = world.app.sending_to(&streams);
        let owner = world.resolve(&world.owner().await.secret).await.unwrap();
        let sending = Self { world, owner, stream: Stream::new(Box::new(there.clone())), there };
        sending.add(entries).await;
        sending
    }

    async fn add(&self, entries: u64) {
        let event = self.world.app.event(&self.owner, "test.made", "x");
        for _ in 0..entries {
            let app = &self.world.app;
            app.store.trail.append(self.world.tenant, &event).await.unwrap();
        }
    }

    async fn round(&mut self) -> Round {
        self.world.app.stream(&mut self.stream).await.unwrap()
    }

    fn got(&self) -> Vec<u64> {
        self.there.0.lock().unwrap().seqs.clone()
    }

    async fn shown(&self) -> (u64, u64, String) {
        let all = self.world.app.audit_streams(&self.owner).await.unwrap();
        let [(to, state, behind)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(to, "fake://there");
        (state.arrived, *behind, state.error.clone())
    }
}

#[tokio::test]
async fn all_is_sent_in_order_and_what_is_new() {
    let mut sending = Sending::begin(450).await;
    assert_eq!(sending.round().await, Round::More);
    assert_eq!(sending.round().await, Round::More);
    assert_eq!(sending.round().await, Round::Idle);
    let end = sending.got().len() as u64;
    assert!(sending.got().into_iter().eq(1..=end) && end > 450);
    assert_eq!(sending.shown().await, (end, 0, String::new()));
    sending.add(1).await;
    assert_eq!(sending.shown().await, (end, 1, String::new()));
    assert_eq!(sending.round().await, Round::Idle);
    assert_eq!(sending.got().last(), Some(&(end + 1)));
}

#[tokio::test]
async fn after_a_failure_it_goes_on_from_what_has_arrived_and_shows_it() {
    let mut sending = Sending::begin(20).await;
    sending.there.0.lock().unwrap().arrived = Some(5);
    assert_eq!(sending.round().await, Round::Idle);
    sending.there.0.lock().unwrap().away = true;
    let end = sending.got().len() as u64;
    for _ in 0..2 {
        sending.world.app.stream(&mut sending.stream).await.unwrap_err();
    }
    assert_eq!(sending.shown().await, (5, end - 5, "it is away".to_owned()));
    assert_eq!(sending.world.app.streams_failing(), [("fake", "it is away".to_owned())]);
    sending.there.0.lock().unwrap().away = false;
    assert_eq!(sending.round().await, Round::Idle);
    assert!(sending.got().into_iter().eq((1..=end).chain(6..=end)));
    assert_eq!(sending.shown().await, (5, end - 5, String::new()), "it works again");
    assert_eq!(sending.world.app.streams_failing(), [("fake", String::new())]);
    sending.there.0.lock().unwrap().arrived = None;
    sending.round().await;
    assert_eq!(sending.shown().await, (end, 0, String::new()));
}

#[tokio::test]
async fn one_replica_sends_and_another_goes_on_when_it_ends_or_dies() {
    let mut sending = Sending::begin(3).await;
    assert_eq!(sending.round().await, Round::Idle);
    let mut other = Stream::new(Box::new(sending.there.clone()));
    let app = sending.world.app.clone();
    assert_eq!(app.stream(&mut other).await.unwrap(), Round::Elsewhere);
    app.resign(&mut sending.stream).await.unwrap();
    sending.add(2).await;
    assert_eq!(app.stream(&mut other).await.unwrap(), Round::Idle);
    assert_eq!(sending.round().await, Round::Elsewhere);
    let end = sending.got().len() as u64;
    assert!(sending.got().into_iter().eq(1..=end));
    // The other one is heard of no more.
    sending.world.clock.advance(SignedDuration::from_secs(30));
    sending.add(1).await;
    assert_eq!(sending.round().await, Round::Idle);
    assert!(sending.got().into_iter().eq(1..=end + 1));
}

#[test]
fn waits_grow_and_differ() {
    let mut stream = Stream::new(Box::new(Fake::default()));
    let waits: Vec<_> = (0..12).map(|_| stream.wait().as_millis()).collect();
    assert!((500..=1_000).contains(&waits[0]) && (1_000..=2_000).contains(&waits[1]), "{waits:?}");
    assert!(waits[6..].iter().all(|wait| (30_000..=60_000).contains(wait)), "{waits:?}");
    assert!(waits[7..].windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
}
