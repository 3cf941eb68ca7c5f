//! What an agent and the platform say to each other: enrolment over HTTPS ([`enrolment`]), then
//! frames on the link ([`link`], generated from `proto/link.proto`, whose comments are the
//! protocol's specification). [`table`] has the one encoding of a snapshot's values.

pub mod enrolment;
pub mod table;

/// Messages of the agents' link.
pub mod link {
    #![allow(
        missing_docs,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated; documented in proto/link.proto"
    )]
    include!(concat!(env!("OUT_DIR"), "/openframe.agent.v1.rs"));
}

/// The path of the link's WebSocket.
pub const LINK_PATH: &str = "/agent/v1/link";
/// The WebSocket close code of a device that does not belong to the fleet any more: it was retired
/// or revoked. It is in vain to connect again before it is enrolled anew.
pub const CLOSE_REVOKED: u16 = 4001;
/// The code of the refusal of a request that a device has signed by a clock that is too far off: the answer
/// says by `Date` what time it is.
pub const CLOCK_OFF: &str = "clock_off";
/// A frame's size at most, encoded.
pub const MAX_FRAME_BYTES: usize = 256 << 10;
/// Series in a table at most.
pub const MAX_SERIES: usize = 5_000;
