//! Paths between the gateway and the devices service. Bodies are prost messages of `agent-api`
//! (`application/x-protobuf`); the device is the caller of the internal token.

/// `POST`, body `LinkOpened`, answer 204: the device has connected. The service then pushes what
/// waits for the device through the gateway's own path, in a task of its own.
pub const LINK_OPENED: &str = "/internal/v1/links/opened";
/// `POST`, body `LinkClosed`, answer 204: the device's connection has ended.
pub const LINK_CLOSED: &str = "/internal/v1/links/closed";
/// `POST`, body `ReportPush`, answer 204 once all of it is durable.
pub const REPORT: &str = "/internal/v1/reports";
/// `POST`, empty body, answer 204: the device has been heard from.
pub const HEARD: &str = "/internal/v1/links/heard";
/// The gateway's paths, each with 404 when the device is not connected to this gateway:
/// `POST /internal/v1/links/{device}/frames`, body one `Frame` without a sequence number, answer 204
/// when it was written to the device's connection, 503 when that found no room for some seconds;
/// `DELETE /internal/v1/links/{device}`, answer 204 when the connection ends because the device was
/// retired.
pub const LINKS: &str = "/internal/v1/links";
/// The content type of all of them.
pub const PROTOBUF: &str = "application/x-protobuf";
