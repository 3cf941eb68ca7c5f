//! Server-sent events: what happens to devices, and what a command writes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures::{Stream, StreamExt as _, stream};
use http::HeaderMap;
use openframe_devices_api as api;
use openframe_fault::{Fault, Path};
use openframe_ids::CommandId;
use openframe_mesh::identity::Asking;
use openframe_tokens::{Caller, Permission, Place};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::public::ask;
use super::views;
use crate::app::{App, Ask, Event, Happened};
use crate::domain::Decoder;
use crate::error::Error;

/// Follows what happens to devices; `lagged` tells a slow viewer to read everything again.
#[utoipa::path(get, path = "/events", tag = "devices", operation_id = "follow_devices",
    responses((status = 200, content_type = "text/event-stream", body = api::DeviceEvent)))]
pub(super) async fn events(
    State(app): State<App>,
    who: Asking,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Fault> {
    let who = ask(who, &HeaderMap::new());
    let events = BroadcastStream::new(app.follow(&who)?);
    let events = events.filter_map(move |event| {
        let sent = match event {
            Ok(event) => seen(&app, &who.caller, &event).and_then(sent),
            Err(BroadcastStreamRecvError::Lagged(_)) => {
                app.metrics.events_lagged.inc();
                Some(Sent::default().event("lagged").data("{}"))
            }
        };
        std::future::ready(sent.map(Ok))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn sent(wire: api::DeviceEvent) -> Option<Sent> {
    Sent::default().json_data(wire).ok()
}

/// What the caller is told of an event: nothing where the caller may not read the device.
pub(crate) fn seen(app: &App, caller: &Caller, event: &Event) -> Option<api::DeviceEvent> {
    if event.tenant != caller.tenant {
        return None;
    }
    // A grant may end while somebody follows.
    let caller = caller.clone().at(app.clock.now());
    let reads = |place: &Place| caller.may_at(Permission::DevicesRead, place);
    let there = || app.place_of((event.tenant, event.device)).is_some_and(|place| reads(&place));
    let shown = match &event.what {
        Happened::Device(shown) => reads(&shown.device.place),
        Happened::Inventory | Happened::Command(_) => there(),
        // For those who follow that command.
        Happened::Output => false,
        // Out of sight is gone.
        Happened::Moved(from) => reads(from) && !there(),
        Happened::Retired(place) => reads(place),
    };
    shown.then(|| wire(event))
}

fn wire(event: &Event) -> api::DeviceEvent {
    let mut wire = api::DeviceEvent {
        kind: String::new(),
        device_id: event.device,
        device: None,
        command: None,
    };
    match &event.what {
        Happened::Device(shown) => {
            "device".clone_into(&mut wire.kind);
            wire.device = Some(views::device(shown.as_ref().clone()));
        }
        Happened::Inventory => "inventory".clone_into(&mut wire.kind),
        Happened::Command(command) => {
            "command".clone_into(&mut wire.kind);
            wire.command = Some(views::command(command.as_ref().clone()));
        }
        Happened::Output => "output".clone_into(&mut wire.kind),
        Happened::Moved(_) | Happened::Retired(_) => "retired".clone_into(&mut wire.kind),
    }
    wire
}

/// Follows one command from its first byte of output until it has finished: `output` events carry
/// `Output`, `command` events `Command`.
#[utoipa::path(get, path = "/commands/{id}/stream", tag = "commands", operation_id = "follow_command",
    params(("id" = CommandId, Path)),
    responses((status = 200, content_type = "text/event-stream", body = api::Output)))]
pub(super) async fn command_stream(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<CommandId>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Fault> {
    let ask = ask(who, &HeaderMap::new());
    // First listen, then look: nothing falls between.
    let events = app.follow(&ask)?;
    let command = app.command(&ask, id).await?;
    let device = command.device;
    let first = Follower {
        app,
        ask,
        id,
        events,
        after: 0,
        decoder: Decoder::default(),
        shown: None,
        queue: VecDeque::new(),
        look: true,
        over: false,
    };
    let sent = stream::unfold((first, device), |(mut follower, device)| async move {
        loop {
            if let Some(event) = follower.queue.pop_front() {
                return Some((Ok(event), (follower, device)));
            }
            if follower.over {
                return None;
            }
            if !follower.look {
                follower.wait(|event| event.device == device).await;
            }
            if follower.read().await.is_err() {
                return None;
            }
        }
    });
    Ok(Sse::new(sent).keep_alive(KeepAlive::default()))
}

struct Follower {
    app: App,
    ask: Ask,
    id: CommandId,
    events: broadcast::Receiver<Arc<Event>>,
    /// Everything before was sent.
    after: u64,
    decoder: Decoder,
    /// The version of the command that was sent.
    shown: Option<u64>,
    queue: VecDeque<Sent>,
    /// There may be more to read already.
    look: bool,
    over: bool,
}

impl Follower {
    /// Waits until something that `concerns` the command may have happened.
    async fn wait(&mut self, concerns: impl Fn(&Event) -> bool) {
        loop {
            match self.events.recv().await {
                Ok(event) if concerns(&event) => return,
                Ok(_) => {}
                // What was missed is read from the store.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            }
        }
    }

    /// Puts what is new in the queue.
    async fn read(&mut self) -> Result<(), Error> {
        self.ask.caller = self.ask.caller.clone().at(self.app.clock.now());
        let (command, chunks) = self.app.output(&self.ask, self.id, self.after).await?;
        self.look = !chunks.is_empty();
        let output = views::output(&command, &chunks, (self.after, &mut self.decoder));
        self.after = output.next;
        self.over = output.complete;
        // The state goes first: whoever sees that the output is complete may leave.
        if self.shown != Some(command.version) {
            self.shown = Some(command.version);
            let command = views::command(command);
            self.queue.extend(Sent::default().event("command").json_data(command).ok());
        }
        if self.look || self.over {
            self.queue.extend(Sent::default().event("output").json_data(output).ok());
        }
        Ok(())
    }
}
