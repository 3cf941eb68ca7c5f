//! The promises that a frame reaches a connected device and that a retired one is cut off, kept by
//! the gateway.

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use openframe_agent_api::link::{self, frame::Body};
use openframe_devices_api::internal::{LINKS, PROTOBUF};
use openframe_fault::{Fault, Kind};
use openframe_ids::CommandId;
use openframe_mesh::Client;
use prost::Message as _;

use crate::domain::Command;
use crate::store::Whose;

/// What is said to a device.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Run this; how many bytes of its output are wanted.
    Run(Box<Command>, u64),
    /// Stop that.
    Cancel(CommandId),
}

/// What came of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was written to the device's connection; not: the device has it.
    Written,
    /// It was written to a connection of the device, which may be an older one: who else may have one
    /// gave no answer, or had no room.
    Perhaps,
    /// The device is not connected.
    NoLink,
    /// The device does not read; nothing was written.
    Full,
}

/// Reaches connected devices.
#[async_trait]
pub trait Links: Send + Sync + 'static {
    /// Hands `said` to the device's connection; waits for room there for some seconds. After a
    /// failure it may have been written.
    async fn push(&self, to: Whose, said: &Said) -> Result<Pushed, Fault>;

    /// Ends the connection of a device that was retired, if it has one.
    async fn revoke(&self, whose: Whose) -> Result<(), Fault>;
}

/// [`Links`] by way of the gateways. Each is asked: one has the device's connection, and another one
/// may still have an older one that has not ended yet.
#[derive(Debug, Clone)]
pub struct Gateway(pub Client);

#[async_trait]
impl Links for Gateway {
    async fn push(&self, (_, device): Whose, said: &Said) -> Result<Pushed, Fault> {
        let (path, body) =
            (format!("{LINKS}/{device}/frames"), Bytes::from(frame(said).encode_to_vec()));
        let pushes = self.0.each().into_iter().map(async |(_, gateway)| {
            match gateway.post_bytes(&path, PROTOBUF, body.clone()).await {
                Ok(_) => Ok(Pushed::Written),
                Err(fault) if fault.kind() == Kind::NotFound => Ok(Pushed::NoLink),
                Err(fault) if fault.code() == "link_full" => Ok(Pushed::Full),
                Err(fault) => Err(fault),
            }
        });
        together(join_all(pushes).await)
    }

    async fn revoke(&self, (_, device): Whose) -> Result<(), Fault> {
        let path = format!("{LINKS}/{device}");
        let ends = self.0.each().into_iter().map(async |(_, gateway)| gateway.delete(&path).await);
        let ended = join_all(ends).await.into_iter();
        let failed = ended.filter_map(Result::err).find(|fault| fault.kind() != Kind::NotFound);
        failed.map_or(Ok(()), Err)
    }
}

/// What came of a push, from what each gateway says.
fn together(pushes: Vec<Result<Pushed, Fault>>) -> Result<Pushed, Fault> {
    let has = |what: Pushed| pushes.iter().any(|pushed| matches!(pushed, Ok(it) if *it == what));
    let (written, full) = (has(Pushed::Written), has(Pushed::Full));
    match pushes.into_iter().find_map(Result::err) {
        Some(_) if written => Ok(Pushed::Perhaps),
        Some(fault) => Err(fault),
        None if written && full => Ok(Pushed::Perhaps),
        None if written => Ok(Pushed::Written),
        None if full => Ok(Pushed::Full),
        None => Ok(Pushed::NoLink),
    }
}

/// The frame that carries `said`; the gateway needs no sequence number on it.
pub fn frame(said: &Said) -> link::Frame {
    let body = match said {
        Said::Cancel(id) => Body::Cancel(link::Cancel { id: id.to_string() }),
        Said::Run(command, limit) => Body::Command(link::Command {
            id: command.id.to_string(),
            interpreter: command.interpreter.clone(),
            script: command.script.clone(),
            timeout_s: command.timeout_s,
            expires_ms: command.expires_at.as_millisecond(),
            idempotent: command.idempotent,
            output_limit_bytes: *limit,
        }),
    };
    link::Frame { channel: link::Channel::Unspecified.into(), seq: 0, body: Some(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_counts_as_written_only_when_no_other_gateway_may_have_the_device() {
        use Pushed::{Full, NoLink, Perhaps, Written};
        let away = || Err(Fault::unavailable("away", "the gateway does not answer"));
        for (pushes, wanted) in [
            (vec![], Some(NoLink)),
            (vec![Ok(NoLink), Ok(NoLink)], Some(NoLink)),
            (vec![Ok(NoLink), Ok(Written)], Some(Written)),
            (vec![Ok(Written), Ok(Written)], Some(Written)),
            (vec![Ok(Full), Ok(NoLink)], Some(Full)),
            (vec![Ok(Written), Ok(Full)], Some(Perhaps)),
            (vec![away(), Ok(Written)], Some(Perhaps)),
            (vec![Ok(NoLink), away()], None),
            (vec![Ok(Full), away()], None),
        ] {
            let shown = format!("{pushes:?}");
            assert_eq!(together(pushes).ok(), wanted, "{shown}");
        }
    }
}
