//! The gateway's own paths for the platform's services: frames on their way to a device.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use openframe_agent_api::MAX_FRAME_BYTES;
use openframe_agent_api::link::Frame;
use openframe_devices_api::internal::PUSH_TO_LINK;
use openframe_fault::{Fault, Kind, Path, body};
use openframe_ids::DeviceId;
use openframe_mesh::identity::Asking;
use prost::Message as _;

use crate::link::{Pushed, Registry};

pub(crate) fn router(links: Arc<Registry>) -> Router {
    Router::new().route(&format!("{PUSH_TO_LINK}/{{device}}/frames"), post(push)).with_state(links)
}

async fn push(
    State(links): State<Arc<Registry>>,
    Asking(caller): Asking,
    Path(device): Path<DeviceId>,
    content: Body,
) -> Result<StatusCode, Fault> {
    if !caller.is_service("devices") {
        let message = "only the devices service may write to a device's link";
        return Err(Fault::new(Kind::Forbidden, "not_allowed", message));
    }
    let bytes = body::read(content, MAX_FRAME_BYTES).await?;
    let frame = Frame::decode(bytes)
        .map_err(|error| Fault::invalid("bad_frame", "the body is no frame").because(error))?;
    match links.push(caller.tenant, device, frame) {
        Pushed::Written => Ok(StatusCode::NO_CONTENT),
        Pushed::NoLink => {
            Err(Fault::new(Kind::NotFound, "no_link", "the device is not connected here"))
        }
        Pushed::Full => Err(Fault::unavailable("link_full", "the device does not read; try again")),
    }
}
