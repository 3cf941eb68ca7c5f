//! The gateway's way in: what devices say, as messages of the link protocol. Decides nothing.

mod public;
mod streams;
mod views;

#[cfg(test)]
pub(crate) use streams::seen;

use openframe_devices_api::PREFIX;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use jiff::Timestamp;
use openframe_agent_api::link;
use openframe_devices_api::internal::{
    HEARD, LINK_CLOSED, LINK_OPENED, REPORT, SIBLINGS, SiblingNews,
};
use openframe_fault::{Fault, Json, body};
use openframe_mesh::identity::Asking;
use prost::Message;

use crate::app::{About, App, Item, What};
use crate::domain::{self, Chunk, Facts, Goodbye, Hello, Report, ReportedState, Stream};
use crate::error::Error;

/// Bytes of one push.
const PUSH_LIMIT: usize = 8 << 20;

/// What the API's document says of itself.
#[derive(OpenApi)]
#[openapi(info(
    title = "OpenFrame devices",
    description = "Which devices exist, what they are, and what they are told to do.",
    license(name = "Apache-2.0", identifier = "Apache-2.0"),
))]
struct Document;

/// The public routes.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi()).nest(PREFIX, public::public())
}

/// The API's document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

/// Every route.
pub fn routes(app: App) -> Router {
    let (public, _) = api().split_for_parts();
    internal(app.clone()).merge(public.with_state(app))
}

/// The routes that the gateway uses for devices.
fn internal(app: App) -> Router {
    Router::new()
        .route(LINK_OPENED, post(opened))
        .route(LINK_CLOSED, post(closed))
        .route(HEARD, post(heard))
        .route(REPORT, post(report))
        .route(SIBLINGS, post(sibling_news))
        .with_state(app)
}

async fn opened(
    State(app): State<App>,
    Asking(caller): Asking,
    body: Body,
) -> Result<StatusCode, Fault> {
    let message: link::LinkOpened = read(body).await?;
    let hello = message.hello.unwrap_or_default();
    let hello = hello_of(hello, message.remote_address, app.clock.now());
    let whose = app.link_opened(&caller, &message.link_id, hello).await?;
    // The connection takes frames only once this is answered.
    app.push_soon(whose, What::ALL);
    Ok(StatusCode::NO_CONTENT)
}

async fn closed(
    State(app): State<App>,
    Asking(caller): Asking,
    body: Body,
) -> Result<StatusCode, Fault> {
    let message: link::LinkClosed = read(body).await?;
    let goodbye = Goodbye::of_code(i64::from(message.reason));
    app.link_closed(&caller, &message.link_id, goodbye).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn heard(State(app): State<App>, Asking(caller): Asking) -> Result<StatusCode, Fault> {
    app.heard(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sibling_news(
    State(app): State<App>,
    Asking(caller): Asking,
    Json(news): Json<SiblingNews>,
) -> Result<StatusCode, Fault> {
    app.sibling_news(&caller, news).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn report(
    State(app): State<App>,
    Asking(caller): Asking,
    body: Body,
) -> Result<StatusCode, Fault> {
    let message: link::ReportPush = read(body).await?;
    let items = message.frames.into_iter().map(item).collect::<Result<Vec<_>, Error>>()?;
    app.report(&caller, &items).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read<M: Message + Default>(body: Body) -> Result<M, Fault> {
    let bytes = body::read(body, PUSH_LIMIT).await?;
    M::decode(bytes).map_err(|cause| {
        Fault::from(Error::BadReport("it is not a message of the link protocol")).because(cause)
    })
}

fn hello_of(hello: link::Hello, remote_address: String, now: Timestamp) -> Hello {
    let facts = hello.facts.unwrap_or_default();
    Hello {
        facts: Facts {
            hostname: facts.hostname,
            os_family: facts.os_family,
            os_name: facts.os_name,
            os_version: facts.os_version,
            kernel: facts.kernel,
            arch: facts.arch,
            vendor: facts.vendor,
            model: facts.model,
            serial: facts.serial,
            cpu_count: facts.cpu_count,
            memory_bytes: facts.memory_bytes,
            addresses: facts.addresses,
        },
        agent_version: hello.agent_version,
        capabilities: hello.capabilities,
        remote_address,
        clock_offset_ms: hello.time_ms.saturating_sub(now.as_millisecond()),
    }
}

fn instant(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|_| Error::BadReport("a time is out of range"))
}

fn item(frame: link::Frame) -> Result<Item, Error> {
    match frame.body {
        Some(link::frame::Body::Inventory(it)) => {
            let at = instant(it.time_ms)?;
            domain::check(it.section, at, &it.hash, it.body.into()).map(Item::Inventory)
        }
        Some(link::frame::Body::CommandState(it)) => {
            let about = About::State(Report {
                state: state(it.state())?,
                at: instant(it.time_ms)?,
                exit_code: it.exit_code,
                reason: domain::text(it.reason),
                output_bytes: it.output_bytes,
            });
            Ok(Item::Command(it.id.parse().ok(), about))
        }
        Some(link::frame::Body::CommandOutput(it)) => {
            let stream = match it.stream() {
                link::command_output::Stream::Stdout => Stream::Stdout,
                link::command_output::Stream::Stderr => Stream::Stderr,
            };
            let chunk = Chunk { stream, offset: it.offset, data: it.data.into() };
            Ok(Item::Command(it.id.parse().ok(), About::Output(chunk)))
        }
        _ => Err(Error::BadReport("a frame is none of inventory, command state and output")),
    }
}

fn state(state: link::command_state::State) -> Result<ReportedState, Error> {
    use link::command_state::State as Wire;
    Ok(match state {
        Wire::Unspecified => return Err(Error::BadReport("a command's state is not known")),
        Wire::Accepted => ReportedState::Accepted,
        Wire::Running => ReportedState::Running,
        Wire::Succeeded => ReportedState::Succeeded,
        Wire::Failed => ReportedState::Failed,
        Wire::TimedOut => ReportedState::TimedOut,
        Wire::Interrupted => ReportedState::Interrupted,
        Wire::Cancelled => ReportedState::Cancelled,
        Wire::Expired => ReportedState::Expired,
    })
}
