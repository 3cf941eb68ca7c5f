//! Reads and writes one link. One task a link, no other memory than its two lanes.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{
    Channel, Drain, Frame, Hello, LinkClosed, LinkOpened, Pong, Welcome, goodbye,
};
use openframe_agent_api::{CLOSE_REVOKED, MAX_FRAME_BYTES};
use openframe_clock::Clock;
use openframe_devices_api::internal::{HEARD, LINK_CLOSED, LINK_OPENED};
use openframe_fault::{Fault, Kind, chain};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::rate::Rate;
use super::session::{Lane, Next, channel_of};
use super::{Behind, Drain as Draining, Registered, encode};
use crate::Config;
use crate::metrics::Metrics;

/// How long the first frame may take.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// How long one write may take: a device that does not read for so long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Heartbeats that may be missing before a device counts as gone.
const MISSED: u32 = 3;
/// The first and the longest wait before frames are handed on again.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// The devices service is told at most so often that a device lives.
const HEARD_EVERY: Duration = Duration::from_secs(30);

/// Asks whether the device still counts.
pub(crate) type Check =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>> + Send + Sync>;

/// What a link needs beside its socket.
pub(crate) struct Line {
    pub(crate) registered: Registered,
    pub(crate) behind: Behind,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) remote: String,
    pub(crate) check: Check,
    pub(crate) drain: Draining,
}

type Handing = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// A lane, and what is handed on of it now.
struct Track {
    channel: Channel,
    lane: Lane,
    handing: Option<Handing>,
    wait: Duration,
}

/// Why a link ends.
struct End(CloseCode, &'static str);

/// Speaks the protocol until the connection ends.
pub(crate) async fn drive<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut socket: WebSocketStream<S>,
    mut line: Line,
) {
    let end = match open(&mut socket, &line).await {
        Ok(()) => {
            line.metrics.links.inc();
            let (end, reason) = talk(&mut socket, &mut line).await;
            line.metrics.links.dec();
            let closed =
                LinkClosed { link_id: line.registered.link.to_string(), reason: reason.into() };
            if let Err(fault) = line.behind.tell(LINK_CLOSED, closed.encode_to_vec()).await {
                tracing::warn!(link.id = %line.registered.link, "not told that a link closed: {}", chain(&fault));
            }
            end
        }
        Err(end) => end,
    };
    let frame = CloseFrame { code: end.0, reason: end.1.into() };
    // The other side may be gone; then nobody waits for this.
    drop(timeout(Duration::from_secs(2), socket.close(Some(frame))).await);
}

async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    line: &Line,
) -> Result<(), End> {
    let hello = hello(socket).await?;
    let opened = LinkOpened {
        link_id: line.registered.link.to_string(),
        hello: Some(hello),
        remote_address: line.remote.clone(),
    };
    line.behind.tell(LINK_OPENED, opened.encode_to_vec()).await.map_err(|fault| {
        tracing::warn!(link.id = %line.registered.link, "link refused: {}", chain(&fault));
        match fault.kind() {
            Kind::Unavailable | Kind::TooMany | Kind::Internal => {
                End(CloseCode::Again, "try again later")
            }
            // The devices service refuses a retired device only.
            Kind::NotFound => revoked(),
            Kind::Invalid | Kind::Unauthenticated | Kind::Forbidden | Kind::Conflict => unwelcome(),
        }
    })?;
    let welcome = Welcome {
        time_ms: line.clock.now().as_millisecond(),
        heartbeat_s: line.config.heartbeat_s,
        snapshot_interval_s: line.config.snapshot_interval_s,
        max_frame_bytes: u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX),
    };
    write(socket, management(Body::Welcome(welcome))).await
}

async fn hello<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Result<Hello, End> {
    let Ok(first) = timeout(HELLO_LIMIT, socket.next()).await else {
        return Err(End(CloseCode::Policy, "no hello in time"));
    };
    match first {
        Some(Ok(Message::Binary(bytes))) => match Frame::decode(bytes) {
            Ok(Frame { body: Some(Body::Hello(hello)), .. }) => Ok(hello),
            Ok(_) => Err(End(CloseCode::Policy, "the first frame must be a hello")),
            Err(_) => Err(End(CloseCode::Invalid, "no frame")),
        },
        _ => Err(End(CloseCode::Policy, "the first frame must be a hello")),
    }
}

/// The main loop. Returns why it ended, and the reason the agent gave.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    line: &mut Line,
) -> (End, goodbye::Reason) {
    let mut talk = Talk::new();
    let mut reason = goodbye::Reason::Unspecified;
    let end = loop {
        match talk.step(socket, line).await {
            Ok(None) => {}
            Ok(Some(said)) => reason = said,
            Err(end) => break end,
        }
    };
    (end, reason)
}

struct Talk {
    telemetry: Track,
    control: Track,
    rate: Rate,
    heard: Instant,
    /// Whether the device has shown since `told` that it lives.
    alive: bool,
    told: Instant,
    telling: Option<Handing>,
    checked: Instant,
    draining: bool,
}

impl Talk {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            telemetry: Track::new(Channel::Telemetry),
            control: Track::new(Channel::Control),
            rate: Rate::new(now),
            heard: now,
            alive: false,
            told: now,
            telling: None,
            checked: now,
            draining: false,
        }
    }

    async fn step<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        line: &mut Line,
    ) -> Result<Option<goodbye::Reason>, End> {
        let silence = Duration::from_secs(u64::from(line.config.heartbeat_s)) * MISSED;
        let check_every = Duration::from_secs(line.config.device_check_s.max(1));
        // While reports wait the socket is not read, which the agent feels; it is not silent then.
        // Telemetry that waits stops nothing: see `Lane::receive`.
        let full = self.control.lane.is_full();
        self.telemetry.hand_on(&line.behind);
        self.control.hand_on(&line.behind);
        self.say_heard(line);
        tokio::select! {
            message = next(socket, self.rate.ready()), if !full => {
                (self.heard, self.alive) = (Instant::now(), true);
                self.rate.took(self.heard);
                return self.message(message, socket, line).await;
            }
            answer = self.telemetry.answer() => {
                self.alive |= answer.is_ok();
                self.telemetry.settle(answer, socket, line).await?;
            }
            answer = self.control.answer() => {
                self.alive |= answer.is_ok();
                self.control.settle(answer, socket, line).await?;
            }
            () = told(&mut self.telling) => self.telling = None,
            Some(frame) = line.registered.frames.recv() => write(socket, frame).await?,
            () = line.registered.replaced.cancelled() => {
                return Err(End(CloseCode::Policy, "replaced by a newer link"));
            }
            () = line.registered.revoked.cancelled() => return Err(revoked()),
            () = line.drain.cancelled(), if !self.draining => {
                self.draining = true;
                let drain = Drain { reconnect_within_ms: line.drain.spread_ms() };
                write(socket, management(Body::Drain(drain))).await?;
            }
            () = line.drain.was_cut() => return Err(End(CloseCode::Restart, "the gateway stops")),
            () = sleep_until(self.heard + silence), if !full => {
                return Err(End(CloseCode::Policy, "silent for too long"));
            }
            () = sleep_until(self.checked + check_every) => self.check(line).await?,
        }
        if full {
            self.heard = Instant::now();
        }
        Ok(None)
    }

    /// Tells the devices service now and then that the device lives.
    fn say_heard(&mut self, line: &Line) {
        let every = HEARD_EVERY.min(Duration::from_secs(u64::from(line.config.heartbeat_s)));
        if !self.alive || self.telling.is_some() || self.told.elapsed() < every {
            return;
        }
        (self.alive, self.told) = (false, Instant::now());
        let behind = line.behind.clone();
        self.telling = Some(async move { behind.tell(HEARD, Vec::new()).await }.boxed());
    }

    /// Ends the link of a device that was revoked. An auth service that does not answer ends none.
    async fn check(&mut self, line: &Line) -> Result<(), End> {
        let answer = (line.check)().await;
        self.checked = Instant::now();
        match answer {
            Err(fault) if fault.kind() == Kind::Unauthenticated => {
                // An expired certificate is renewed; a revoked one is the end.
                let code = fault.code();
                Err(if code == "bad_device" { revoked() } else { unwelcome() })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn message<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
        socket: &mut WebSocketStream<S>,
        line: &Line,
    ) -> Result<Option<goodbye::Reason>, End> {
        let bytes = match message {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Pong(_))) => {
                self.telemetry.lane.read_all();
                return self.telemetry.ask_again(socket).await.map(|()| None);
            }
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => return Ok(None),
            Some(Ok(Message::Text(_))) => {
                return Err(End(CloseCode::Unsupported, "frames are binary"));
            }
            Some(Ok(Message::Close(_))) | None => return Err(End(CloseCode::Normal, "")),
            Some(Err(tokio_tungstenite::tungstenite::Error::Capacity(_))) => {
                return Err(End(CloseCode::Size, "a frame is too large"));
            }
            Some(Err(_)) => return Err(End(CloseCode::Protocol, "the connection broke")),
        };
        let frame = Frame::decode(bytes).map_err(|_| End(CloseCode::Invalid, "no frame"))?;
        self.frame(frame, socket, line).await
    }

    async fn frame<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        frame: Frame,
        socket: &mut WebSocketStream<S>,
        line: &Line,
    ) -> Result<Option<goodbye::Reason>, End> {
        let track = match channel_of(&frame) {
            Some(Channel::Telemetry) => &mut self.telemetry,
            Some(Channel::Control) => &mut self.control,
            Some(Channel::Unspecified) => return self.manage(frame, socket, line).await,
            None => return Err(End(CloseCode::Policy, "a frame that agents must not send")),
        };
        match track.lane.receive(frame) {
            Ok(Some(answer)) => write(socket, management(answer)).await.map(|()| None),
            Ok(None) => Ok(None),
            Err(violation) => {
                tracing::info!(link.id = %line.registered.link, "link broke the protocol: {violation}");
                Err(End(CloseCode::Policy, "the protocol was broken"))
            }
        }
    }

    async fn manage<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        frame: Frame,
        socket: &mut WebSocketStream<S>,
        line: &Line,
    ) -> Result<Option<goodbye::Reason>, End> {
        match frame.body {
            Some(Body::Ping(ping)) => {
                let platform_time_ms = line.clock.now().as_millisecond();
                let pong = Pong { time_ms: ping.time_ms, platform_time_ms };
                write(socket, management(Body::Pong(pong))).await.map(|()| None)
            }
            Some(Body::Goodbye(goodbye)) => Ok(Some(goodbye.reason())),
            _ => Err(End(CloseCode::Policy, "a second hello")),
        }
    }
}

/// The next message, not before `ready`.
async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    ready: Instant,
) -> Option<Result<Message, tokio_tungstenite::tungstenite::Error>> {
    sleep_until(ready).await;
    socket.next().await
}

/// Waits until the devices service was told. Presence is a hint: what failed is said again later.
async fn told(telling: &mut Option<Handing>) {
    match telling {
        Some(telling) => drop(telling.await),
        None => std::future::pending().await,
    }
}

/// The device may come again.
fn unwelcome() -> End {
    End(CloseCode::Policy, "the device is not welcome")
}

fn revoked() -> End {
    End(CloseCode::from(CLOSE_REVOKED), "the device does not belong to the fleet any more")
}

impl Track {
    fn new(channel: Channel) -> Self {
        Self { channel, lane: Lane::new(channel), handing: None, wait: Duration::ZERO }
    }

    /// Begins to hand on what waits, unless something is being handed on.
    fn hand_on(&mut self, behind: &Behind) {
        if self.handing.is_some() {
            return;
        }
        let batch = self.lane.batch();
        if batch.is_empty() {
            return;
        }
        let body = encode(self.channel, batch);
        let (behind, channel, wait) = (behind.clone(), self.channel, self.wait);
        let handing = async move {
            tokio::time::sleep(wait).await;
            behind.hand_on(channel, body).await
        };
        self.handing = Some(handing.boxed());
    }

    async fn answer(&mut self) -> Result<(), Fault> {
        match &mut self.handing {
            Some(handing) => handing.await,
            None => std::future::pending().await,
        }
    }

    async fn settle<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        answer: Result<(), Fault>,
        socket: &mut WebSocketStream<S>,
        line: &Line,
    ) -> Result<(), End> {
        self.handing = None;
        let next = self.lane.answered(&answer);
        self.wait = match next {
            Next::Wait => (self.wait * 2).clamp(RETRY.0, RETRY.1),
            Next::Answer(_) | Next::Split | Next::Close => Duration::ZERO,
        };
        match next {
            Next::Answer(body) => {
                Self::count(&answer, &body, line);
                let asks = matches!(body, Body::NeedTable(_));
                write(socket, management(body)).await?;
                if asks { mark(socket).await } else { self.ask_again(socket).await }
            }
            Next::Split | Next::Wait => Ok(()),
            Next::Close => Err(unwelcome()),
        }
    }

    /// Asks for what was dropped, once there is room for it.
    async fn ask_again<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
    ) -> Result<(), End> {
        let Some(body) = self.lane.ask_again() else { return Ok(()) };
        write(socket, management(body)).await?;
        mark(socket).await
    }

    fn count(answer: &Result<(), Fault>, body: &Body, line: &Line) {
        match (answer, body) {
            (Ok(()), _) => drop(line.metrics.frames.inc()),
            (Err(fault), Body::Ack(_)) => {
                line.metrics.poison_frames.inc();
                tracing::warn!(link.id = %line.registered.link, code = fault.code(), "frame refused for good: {}", chain(fault));
            }
            (Err(_), _) => {}
        }
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    frame: Frame,
) -> Result<(), End> {
    send(socket, Message::Binary(frame.encode_to_vec().into())).await
}

/// Asks for the pong that says that the agent has read all that it was sent so far.
async fn mark<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Result<(), End> {
    send(socket, Message::Ping(bytes::Bytes::new())).await
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    message: Message,
) -> Result<(), End> {
    match timeout(WRITE_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End(CloseCode::Away, "the device does not read")),
    }
}

fn management(body: Body) -> Frame {
    Frame { channel: Channel::Unspecified.into(), seq: 0, body: Some(body) }
}

#[cfg(test)]
mod tests;
