//! The routes. Handlers decode, call [`Monitoring`], encode; they decide nothing.

mod alerts;
mod prometheus;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use openframe_clock::Clock;
use openframe_fault::{Fault, Json, Path, body};
use openframe_ids::DeviceId;
use openframe_mesh::identity::{self, Asking};
use openframe_monitoring_api::{
    Latest, LatestValue, LiveEvent, OTLP_METRICS, PREFIX, PROMETHEUS, TELEMETRY,
};
use openframe_tokens::internal::Verifier;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Error;
use crate::app::{Live, Monitoring};
use crate::domain::chunk::Sample;
use crate::domain::labels::{DEVICE, Labels, NAME};

/// Every path, behind the check of who asks.
pub(crate) fn router(app: Monitoring, verifier: Verifier, clock: Clock) -> Router {
    let router = Router::new()
        .route(TELEMETRY, post(push))
        .route(&format!("{PROMETHEUS}/write"), post(write))
        .route(OTLP_METRICS, post(otlp_metrics))
        .merge(prometheus::routes())
        .merge(own().split_for_parts().0)
        .with_state(app);
    openframe_fault::layer(identity::require(router, verifier, clock))
}

/// The service's own API.
fn own() -> OpenApiRouter<Monitoring> {
    let routes = OpenApiRouter::new().routes(routes!(latest)).routes(routes!(live));
    OpenApiRouter::new().nest(PREFIX, routes.merge(alerts::routes()))
}

/// The API's document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    own().into_openapi()
}

async fn push(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    body: Body,
) -> Result<StatusCode, Fault> {
    let body = body::read(body, app.max_body_bytes()).await?;
    app.push(&caller, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn write(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Result<StatusCode, Fault> {
    check_media(request.headers())?;
    let body = body::read(request.into_body(), app.max_body_bytes()).await?;
    app.write(&caller, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The text of a header; empty when it is not there.
fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

/// Whether a body is protobuf of the first version, or does not say what it is.
fn is_protobuf(headers: &HeaderMap) -> bool {
    let kind = text(headers, header::CONTENT_TYPE);
    let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let media = media.trim();
    let two = parameters.contains("io.prometheus.write.v2");
    (media.is_empty() || media.eq_ignore_ascii_case("application/x-protobuf")) && !two
}

fn check_media(headers: &HeaderMap) -> Result<(), Error> {
    let snappy = text(headers, header::CONTENT_ENCODING).eq_ignore_ascii_case("snappy");
    if is_protobuf(headers) && snappy {
        return Ok(());
    }
    Err(Error::UnsupportedMedia(
        "application/x-protobuf of prometheus.WriteRequest (remote_write 1.0), compressed with \
         snappy; remote_write 2.0 is not taken",
    ))
}

/// `POST /otlp/v1/metrics`, as OpenTelemetry's exporters send.
async fn otlp_metrics(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Fault> {
    let encoding = text(request.headers(), header::CONTENT_ENCODING).to_ascii_lowercase();
    let gzip = encoding == "gzip";
    if !is_protobuf(request.headers()) || !(gzip || encoding.is_empty() || encoding == "identity") {
        return Err(Error::UnsupportedMedia(
            "application/x-protobuf (set the exporter's protocol to http/protobuf), plain or gzip",
        )
        .into());
    }
    let body = body::read(request.into_body(), app.max_body_bytes()).await?;
    let answer = app.write_otlp(&caller, body, gzip).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-protobuf")], answer).into_response())
}

/// The newest value of each series of a device.
#[utoipa::path(get, path = "/devices/{id}/latest", tag = "telemetry",
    params(("id" = DeviceId, Path)), responses((status = 200, body = Latest)))]
async fn latest(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    Path(id): Path<DeviceId>,
) -> Result<Json<Latest>, Fault> {
    let items = app.latest(&caller, id).await?.into_iter().map(view).collect();
    Ok(Json(Latest { items }))
}

fn view((labels, (t, value)): (Labels, Sample)) -> LatestValue {
    let own = labels.iter().filter(|(name, _)| *name != NAME && *name != DEVICE);
    let own: BTreeMap<_, _> =
        own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let at = Timestamp::from_millisecond(t).unwrap_or(Timestamp::UNIX_EPOCH);
    LatestValue { name: labels.get(NAME).to_owned(), labels: own, at, value }
}

/// What happens from now on, as server-sent events; `lagged` tells a slow viewer to read again.
#[utoipa::path(get, path = "/live", tag = "telemetry",
    responses((status = 200, content_type = "text/event-stream", body = LiveEvent)))]
async fn live(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Fault> {
    let events = BroadcastStream::new(app.live(&caller).await?);
    let viewer = Arc::new((app, caller));
    let events = events.filter_map(move |event| {
        let viewer = Arc::clone(&viewer);
        async move {
            let seen = match &event {
                Ok(what) => viewer.0.may_hear(&viewer.1, what).await,
                Err(BroadcastStreamRecvError::Lagged(_)) => Ok(true),
            };
            match (seen, event) {
                (Ok(true), Ok(what)) => told(what).map(Ok),
                (Ok(false), _) => None,
                // The viewer was too slow, or it is not known what is for it: it is told to read
                // everything again.
                (Ok(true), Err(_)) | (Err(_), _) => Some(Ok(Event::default().event("lagged"))),
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn told(what: Live) -> Option<Event> {
    let event = match what {
        Live::Telemetry(arrived) => {
            let at = Timestamp::from_millisecond(arrived.at_ms).ok()?;
            LiveEvent::Telemetry { device_id: arrived.device, at }
        }
        Live::Alert(alert) => LiveEvent::Alert(Box::new(alerts::alert(*alert))),
    };
    Event::default().json_data(event).ok()
}

#[cfg(test)]
mod tests;
