//! The public paths. Streams of events are not among them yet.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use openframe_devices_api as api;
use openframe_fault::{Fault, Json, Path, Query, REQUEST_ID};
use openframe_ids::{CommandId, DeviceId};
use openframe_mesh::identity::Asking;
use serde::Deserialize;

use crate::app::{App, Ask, Shown, Wanted};
use crate::domain::{Change, Chunk, Command, Version, hex, index};
use crate::error::Error;

/// Commands in one page.
const COMMANDS_PAGE: u32 = 50;

/// The public routes, to be put under the service's prefix.
pub fn public(app: App) -> Router {
    Router::new()
        .route("/devices", get(devices))
        .route("/devices/{id}", get(device).patch(change).delete(retire))
        .route("/devices/{id}/inventory", get(inventory))
        .route("/devices/{id}/inventory/{section}", get(section))
        .route("/devices/{id}/inventory/{section}/history", get(history))
        .route("/devices/{id}/commands", get(commands).post(run))
        .route("/commands/{id}", get(command))
        .route("/commands/{id}/cancel", post(cancel))
        .route("/commands/{id}/output", get(output))
        .with_state(app)
}

fn ask(Asking(caller): Asking, headers: &HeaderMap) -> Ask {
    let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    Ask { caller, request_id: id.unwrap_or_default().to_owned() }
}

type Answer<T> = Result<Json<T>, Fault>;

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
        items: page.devices.into_iter().map(wire_device).collect(),
        next_cursor: page.next,
        total: page.total,
        facets: facets.collect(),
        // Every write brings the index up to date before it is answered.
        index_age_ms: 0,
    }))
}

async fn device(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<DeviceId>,
) -> Answer<api::Device> {
    Ok(Json(wire_device(app.device(&ask(who, &HeaderMap::new()), id).await?)))
}

async fn change(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<DeviceId>,
    Json(change): Json<api::DeviceChange>,
) -> Answer<api::Device> {
    let change = Change { name: change.name, tags: change.tags };
    Ok(Json(wire_device(app.change(&ask(who, &headers), id, change).await?)))
}

async fn retire(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    app.retire(&ask(who, &headers), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn inventory(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<DeviceId>,
) -> Answer<api::Inventory> {
    let sections = app.inventory(&ask(who, &HeaderMap::new()), id).await?;
    let sections = sections.into_iter().map(wire_section).collect::<Result<_, _>>()?;
    Ok(Json(api::Inventory { sections }))
}

#[derive(Deserialize)]
struct At {
    at: Option<jiff::Timestamp>,
}

async fn section(
    State(app): State<App>,
    who: Asking,
    Path((id, section)): Path<(DeviceId, String)>,
    Query(At { at }): Query<At>,
) -> Answer<api::Section> {
    let found = app.section(&ask(who, &HeaderMap::new()), (id, &section), at).await?;
    Ok(Json(wire_section(found)?))
}

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
    Ok(Json(wire_command(app.run(&ask(who, &headers), id, wanted, key).await?)))
}

#[derive(Deserialize)]
struct Cursor {
    cursor: Option<String>,
}

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
    Ok(Json(api::CommandPage { items: found.into_iter().map(wire_command).collect(), next_cursor }))
}

async fn command(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<CommandId>,
) -> Answer<api::Command> {
    Ok(Json(wire_command(app.command(&ask(who, &HeaderMap::new()), id).await?)))
}

async fn cancel(
    State(app): State<App>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<CommandId>,
) -> Answer<api::Command> {
    Ok(Json(wire_command(app.cancel(&ask(who, &headers), id).await?)))
}

#[derive(Deserialize)]
struct After {
    after: Option<u64>,
}

async fn output(
    State(app): State<App>,
    who: Asking,
    Path(id): Path<CommandId>,
    Query(After { after }): Query<After>,
) -> Answer<api::Output> {
    let after = after.unwrap_or(0);
    let (command, chunks) = app.output(&ask(who, &HeaderMap::new()), id, after).await?;
    let next = chunks.last().map_or(after, Chunk::end);
    let complete = command.state.is_finished() && next >= command.output_end;
    let chunks = chunks.into_iter().map(|chunk| api::OutputChunk {
        stream: chunk.stream.as_str().to_owned(),
        offset: chunk.offset,
        text: String::from_utf8_lossy(&chunk.data).into_owned(),
    });
    Ok(Json(api::Output { chunks: chunks.collect(), next, complete }))
}

fn wire_device(Shown { device, presence }: Shown) -> api::Device {
    let name = device.name().to_owned();
    let (hello, facts) = (device.hello.clone(), device.hello.facts);
    api::Device {
        id: device.id,
        name,
        hostname: facts.hostname,
        presence: presence.as_str().to_owned(),
        last_seen_at: Some(device.last_seen),
        enrolled_at: device.enrolled_at,
        tags: device.tags,
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
        remote_address: hello.remote_address,
        agent_version: hello.agent_version,
        capabilities: hello.capabilities,
        clock_offset_ms: hello.clock_offset_ms,
    }
}

fn wire_section(version: Version) -> Result<api::Section, Error> {
    let body = serde_json::from_slice(&version.seen.body);
    let body = body.map_err(|cause| Error::Damaged(cause.into()))?;
    let (section, hash) = (version.seen.section, hex(&version.seen.hash));
    Ok(api::Section { section, at: version.at, hash, body })
}

fn wire_command(command: Command) -> api::Command {
    api::Command {
        id: command.id,
        device_id: command.device,
        state: command.state.as_str().to_owned(),
        finished: command.state.is_finished(),
        script: command.script,
        interpreter: command.interpreter,
        timeout_s: command.timeout_s,
        created_at: command.created_at,
        expires_at: command.expires_at,
        started_at: command.started_at,
        finished_at: command.finished_at,
        exit_code: command.exit_code,
        status_reason: command.status_reason,
        created_by: command.created_by,
        reason: command.reason,
        output_bytes: command.output_bytes,
        output_truncated: command.output_truncated,
    }
}
