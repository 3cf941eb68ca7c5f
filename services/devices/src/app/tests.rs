//! What a caller may do, and the life of a command through the whole service.

use openframe_clock::{ManualClock, SignedDuration, Timestamp};
use openframe_fault::{BoxError, Fault, Kind};
use openframe_ids::{SessionId, UserId};
use openframe_tokens::{Caller, Role, Subject};

use super::*;
use crate::domain::{Chunk, Hello, Report, ReportedState, State, Stream};
use crate::links::Said;
use crate::store::memory::Memory;

#[derive(Default)]
struct Trail(Mutex<Vec<&'static str>>, std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl Audit for Trail {
    async fn record(&self, entry: Entry) -> Result<(), BoxError> {
        if self.1.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("down".into());
        }
        self.0.lock().unwrap().push(entry.action);
        Ok(())
    }
}

#[derive(Default)]
struct Wire(Mutex<Vec<Said>>, std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl Links for Wire {
    async fn push(&self, _: Whose, said: &Said) -> Result<bool, Fault> {
        let open = self.1.load(std::sync::atomic::Ordering::Relaxed);
        if open {
            self.0.lock().unwrap().push(said.clone());
        }
        Ok(open)
    }
}

struct World {
    app: App,
    trail: Arc<Trail>,
    wire: Arc<Wire>,
    clock: ManualClock,
    tenant: TenantId,
    device: DeviceId,
}

fn world() -> World {
    let clock = ManualClock::new(Timestamp::from_second(1_000_000).unwrap());
    let (trail, wire) = (Arc::<Trail>::default(), Arc::<Wire>::default());
    let app = App(Arc::new(Parts {
        stores: Stores::of(Memory::default()),
        audit: Arc::clone(&trail) as Arc<dyn Audit>,
        links: Arc::clone(&wire) as Arc<dyn Links>,
        clock: clock.clock(),
        config: Config::default(),
        metrics: Metrics::default(),
        indexes: RwLock::default(),
        present: Mutex::default(),
        events: broadcast::channel(16).0,
    }));
    World { app, trail, wire, clock, tenant: TenantId::new(), device: DeviceId::new() }
}

impl World {
    fn itself(&self) -> Caller {
        Caller { tenant: self.tenant, subject: Subject::Device { device: self.device } }
    }

    fn person(&self, role: Role) -> Ask {
        let subject = Subject::User { user: UserId::new(), session: SessionId::new(), role };
        Ask::of(Caller { tenant: self.tenant, subject }, &http::HeaderMap::new())
    }

    async fn connect(&self, link: &str) {
        self.wire.1.store(true, std::sync::atomic::Ordering::Relaxed);
        let whose = self.app.link_opened(&self.itself(), link, Hello::default()).await.unwrap();
        self.app.push_waiting(whose).await.unwrap();
    }

    async fn says(&self, id: openframe_ids::CommandId, about: About) {
        self.app.report(&self.itself(), &[Item::Command(Some(id), about)]).await.unwrap();
    }
}

fn wanted() -> Wanted {
    Wanted {
        script: "true".to_owned(),
        interpreter: "sh".to_owned(),
        timeout_s: 60,
        expires_in_s: 600,
        idempotent: false,
        reason: String::new(),
    }
}

fn state(state: ReportedState) -> About {
    let at = Timestamp::from_second(1_000_000).unwrap();
    About::State(Report { state, at, exit_code: Some(0), reason: String::new(), output_bytes: 0 })
}

#[tokio::test]
async fn a_command_waits_for_its_device_and_runs_once() {
    let world = world();
    world.connect("a").await;
    world.wire.1.store(false, std::sync::atomic::Ordering::Relaxed);
    let ask = world.person(Role::Owner);
    let made = world.app.run(&ask, world.device, wanted(), Some("k")).await.unwrap();
    assert_eq!(made.state, State::Queued);
    let again = world.app.run(&ask, world.device, wanted(), Some("k")).await.unwrap();
    assert_eq!(again.id, made.id);
    let other = Wanted { script: "false".to_owned(), ..wanted() };
    let refused = world.app.run(&ask, world.device, other, Some("k")).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    world.connect("b").await;
    assert_eq!(world.wire.0.lock().unwrap().len(), 1);
    assert_eq!(world.app.command(&ask, made.id).await.unwrap().state, State::Sent);
    let chunk = Chunk { stream: Stream::Stdout, offset: 0, data: b"hi".to_vec() };
    for _ in 0..2 {
        world.says(made.id, state(ReportedState::Accepted)).await;
        world.says(made.id, About::Output(chunk.clone())).await;
        world.says(made.id, state(ReportedState::Succeeded)).await;
    }
    let (done, output) = world.app.output(&ask, made.id, 0).await.unwrap();
    assert_eq!((done.state, output), (State::Succeeded, vec![chunk]));
    assert_eq!(*world.trail.0.lock().unwrap(), ["command.create"]);
}

#[tokio::test]
async fn nothing_is_done_that_is_not_on_record() {
    let world = world();
    world.connect("a").await;
    world.trail.1.store(true, std::sync::atomic::Ordering::Relaxed);
    let ask = world.person(Role::Owner);
    let refused = world.app.retire(&ask, world.device).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(world.app.run(&ask, world.device, wanted(), None).await.is_err());
    assert!(world.app.device(&ask, world.device).await.is_ok());
    assert_eq!(world.app.commands(&ask, world.device, None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn each_caller_may_do_what_its_role_says() {
    let world = world();
    world.connect("a").await;
    let of = |caller| Ask::of(caller, &http::HeaderMap::new());
    let service = Subject::Service { name: "gateway".to_owned() };
    let gateway = of(Caller { tenant: world.tenant, subject: service });
    let mut foreign = world.person(Role::Owner);
    foreign.caller.tenant = TenantId::new();
    let (yes, no, hidden) = (None, Some(Kind::Forbidden), Some(Kind::NotFound));
    for (ask, read, run, write) in [
        (world.person(Role::ReadOnly), yes, no, no),
        (of(world.itself()), no, no, no),
        (gateway, no, no, no),
        (foreign, hidden, hidden, hidden),
        (world.person(Role::Technician), yes, yes, yes),
    ] {
        let kind = |error: Error| error.kind();
        assert_eq!(world.app.device(&ask, world.device).await.err().map(kind), read);
        let ran = world.app.run(&ask, world.device, wanted(), None).await;
        assert_eq!(ran.err().map(kind), run);
        assert_eq!(world.app.retire(&ask, world.device).await.err().map(kind), write);
    }
    let person = world.person(Role::Owner).caller;
    assert_eq!(world.app.report(&person, &[]).await.unwrap_err().kind(), Kind::Forbidden);
    // Retired is for ever.
    let again = world.app.link_opened(&world.itself(), "b", Hello::default()).await;
    assert_eq!(again.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn silence_makes_a_device_lost_and_time_ends_a_command() {
    let world = world();
    world.connect("a").await;
    world.wire.1.store(false, std::sync::atomic::Ordering::Relaxed);
    let ask = world.person(Role::Owner);
    let made = world.app.run(&ask, world.device, wanted(), None).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(601));
    world.app.look_at_presence().await.unwrap();
    world.app.expire().await.unwrap();
    let query = Query::parse("", "presence:lost", "").unwrap();
    assert_eq!(world.app.devices(&ask, &query).await.unwrap().total, 1);
    assert_eq!(world.app.command(&ask, made.id).await.unwrap().state, State::Expired);
}
