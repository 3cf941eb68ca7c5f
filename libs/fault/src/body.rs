//! Bodies, read with a limit. Nothing else in the project reads a whole body.

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::Fault;

/// Reads a whole body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Fault> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(error) => {
            Err(Fault::invalid("body_unreadable", "the request's body ended early").because(error))
        }
    }
}

/// The refusal of a body over `limit` bytes.
pub fn too_large(limit: usize) -> Fault {
    Fault::invalid("body_too_large", format!("the body is larger than {limit} bytes"))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
