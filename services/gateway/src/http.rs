//! The gateway's own inner path: the devices service writes to a device's link.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use openframe_agent_api::MAX_FRAME_BYTES;
use openframe_agent_api::link::Frame;
use openframe_fault::{Fault, Kind, Path, body};
use openframe_ids::DeviceId;
use openframe_mesh::identity::Asking;
use prost::Message as _;

use crate::link::Links;

pub(crate) fn router(links: Links) -> Router {
    Router::new().route("/internal/v1/links/{device}/frames", post(push)).with_state(links)
}

async fn push(
    State(links): State<Links>,
    Asking(caller): Asking,
    Path(device): Path<DeviceId>,
    content: Body,
) -> Result<StatusCode, Fault> {
    if !caller.is_service("devices") {
        return Err(Fault::new(Kind::Forbidden, "forbidden", "only the devices service may"));
    }
    let bytes = body::read(content, MAX_FRAME_BYTES).await?;
    let frame = Frame::decode(bytes)
        .map_err(|error| Fault::invalid("bad_frame", "the body is no frame").because(error))?;
    links.push(caller.tenant, device, frame)?;
    Ok(StatusCode::NO_CONTENT)
}
