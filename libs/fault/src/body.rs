//! Bodies, read with a limit. Nothing else in the project reads a whole body.

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::Fault;

/// Reads a whole body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Fault> {
    read_counted(body, limit, |_| Ok(())).await
}

/// Reads a whole body of at most `limit` bytes, and tells `grown` how many have arrived each time
/// some have; an error of it ends the reading. A body that says it is too long is not read at all.
pub async fn read_counted(
    body: Body,
    limit: usize,
    mut grown: impl FnMut(usize) -> Result<(), Fault>,
) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large(limit));
    }
    let (mut read, mut body) = (BytesMut::new(), Limited::new(body, limit));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refused(error, limit))?;
        let Ok(data) = frame.into_data() else { continue };
        grown(read.len() + data.len())?;
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

fn refused(error: crate::BoxError, limit: usize) -> Fault {
    if error.is::<LengthLimitError>() {
        return too_large(limit);
    }
    Fault::invalid("body_unreadable", "the request's body ended early").because(error)
}

/// The refusal of a body over `limit` bytes.
pub fn too_large(limit: usize) -> Fault {
    Fault::invalid("body_too_large", format!("the body is larger than {limit} bytes"))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
