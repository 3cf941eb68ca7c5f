//! One WebSocket to the platform, driven until it ends.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Frame, Goodbye, Hello, goodbye};
use openframe_agent_api::{CLOSE_REVOKED, LINK_PATH, MAX_FRAME_BYTES};
use openframe_clock::Clock;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::credentials::Credentials;
use crate::link::outbox::Outbox;
use crate::link::session::{Action, Moment, Session, management};
use crate::net::{Server, connect};

/// The WebSocket handshake takes so long at most.
const UPGRADE_LIMIT: Duration = Duration::from_secs(15);
/// A frame that cannot be written for so long means that the connection is dead.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Closing takes so long at most.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Small, because most links are idle most of the time.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// The socket of a link.
pub type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Why a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// We were told to stop.
    Stopped,
    /// The platform asked to connect again after a random wait of at most so long.
    Drained(Duration),
    /// The platform does not count this device any more.
    Retired,
    /// It broke, or the platform closed it.
    Lost(Error),
}

/// What a connection needs besides its socket.
#[derive(Debug)]
pub struct Line<'a, O> {
    /// Where it connects to; for messages.
    pub server: &'a Server,
    /// The device's clock.
    pub clock: &'a Clock,
    /// What waits to be sent.
    pub outbox: &'a Mutex<O>,
    /// Notified when something was added to the outbox.
    pub wake: &'a Notify,
    /// Ends the connection with a goodbye.
    pub stop: &'a CancellationToken,
}

/// Connects as the device, and opens the link's WebSocket. Where the device signs, it signs this one
/// request: what follows on the connection needs no more.
pub async fn open<'a>(
    server: &Server,
    credentials: impl Into<Credentials<'a>>,
) -> Result<Socket, Error> {
    let credentials = credentials.into();
    let stream = connect(server, credentials.tls()).await?;
    let address = format!("wss://{}{LINK_PATH}", server.authority());
    let request = address.into_client_request();
    let mut request = request.map_err(|_| Error::BadServer(server.text().to_owned()))?;
    credentials.sign(&mut request, &[])?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_FRAME_BYTES * 2)
        .max_message_size(Some(MAX_FRAME_BYTES * 2))
        .max_frame_size(Some(MAX_FRAME_BYTES * 2));
    let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    match tokio::time::timeout(UPGRADE_LIMIT, opening).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tokio_tungstenite::tungstenite::Error::Http(answer))) => {
            Err(Error::refused(&answer.map(Option::unwrap_or_default)))
        }
        Ok(Err(cause)) => Err(server.unreachable(cause)),
        Err(late) => Err(server.unreachable(late)),
    }
}

/// Speaks the protocol until the connection ends. `act` gets what the platform asks for.
pub async fn drive<O: Outbox>(
    mut socket: Socket,
    hello: Hello,
    line: &Line<'_, O>,
    mut act: impl FnMut(Action),
) -> Ended {
    let start = Instant::now();
    let now = || moment(line.clock, start);
    let (mut session, hello) = Session::open(hello, now());
    if let Err(error) = write(&mut socket, line.server, &hello).await {
        return Ended::Lost(error);
    }
    loop {
        if let Err(error) = write_all(&mut socket, line, &mut session, &now).await {
            return Ended::Lost(error);
        }
        if session.is_dead(now()) {
            return Ended::Lost(line.server.unreachable("the platform is silent"));
        }
        let wake = start + Duration::from_millis(session.wake_ms());
        let received = tokio::select! {
            received = socket.next() => received,
            () = line.wake.notified() => continue,
            () = tokio::time::sleep_until(wake) => continue,
            () = line.stop.cancelled() => {
                say_goodbye(&mut socket, line.server).await;
                return Ended::Stopped;
            }
        };
        let frame = match received {
            Some(Ok(Message::Binary(bytes))) => Frame::decode(bytes),
            Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == CLOSE_REVOKED => {
                return Ended::Retired;
            }
            Some(Ok(Message::Close(_))) | None => {
                return Ended::Lost(line.server.unreachable("the platform closed the link"));
            }
            Some(Ok(_)) => continue,
            Some(Err(cause)) => return Ended::Lost(line.server.unreachable(cause)),
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(cause) => return Ended::Lost(Error::BadAnswer(cause.into())),
        };
        let action = session.receive(frame, now(), &mut *lock(line.outbox));
        match action {
            Some(Action::Drain(ms)) => {
                // No goodbye: the device does not go away, it only comes back by another door.
                let closed = tokio::time::timeout(CLOSE_LIMIT, socket.close(None)).await;
                tracing::debug!("asked to connect again; closed: {}", closed.is_ok());
                return Ended::Drained(Duration::from_millis(ms.into()));
            }
            Some(action) => act(action),
            None => {}
        }
    }
}

/// Writes every frame that may go now.
async fn write_all<O: Outbox>(
    socket: &mut Socket,
    line: &Line<'_, O>,
    session: &mut Session,
    now: &impl Fn() -> Moment,
) -> Result<(), Error> {
    loop {
        let frame = session.next(now(), &mut *lock(line.outbox));
        let Some(frame) = frame else { return Ok(()) };
        write(socket, line.server, &frame).await?;
    }
}

async fn write(socket: &mut Socket, server: &Server, frame: &Frame) -> Result<(), Error> {
    let message = Message::Binary(frame.encode_to_vec().into());
    match tokio::time::timeout(WRITE_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(server.unreachable(cause)),
        Err(late) => Err(server.unreachable(late)),
    }
}

/// Tells the platform that the device goes away on purpose. It is also right if it never arrives.
async fn say_goodbye(socket: &mut Socket, server: &Server) {
    let goodbye = Goodbye { reason: goodbye::Reason::Shutdown.into() };
    let said = write(socket, server, &management(Body::Goodbye(goodbye))).await;
    let closed = tokio::time::timeout(CLOSE_LIMIT, socket.close(None)).await;
    tracing::debug!("goodbye said: {}, closed: {}", said.is_ok(), closed.is_ok());
}

fn moment(clock: &Clock, start: Instant) -> Moment {
    let mono_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Moment { wall_ms: clock.now().as_millisecond(), mono_ms }
}

/// A poisoned outbox is still whole: its methods leave nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
