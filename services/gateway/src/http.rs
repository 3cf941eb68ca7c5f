//! The gateway's own paths for the platform's services: frames on their way to a device, and the
//! end of its link.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{delete, post};
use http::StatusCode;
use openframe_agent_api::MAX_FRAME_BYTES;
use openframe_agent_api::link::Frame;
use openframe_devices_api::internal::LINKS;
use openframe_fault::{Fault, Kind, Path, body};
use openframe_ids::DeviceId;
use openframe_mesh::identity::Asking;
use openframe_tokens::Caller;
use prost::Message as _;

use crate::link::{Pushed, Registry};

pub(crate) fn router(links: Arc<Registry>) -> Router {
    Router::new()
        .route(&format!("{LINKS}/{{device}}/frames"), post(push))
        .route(&format!("{LINKS}/{{device}}"), delete(revoke))
        .with_state(links)
}

fn devices_only(caller: &Caller) -> Result<(), Fault> {
    if caller.is_service("devices") {
        return Ok(());
    }
    let message = "only the devices service may touch a device's link";
    Err(Fault::new(Kind::Forbidden, "not_allowed", message))
}

/// Ends the link of a device that was retired.
async fn revoke(
    State(links): State<Arc<Registry>>,
    Asking(caller): Asking,
    Path(device): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    devices_only(&caller)?;
    if links.revoke(caller.tenant, device) { Ok(StatusCode::NO_CONTENT) } else { Err(no_link()) }
}

fn no_link() -> Fault {
    Fault::new(Kind::NotFound, "no_link", "the device is not connected here")
}

async fn push(
    State(links): State<Arc<Registry>>,
    Asking(caller): Asking,
    Path(device): Path<DeviceId>,
    content: Body,
) -> Result<StatusCode, Fault> {
    devices_only(&caller)?;
    let bytes = body::read(content, MAX_FRAME_BYTES).await?;
    let frame = Frame::decode(bytes)
        .map_err(|error| Fault::invalid("bad_frame", "the body is no frame").because(error))?;
    match links.push(caller.tenant, device, frame).await {
        Pushed::Written => Ok(StatusCode::NO_CONTENT),
        Pushed::NoLink => Err(no_link()),
        Pushed::Full => Err(Fault::unavailable("link_full", "the device does not read; try again")),
    }
}
