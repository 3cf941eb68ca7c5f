//! One link's life: hello, frames in, acknowledgements out, the end.
//!
//! Three tasks, so that telemetry never waits for reports: each lane's worker hands frames on in
//! order and acknowledges them; the main loop reads the socket and writes what is to be sent.
//! Nothing is kept for long: a lane whose service is slow stops taking, its queue fills, and the
//! agent keeps what it has.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use openframe_agent_api::MAX_FRAME_BYTES;
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{
    Ack, Channel, Frame, Hello, LinkClosed, LinkOpened, NeedTable, Pong, ReportPush, TelemetryPush,
    Welcome,
};
use openframe_devices_api::internal::{HEARD, LINK_CLOSED, LINK_OPENED, REPORT};
use openframe_fault::{Fault, Kind};
use openframe_ids::LinkId;
use openframe_pki::DeviceIdentity;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use crate::link::session::{Lane, Meaning, meaning};
use crate::link::{Link, Links, QUEUE, management};

/// How long an agent may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// How long is waited before a service is asked again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a closing link may take to send what is left.
const GOODBYE: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

impl Links {
    /// Runs a link until it ends.
    pub(super) async fn run(&self, upgraded: Upgraded, device: DeviceIdentity, remote: String) {
        let limits = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await;
        let said = tokio::time::timeout(HELLO, hello(&mut socket)).await;
        let Ok(Some(hello)) = said else {
            return tracing::debug!(device.id = %device.device, "a link said no hello");
        };
        let (frames, queue) = mpsc::channel(QUEUE);
        let link = Link { id: LinkId::new(), frames, close: CancellationToken::new() };
        let opened =
            LinkOpened { link_id: link.id.to_string(), hello: Some(hello), remote_address: remote };
        self.enter(&device, link.clone());
        let opening = opened.encode_to_vec().into();
        if let Err(fault) = self.welcome(&mut socket, &device, opening).await {
            tracing::warn!(device.id = %device.device, "a link was not opened: {fault}");
            self.leave(&device, link.id);
            return;
        }
        tracing::info!(device.id = %device.device, "device {} connected", device.device);
        let reason = self.relay(&mut socket, &device, &link, queue).await;
        self.leave(&device, link.id);
        let closed = LinkClosed { link_id: link.id.to_string(), reason };
        let told = self.shared.services.tell_devices(&device, LINK_CLOSED, encode(&closed)).await;
        if let Err(fault) = told {
            tracing::warn!(device.id = %device.device, "the end of a link was not noted: {fault}");
        }
        tracing::info!(device.id = %device.device, "device {} disconnected", device.device);
    }

    /// Says welcome first, so that what the devices service pushes comes after it.
    async fn welcome(
        &self,
        socket: &mut Socket,
        device: &DeviceIdentity,
        opened: Bytes,
    ) -> Result<(), Fault> {
        let config = &self.shared.config;
        let welcome = Welcome {
            time_ms: self.shared.clock.now().as_millisecond(),
            heartbeat_s: config.heartbeat_s,
            snapshot_interval_s: config.snapshot_interval_s,
            max_frame_bytes: u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX),
        };
        send(socket, &management(Body::Welcome(welcome))).await.map_err(|error| {
            Fault::unavailable("link_gone", "the device has gone").because(error)
        })?;
        self.shared.services.tell_devices(device, LINK_OPENED, opened).await
    }

    /// Moves frames both ways until the link ends; returns the agent's reason for its end.
    async fn relay(
        &self,
        socket: &mut Socket,
        device: &DeviceIdentity,
        link: &Link,
        mut queue: mpsc::Receiver<Frame>,
    ) -> i32 {
        let stop = link.close.child_token();
        let _ended = stop.clone().drop_guard();
        let telemetry = self.worker(Channel::Telemetry, device, link, &stop);
        let control = self.worker(Channel::Control, device, link, &stop);
        let check = Duration::from_secs(self.shared.config.device_check_s.max(1));
        let mut checks = tokio::time::interval(check);
        // Three heartbeats without a word: the device is gone, whatever TCP thinks.
        let silence = Duration::from_secs(u64::from(self.shared.config.heartbeat_s) * 3);
        let mut reason = 0;
        loop {
            tokio::select! {
                () = link.close.cancelled() => break,
                Some(frame) = queue.recv() => {
                    if send(socket, &frame).await.is_err() {
                        break;
                    }
                }
                received = tokio::time::timeout(silence, socket.next()) => {
                    let Ok(Some(Ok(message))) = received else { break };
                    let Some(frame) = frame(message) else { continue };
                    let taken = match meaning(frame) {
                        Meaning::Telemetry(frame) => telemetry.send(frame).await.is_ok(),
                        Meaning::Control(frame) => control.send(frame).await.is_ok(),
                        Meaning::Ping(time_ms) => self.pong(socket, device, time_ms).await,
                        Meaning::Goodbye(why) => {
                            reason = why;
                            false
                        }
                        Meaning::Violation(what) => {
                            tracing::warn!(device.id = %device.device, "link closed: {what}");
                            false
                        }
                    };
                    if !taken {
                        break;
                    }
                }
                _ = checks.tick() => {
                    let checked = self.shared.services.check_device(device).await;
                    if checked.is_err_and(|fault| fault.kind() == Kind::Unauthenticated) {
                        tracing::warn!(device.id = %device.device, "link of a revoked device closed");
                        break;
                    }
                }
            }
        }
        let last = async {
            while let Ok(frame) = queue.try_recv() {
                send(socket, &frame).await?;
            }
            socket.close(None).await
        };
        // The other side may be gone already.
        drop(tokio::time::timeout(GOODBYE, last).await);
        reason
    }

    async fn pong(&self, socket: &mut Socket, device: &DeviceIdentity, time_ms: i64) -> bool {
        let platform_time_ms = self.shared.clock.now().as_millisecond();
        let pong = management(Body::Pong(Pong { time_ms, platform_time_ms }));
        let heard = self.shared.services.tell_devices(device, HEARD, Bytes::new()).await;
        if let Err(fault) = heard {
            tracing::debug!(device.id = %device.device, "a heartbeat was not noted: {fault}");
        }
        send(socket, &pong).await.is_ok()
    }

    /// Starts the task that hands one channel's frames on.
    fn worker(
        &self,
        channel: Channel,
        device: &DeviceIdentity,
        link: &Link,
        stop: &CancellationToken,
    ) -> mpsc::Sender<Frame> {
        let (sender, mut frames) = mpsc::channel(QUEUE);
        let worker = Worker {
            links: self.clone(),
            device: device.clone(),
            out: link.frames.clone(),
            channel,
            lane: Lane::default(),
        };
        let stop = stop.clone();
        tokio::spawn(async move {
            let mut worker = worker;
            loop {
                let frame = tokio::select! {
                    frame = frames.recv() => frame,
                    () = stop.cancelled() => None,
                };
                let Some(frame) = frame else { break };
                tokio::select! {
                    () = worker.take(frame) => {}
                    () = stop.cancelled() => break,
                }
            }
        });
        sender
    }
}

struct Worker {
    links: Links,
    device: DeviceIdentity,
    out: mpsc::Sender<Frame>,
    channel: Channel,
    lane: Lane,
}

impl Worker {
    /// Hands one frame on until it is durable or refused for good, and acknowledges it.
    async fn take(&mut self, frame: Frame) {
        let seq = frame.seq;
        if !self.lane.takes(seq) {
            return;
        }
        let metrics = self.links.shared.metrics.clone();
        let mut wait = RETRY.0;
        loop {
            let Err(fault) = self.hand_on(&frame).await else { break };
            if fault.code() == "unknown_series_table"
                && let Some(Body::Snapshot(snapshot)) = &frame.body
            {
                self.lane.again(seq);
                let need = NeedTable { seq, table_hash: snapshot.table_hash };
                return self.send(management(Body::NeedTable(need))).await;
            }
            if !fault.kind().is_retryable() && fault.kind() != Kind::Internal {
                // It would be refused for ever, and everything behind it would wait for ever.
                tracing::warn!(device.id = %self.device.device, "a frame was refused: {fault}");
                metrics.poison_frames.inc();
                break;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
        metrics.frames.inc();
        let ack = Ack { channel: self.channel.into(), seq: self.lane.durable(seq) };
        self.send(management(Body::Ack(ack))).await;
    }

    async fn hand_on(&self, frame: &Frame) -> Result<(), Fault> {
        let services = &self.links.shared.services;
        if let Some(Body::Snapshot(snapshot)) = &frame.body {
            let push = TelemetryPush { snapshots: vec![snapshot.clone()] };
            return services.tell_monitoring(&self.device, encode(&push)).await;
        }
        let push = ReportPush { frames: vec![frame.clone()] };
        services.tell_devices(&self.device, REPORT, encode(&push)).await
    }

    async fn send(&self, frame: Frame) {
        // The link has ended when nobody takes it; the agent sends again on the next one.
        drop(self.out.send(frame).await);
    }
}

async fn hello(socket: &mut Socket) -> Option<Hello> {
    let message = socket.next().await?.ok()?;
    if let Body::Hello(hello) = frame(message)?.body? { Some(hello) } else { None }
}

/// The frame in a message. Messages that are none (pings of WebSocket's own) give nothing; bytes
/// that are none give an empty frame, which is a violation.
fn frame(message: Message) -> Option<Frame> {
    match message {
        Message::Binary(bytes) => Some(Frame::decode(bytes).unwrap_or_default()),
        Message::Text(_) => Some(Frame::default()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
    }
}

fn encode(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

async fn send(
    socket: &mut Socket,
    frame: &Frame,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    socket.send(Message::Binary(encode(frame))).await
}
