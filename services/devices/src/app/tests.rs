//! What a caller may do, and the life of a command through the whole service.

mod guards;
mod places;
mod pushes;
mod replicas;
mod restart;

use openframe_auth_api::Outcome;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use openframe_clock::{ManualClock, SignedDuration, Timestamp};
use openframe_fault::{BoxError, Fault, Kind};
use openframe_ids::{SessionId, UserId};
use openframe_tokens::{Caller, Grant, Grants, Role, Subject};

use super::*;
use crate::domain::{Chunk, Hello, REPORT_GRACE, Report, ReportedState, SENT_GRACE, State, Stream};
use crate::links::{Pushed, Said};
use crate::store::memory::Memory;

#[derive(Default)]
struct Trail(Mutex<Vec<(&'static str, Outcome, String)>>, AtomicBool);

#[async_trait::async_trait]
impl Audit for Trail {
    async fn record(&self, entry: Entry) -> Result<(), BoxError> {
        if self.1.load(Ordering::Relaxed) {
            return Err("down".into());
        }
        self.0.lock().unwrap().push((entry.action, entry.outcome, entry.detail));
        Ok(())
    }
}

impl Trail {
    fn actions(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(|(action, ..)| *action).collect()
    }
}

/// The gateway and the auth service, as far as devices are cut off by them.
#[derive(Default)]
struct Wire {
    said: Mutex<Vec<Said>>,
    open: AtomicBool,
    /// So many frames fit.
    room: AtomicUsize,
    /// Whether nobody learns what came of a push.
    silent: AtomicBool,
    /// Whether another gateway may have the device.
    doubtful: AtomicBool,
    cut: Mutex<Vec<&'static str>>,
    /// What is done while a frame is being pushed.
    meanwhile: Mutex<Option<(App, Ask)>>,
    /// The places that there are.
    places: Mutex<Vec<Place>>,
    /// Where devices enrol.
    enrolled_at: Mutex<Place>,
}

#[async_trait::async_trait]
impl Links for Wire {
    async fn push(&self, _: Whose, said: &Said) -> Result<Pushed, Fault> {
        if !self.open.load(Ordering::Relaxed) {
            return Ok(Pushed::NoLink);
        }
        if self.silent.load(Ordering::Relaxed) {
            return Err(Fault::unavailable("away", "the gateway does not answer"));
        }
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let (Some((app, ask)), Said::Run(command, _)) = (meanwhile, said) {
            app.cancel(&ask, command.id).await.unwrap();
        }
        let less = |room: usize| room.checked_sub(1);
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            return Ok(Pushed::Full);
        }
        self.said.lock().unwrap().push(said.clone());
        let doubtful = self.doubtful.load(Ordering::Relaxed);
        Ok(if doubtful { Pushed::Perhaps } else { Pushed::Written })
    }

    async fn revoke(&self, _: Whose) -> Result<(), Fault> {
        self.cut.lock().unwrap().push("link");
        Ok(())
    }
}

#[async_trait::async_trait]
impl Certificates for Wire {
    async fn revoke(&self, _: Whose) -> Result<(), Fault> {
        self.cut.lock().unwrap().push("certificates");
        Ok(())
    }
}

/// Records of devices that wait where they are told to before they are shown.
struct Slow {
    inner: Memory,
    held: Arc<tokio::sync::Semaphore>,
}

#[async_trait::async_trait]
impl crate::store::Devices for Slow {
    async fn connect(
        &self,
        whose: Whose,
        first: (&Hello, &Place),
        now: Timestamp,
    ) -> Result<Option<Device>, Error> {
        let done = self.inner.connect(whose, first, now).await;
        self.held.acquire().await.unwrap().forget();
        done
    }

    async fn change(&self, whose: Whose, change: &Change) -> Result<Option<Device>, Error> {
        let done = self.inner.change(whose, change).await;
        self.held.acquire().await.unwrap().forget();
        done
    }

    async fn retire(&self, whose: Whose) -> Result<bool, Error> {
        self.inner.retire(whose).await
    }

    async fn seen(&self, seen: &[crate::store::LastSeen]) -> Result<(), Error> {
        self.inner.seen(seen).await
    }

    async fn get(&self, tenant: TenantId, ids: &[DeviceId]) -> Result<Vec<Device>, Error> {
        self.inner.get(tenant, ids).await
    }

    async fn all(&self, after: Option<Whose>, limit: u32) -> Result<Vec<Device>, Error> {
        self.inner.all(after, limit).await
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
    world_with(Stores::of(Memory::default()))
}

fn world_with(stores: Stores) -> World {
    world_of(stores, Siblings::new(None))
}

fn world_of(stores: Stores, siblings: Siblings) -> World {
    let clock = ManualClock::new(Timestamp::from_second(1_000_000).unwrap());
    let (trail, wire) = (Arc::<Trail>::default(), Arc::<Wire>::default());
    wire.room.store(usize::MAX, Ordering::Relaxed);
    let app = App(Arc::new(Parts {
        stores,
        audit: Arc::clone(&trail) as Arc<dyn Audit>,
        certificates: Arc::clone(&wire) as Arc<dyn Certificates>,
        places: Arc::clone(&wire) as Arc<dyn Places>,
        links: Arc::clone(&wire) as Arc<dyn Links>,
        clock: clock.clock(),
        config: Config { waiting_commands: 60, ..Config::default() },
        metrics: Metrics::default(),
        indexes: RwLock::default(),
        present: Mutex::default(),
        events: broadcast::channel(16).0,
        pushes: Pushes::default(),
        siblings,
    }));
    World { app, trail, wire, clock, tenant: TenantId::new(), device: DeviceId::new() }
}

impl World {
    fn itself(&self) -> Caller {
        Caller { tenant: self.tenant, subject: Subject::Device { device: self.device } }
    }

    fn person(&self, role: Role) -> Ask {
        self.granted(role, Vec::new())
    }

    /// Somebody with grants at places.
    fn granted(&self, role: Role, grants: Vec<Grant>) -> Ask {
        let grants = Grants::try_from(grants).unwrap();
        let (user, session) = (UserId::new(), SessionId::new());
        let subject = Subject::User { user, session, role, grants };
        Ask::of(Caller { tenant: self.tenant, subject }, &http::HeaderMap::new())
    }

    fn whose(&self) -> Whose {
        (self.tenant, self.device)
    }

    async fn link(&self, link: LinkId) -> Result<Whose, Error> {
        self.app.link_opened(&self.itself(), &link.to_string(), Hello::default()).await
    }

    /// Connects, and waits until all that waited went out.
    async fn connect(&self) -> LinkId {
        let link = LinkId::new();
        self.wire.open.store(true, Ordering::Relaxed);
        let whose = self.link(link).await.unwrap();
        self.app.push_soon(whose, What::ALL);
        self.idle().await;
        link
    }

    async fn disconnect(&self, link: LinkId) {
        self.wire.open.store(false, Ordering::Relaxed);
        let (caller, link) = (self.itself(), link.to_string());
        self.app.link_closed(&caller, &link, crate::domain::Goodbye::None).await.unwrap();
    }

    /// Waits until nothing is being pushed.
    async fn idle(&self) {
        while !self.app.pushes.is_idle() {
            tokio::task::yield_now().await;
        }
    }

    async fn run(&self) -> crate::domain::Command {
        let ask = self.person(Role::Owner);
        let made = self.app.run(&ask, self.device, wanted(), None).await.unwrap();
        self.idle().await;
        made
    }

    async fn state(&self, id: openframe_ids::CommandId) -> State {
        self.app.command(&self.person(Role::Owner), id).await.unwrap().state
    }

    fn ran(&self) -> Vec<openframe_ids::CommandId> {
        let said = self.wire.said.lock().unwrap();
        let ran = said.iter().filter_map(|said| match said {
            Said::Run(command, _) => Some(command.id),
            Said::Cancel(_) => None,
        });
        ran.collect()
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
    let link = world.connect().await;
    world.disconnect(link).await;
    let ask = world.person(Role::Owner);
    let made = world.app.run(&ask, world.device, wanted(), Some("k")).await.unwrap();
    assert_eq!(made.state, State::Queued);
    let again = world.app.run(&ask, world.device, wanted(), Some("k")).await.unwrap();
    assert_eq!(again.id, made.id);
    let other = Wanted { script: "false".to_owned(), ..wanted() };
    let refused = world.app.run(&ask, world.device, other, Some("k")).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    world.idle().await;
    world.connect().await;
    assert_eq!(world.wire.said.lock().unwrap().len(), 1);
    assert_eq!(world.app.command(&ask, made.id).await.unwrap().state, State::Sent);
    let chunk = Chunk { stream: Stream::Stdout, offset: 0, data: b"hi".to_vec() };
    for _ in 0..2 {
        world.says(made.id, state(ReportedState::Accepted)).await;
        world.says(made.id, About::Output(chunk.clone())).await;
        world.says(made.id, state(ReportedState::Succeeded)).await;
    }
    let (done, output) = world.app.output(&ask, made.id, 0).await.unwrap();
    assert_eq!((done.state, output), (State::Succeeded, vec![chunk]));
    assert_eq!(world.trail.actions(), ["command.create", "command.end"]);
}

// ASVS 16.5.3
#[tokio::test]
async fn nothing_is_done_that_is_not_on_record() {
    let world = world();
    world.connect().await;
    world.trail.1.store(true, Ordering::Relaxed);
    let ask = world.person(Role::Owner);
    let refused = world.app.retire(&ask, world.device).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(world.app.run(&ask, world.device, wanted(), None).await.is_err());
    assert!(world.app.device(&ask, world.device).await.is_ok());
    assert_eq!(world.app.commands(&ask, world.device, None, 9).await.unwrap(), []);
}

// ASVS 8.2.1, 8.4.1
#[tokio::test]
async fn each_caller_may_do_what_its_role_says() {
    let world = world();
    world.connect().await;
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
    assert_eq!(world.link(LinkId::new()).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn silence_makes_a_device_lost_and_time_ends_a_command() {
    let world = world();
    let link = world.connect().await;
    world.disconnect(link).await;
    let ask = world.person(Role::Owner);
    let made = world.app.run(&ask, world.device, wanted(), None).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(601));
    world.app.look_at_presence().await.unwrap();
    world.app.expire().await.unwrap();
    let query = Query::parse("", "presence:lost", "").unwrap();
    assert_eq!(world.app.devices(&ask, &query).await.unwrap().total, 1);
    assert_eq!(world.app.command(&ask, made.id).await.unwrap().state, State::Expired);
}

#[tokio::test]
async fn no_more_wait_for_a_device_than_may() {
    let world = world();
    let link = world.connect().await;
    world.disconnect(link).await;
    for _ in 0..60 {
        world.run().await;
    }
    let ask = world.person(Role::Owner);
    let refused = world.app.run(&ask, world.device, wanted(), None).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::TooMany, "too_many_commands"));
}

#[tokio::test]
async fn a_cancelled_command_is_never_taken_for_one_that_did_not_go_out() {
    let world = world();
    let link = world.connect().await;
    world.disconnect(link).await;
    let ask = world.person(Role::Owner);
    let made = world.run().await;
    // Cancelled while it is being written to the device.
    *world.wire.meanwhile.lock().unwrap() = Some((world.app.clone(), ask.clone()));
    let link = world.connect().await;
    let command = world.app.command(&ask, made.id).await.unwrap();
    assert_eq!((command.state, command.cancel_requested), (State::Sent, true));
    // The device goes away without a word; what it says later counts.
    world.disconnect(link).await;
    assert_eq!(world.app.cancel(&ask, made.id).await.unwrap().state, State::Sent);
    world.wire.said.lock().unwrap().clear();
    world.connect().await;
    assert_eq!(*world.wire.said.lock().unwrap(), [Said::Cancel(made.id)]);
    world.says(made.id, state(ReportedState::Succeeded)).await;
    assert_eq!(world.state(made.id).await, State::Succeeded);
}

#[tokio::test]
async fn a_cancelled_command_of_a_device_that_never_answers_ends() {
    let world = world();
    let link = world.connect().await;
    let made = world.run().await;
    world.idle().await;
    world.disconnect(link).await;
    world.app.cancel(&world.person(Role::Owner), made.id).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(600) + SENT_GRACE);
    world.app.expire().await.unwrap();
    assert_eq!(world.state(made.id).await, State::Cancelled);
}

#[tokio::test]
async fn a_command_that_its_device_does_not_know_any_more_ends() {
    let world = world();
    let link = world.connect().await;
    let made = world.run().await;
    world.idle().await;
    world.says(made.id, state(ReportedState::Running)).await;
    world.disconnect(link).await;
    world.clock.advance(SignedDuration::from_hours(5));
    world.app.expire().await.unwrap();
    assert_eq!(world.state(made.id).await, State::Running, "the device may yet say");
    world.connect().await;
    world.clock.advance(REPORT_GRACE);
    world.app.expire().await.unwrap();
    assert_eq!(world.state(made.id).await, State::Interrupted);
}

#[tokio::test]
async fn a_command_s_end_is_on_record_and_counted_once() {
    let world = world();
    world.connect().await;
    let made = world.run().await;
    let about = |about| Item::Command(Some(made.id), about);
    let chunk = Chunk { stream: Stream::Stdout, offset: 0, data: b"hi".to_vec() };
    // Output and end in one push, as of every short command.
    let items = [about(About::Output(chunk)), about(state(ReportedState::Failed))];
    for _ in 0..2 {
        world.app.report(&world.itself(), &items).await.unwrap();
    }
    assert_eq!(world.app.metrics.finished_so_far(State::Failed), 1);
    let trail = world.trail.0.lock().unwrap().clone();
    let ends: Vec<_> = trail.iter().filter(|(action, ..)| *action == "command.end").collect();
    let want = format!("device={} state=failed exit_code=0", world.device);
    assert_eq!(ends, [&("command.end", Outcome::Failed, want)]);
}

#[tokio::test]
async fn a_retired_device_is_cut_off() {
    let world = world();
    world.connect().await;
    world.app.retire(&world.person(Role::Owner), world.device).await.unwrap();
    assert_eq!(*world.wire.cut.lock().unwrap(), ["certificates", "link", "link"]);
    assert_eq!(world.app.heard(&world.itself()).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn nothing_of_a_retired_device_comes_back() {
    let held = Arc::new(tokio::sync::Semaphore::new(1));
    let stores = Stores::of(Memory::default());
    let slow = Slow { inner: Memory::default(), held: Arc::clone(&held) };
    let world = world_with(Stores { devices: Arc::new(slow), ..stores });
    world.link(LinkId::new()).await.unwrap();
    let ask = world.person(Role::Owner);
    let mut events = world.app.follow(&ask).unwrap();
    let change = Change { name: Some("ghost".to_owned()), ..Change::default() };
    let late = async {
        // Both are written before the device is retired, and known only after.
        tokio::join!(
            world.app.change(&ask, world.device, change),
            world.link(LinkId::new()),
            async {
                tokio::task::yield_now().await;
                world.app.retire(&ask, world.device).await.unwrap();
                held.add_permits(2);
            }
        )
    };
    let (changed, linked, ()) = late.await;
    assert_eq!(changed.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(linked.unwrap_err().kind(), Kind::NotFound);
    let page = world.app.devices(&ask, &Query::parse("", "", "").unwrap()).await.unwrap();
    assert_eq!(page.total, 0);
    assert!(!world.app.is_known(world.whose()));
    let mut last = None;
    while let Ok(event) = events.try_recv() {
        last = Some(event);
    }
    assert!(matches!(last.unwrap().what, Happened::Retired(_)), "nothing is told after the end");
}

#[tokio::test]
async fn news_of_an_older_link_changes_nothing() {
    let world = world();
    world.connect().await;
    let (first, second) = (LinkId::new(), LinkId::new());
    world.link(second).await.unwrap();
    world.link(first).await.unwrap();
    let close = |link: LinkId| {
        let link = link.to_string();
        let caller = world.itself();
        let app = world.app.clone();
        async move { app.link_closed(&caller, &link, crate::domain::Goodbye::Sleep).await.unwrap() }
    };
    close(first).await;
    assert!(world.app.connected_since(world.whose()).is_some());
    close(second).await;
    assert_eq!(world.app.connected_since(world.whose()), None);
}
