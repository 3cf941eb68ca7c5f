//! The public paths.
#![expect(unused_qualifications, reason = "utoipa repeats the handlers' types")]

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Response, StatusCode};
use openframe_devices_api as api;
use openframe_fault::{Fault, Json, Path, Query};
use openframe_ids::{CommandId, DeviceId};
use openframe_mesh::identity::Asking;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Ask, Wanted};
use crate::domain::{Change, Chunk, Stream, hex, index};
use crate::error::Error;
use crate::http::streams::{__path_command_stream, __path_events, command_stream, events};
use crate::http::views;

/// Commands in one page.
const COMMANDS_PAGE: u32 = 50;

/// The public routes, to be put under the service's prefix.
pub(super) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(devices))
        .routes(routes!(device, change, retire))
        .routes(routes!(inventory))
        .routes(routes!(section))
        .routes(routes!(history))
        .routes(routes!(commands, run))
        .routes(routes!(command))
        .routes(routes!(cancel))
        .routes(routes!(output))
        .routes(routes!(raw_output))
        .routes(routes!(events))
        .routes(routes!(command_stream))
}

pub(super) fn ask(Asking(caller): Asking, headers: &HeaderMap) -> Ask {
    Ask::of(caller, headers)
}

type Answer<T> = Result<Json<T>, Fault>;

/// Lists devices.
#[utoipa::path(get, path = "/devices", tag = "devices", operation_id = "list_devices", params(api::DeviceQuery),
    responses((status = 200, body = api::DevicePage)))]
async fn devices(
    State(app): State<App>,
    who: Asking,
    Query(wanted): Query<api::DeviceQuery>,
) -> Answer<api::DevicePage> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let query =
        index::Query::parse(&text(&wanted.q), &text(&wanted.filter), &text(&wanted.facets))?
            .sorted(&text(&wanted.sort), wanted.cursor.as_deref())?
            .limited(wanted.limit)?;
    let page = app.devices(&ask(who, &HeaderMap::new()), &query).await?;
    let facets = page.facets.into_iter().map(|(attribute, counts)| {
        let counts = counts.into_iter().map(|(value, count)| api::FacetValue { value, count });
        (attribute.as_str().to_owned(), counts.collect())
    });
    Ok(Json(api::DevicePage {
        items: page.devices.into_iter().map(views::device).collect(),
        next_cursor: page.next,
        total: page.total,
        facets: facets.collect(),
        // Every write brings the index up to date before it is answered.
        index_age_ms: 0,
    }))
}

/// Shows a device.
#[utoipa::path(get, path = "/devices/{id}", tag = "devices", operation_id = "get_device", params(("id" = DeviceId, Path)),
    responses((status = 200, body = api::Device)))]
async fn device(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<DeviceId>,
) -> Answer<api::Device> {
    Ok(Json(views::device(app.device(&ask(who, &HeaderMap::new()), id).await?)))
}

/// Renames, tags or moves a device.
#[utoipa::path(patch, path = "/devices/{id}", tag = "devices", operation_id = "change_device", params(("id" = DeviceId, Path)),
    request_body = api::DeviceChange, responses((status = 200, body = api::Device)))]
async fn change(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<DeviceId>,
    Json(change): Json<api::DeviceChange>,
) -> Answer<api::Device> {
    let ask = ask(who, &headers);
    let place = match change.place {
        None => None,
        Some(text) => Some(app.place_called(&ask, &text).await?),
    };
    let change = Change { name: change.name, tags: change.tags, place };
    Ok(Json(views::device(app.change(&ask, id, change).await?)))
}

/// Removes a device with all that is known of it.
#[utoipa::path(delete, path = "/devices/{id}", tag = "devices", operation_id = "retire_device", params(("id" = DeviceId, Path)),
    responses((status = 204)))]
async fn retire(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    app.retire(&ask(who, &headers), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the newest inventory of a device.
#[utoipa::path(get, path = "/devices/{id}/inventory", tag = "inventory", operation_id = "get_inventory",
    params(("id" = DeviceId, Path)), responses((status = 200, body = api::Inventory)))]
async fn inventory(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<DeviceId>,
) -> Answer<api::Inventory> {
    let sections = app.inventory(&ask(who, &HeaderMap::new()), id).await?;
    let sections = sections.into_iter().map(views::section).collect::<Result<_, _>>()?;
    Ok(Json(api::Inventory { sections }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct At {
    /// The instant; now when absent.
    #[param(value_type = Option<String>)]
    at: Option<jiff::Timestamp>,
}

/// Shows one section of the inventory, as it was at an instant.
#[utoipa::path(get, path = "/devices/{id}/inventory/{section}", tag = "inventory", operation_id = "get_inventory_section",
    params(("id" = DeviceId, Path), ("section" = String, Path), At),
    responses((status = 200, body = api::Section)))]
async fn section(
    State(app): State<App>,
    who: Asking,
    Path((id, section)): Path<(DeviceId, String)>,
    Query(At { at }): Query<At>,
) -> Answer<api::Section> {
    let found = app.section(&ask(who, &HeaderMap::new()), (id, &section), at).await?;
    Ok(Json(views::section(found)?))
}

/// Lists when a section changed.
#[utoipa::path(get, path = "/devices/{id}/inventory/{section}/history", tag = "inventory", operation_id = "list_inventory_versions",
    params(("id" = DeviceId, Path), ("section" = String, Path)),
    responses((status = 200, body = api::SectionHistory)))]
async fn history(
    State(app): State<App>,
    who: Asking,
    Path((id, section)): Path<(DeviceId, String)>,
) -> Answer<api::SectionHistory> {
    let versions = app.history(&ask(who, &HeaderMap::new()), (id, &section)).await?;
    let versions = versions.into_iter();
    let versions = versions.map(|(at, hash)| api::SectionVersion { at, hash: hex(&hash) });
    Ok(Json(api::SectionHistory { versions: versions.collect() }))
}

/// Runs a command on a device; `Idempotency-Key` makes repeats safe.
#[utoipa::path(post, path = "/devices/{id}/commands", tag = "commands", operation_id = "run_command",
    params(("id" = DeviceId, Path)), request_body = api::NewCommand,
    responses((status = 200, body = api::Command)))]
async fn run(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<DeviceId>,
    Json(new): Json<api::NewCommand>,
) -> Answer<api::Command> {
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default());
    let wanted = Wanted {
        script: new.script,
        interpreter: new.interpreter.unwrap_or_else(|| "sh".to_owned()),
        timeout_s: new.timeout_s.unwrap_or(60),
        expires_in_s: new.expires_in_s.unwrap_or(86_400),
        idempotent: new.idempotent.unwrap_or(false),
        reason: new.reason.unwrap_or_default(),
    };
    Ok(Json(views::command(app.run(&ask(who, &headers), id, wanted, key).await?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Cursor {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists a device's commands, newest first.
#[utoipa::path(get, path = "/devices/{id}/commands", tag = "commands", operation_id = "list_commands",
    params(("id" = DeviceId, Path), Cursor), responses((status = 200, body = api::CommandPage)))]
async fn commands(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<DeviceId>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Answer<api::CommandPage> {
    let before = cursor.map(|text| text.parse::<CommandId>().map_err(|_| Error::BadCursor));
    let who = ask(who, &HeaderMap::new());
    let mut found = app.commands(&who, id, before.transpose()?, COMMANDS_PAGE + 1).await?;
    let more = found.len() > COMMANDS_PAGE as usize;
    found.truncate(COMMANDS_PAGE as usize);
    let next_cursor = found.last().filter(|_| more).map(|command| command.id.to_string());
    Ok(Json(api::CommandPage {
        items: found.into_iter().map(views::command).collect(),
        next_cursor,
    }))
}

/// Shows a command.
#[utoipa::path(get, path = "/commands/{id}", tag = "commands", operation_id = "get_command", params(("id" = CommandId, Path)),
    responses((status = 200, body = api::Command)))]
async fn command(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<CommandId>,
) -> Answer<api::Command> {
    Ok(Json(views::command(app.command(&ask(who, &HeaderMap::new()), id).await?)))
}

/// Cancels a command that has not finished.
#[utoipa::path(post, path = "/commands/{id}/cancel", tag = "commands", operation_id = "cancel_command",
    params(("id" = CommandId, Path)), responses((status = 200, body = api::Command)))]
async fn cancel(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<CommandId>,
) -> Answer<api::Command> {
    Ok(Json(views::command(app.cancel(&ask(who, &headers), id).await?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// `next` of the answer before.
    after: Option<u64>,
}

/// Reads what a command wrote.
#[utoipa::path(get, path = "/commands/{id}/output", tag = "commands", operation_id = "read_command_output",
    params(("id" = CommandId, Path), After), responses((status = 200, body = api::Output)))]
async fn output(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<CommandId>,
    Query(After { after }): Query<After>,
) -> Answer<api::Output> {
    let (ask, after) = (ask(who, &HeaderMap::new()), after.unwrap_or(0));
    let (command, chunks) = app.output(&ask, id, after).await?;
    let mut decoder = app.decoder(&ask, id, after).await?;
    Ok(Json(views::output(&command, &chunks, (after, &mut decoder))))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Of {
    /// `stdout` or `stderr`; both, as they were written, when absent.
    stream: Option<String>,
}

/// Downloads what a command has written so far: the bytes as they came.
#[utoipa::path(get, path = "/commands/{id}/output/raw", tag = "commands",
    operation_id = "download_command_output", params(("id" = CommandId, Path), Of),
    responses((status = 200, content_type = "application/octet-stream", body = [u8])))]
async fn raw_output(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<CommandId>,
    Query(Of { stream }): Query<Of>,
) -> Result<Response<Body>, Fault> {
    let named = |text: String| {
        let unknown = || Error::Invalid("stream is stdout or stderr".to_owned());
        Stream::of_text(&text).ok_or_else(unknown)
    };
    let only = stream.map(named).transpose()?;
    let ask = ask(who, &HeaderMap::new());
    // What is refused is refused before the answer begins.
    app.command(&ask, id).await?;
    let pieces = stream::try_unfold(0, move |after| {
        let (app, ask) = (app.clone(), ask.clone());
        async move {
            let (_, chunks) = app.output(&ask, id, after).await?;
            let Some(next) = chunks.last().map(Chunk::end) else { return Ok(None) };
            let wanted = |chunk: &Chunk| only.is_none_or(|only| chunk.stream == only);
            let bytes: Vec<u8> =
                chunks.into_iter().filter(wanted).flat_map(|chunk| chunk.data).collect();
            Ok::<_, Error>(Some((Bytes::from(bytes), next)))
        }
    });
    let name = format!("attachment; filename=\"{id}.out\"");
    let response = Response::builder()
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_DISPOSITION, name)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    response.body(Body::from_stream(pieces)).map_err(|cause| Error::Damaged(cause.into()).into())
}
