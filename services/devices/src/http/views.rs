//! What the domain knows, as the API's types.

use openframe_devices_api as api;

use crate::app::Shown;
use crate::domain::{Chunk, Command, Decoder, Stream, Version, hex};
use crate::error::Error;

/// A piece of output after `after`, as [`crate::app::App::output`] found it. What is left of a
/// character when nothing follows is a piece of its own.
pub(super) fn output(
    command: &Command,
    chunks: &[Chunk],
    (after, decoder): (u64, &mut Decoder),
) -> api::Output {
    let next = chunks.last().map_or(after, Chunk::end);
    let complete = command.state.is_finished() && next >= command.output_end;
    let piece = |stream: Stream, offset, text| {
        let stream = stream.as_str().to_owned();
        api::OutputChunk { stream, offset, text }
    };
    let texts = chunks.iter().map(|chunk| piece(chunk.stream, chunk.offset, decoder.text(chunk)));
    let mut pieces: Vec<api::OutputChunk> = texts.collect();
    if complete {
        let streams = [Stream::Stdout, Stream::Stderr];
        pieces.extend(streams.map(|stream| piece(stream, next, decoder.rest(stream))));
    }
    pieces.retain(|piece| !piece.text.is_empty());
    api::Output { chunks: pieces, next, complete }
}

pub(super) fn device(Shown { device, presence }: Shown) -> api::Device {
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
        place: device.place.ids().to_vec(),
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

pub(super) fn section(version: Version) -> Result<api::Section, Error> {
    let body = serde_json::from_slice(&version.seen.body);
    let body = body.map_err(|cause| Error::Damaged(cause.into()))?;
    let (section, hash) = (version.seen.section, hex(&version.seen.hash));
    Ok(api::Section { section, at: version.at, hash, body })
}

pub(super) fn command(command: Command) -> api::Command {
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
        cancel_requested: command.cancel_requested,
        status_reason: command.status_reason,
        created_by: command.created_by,
        reason: command.reason,
        output_bytes: command.output_bytes,
        output_truncated: command.output_truncated,
    }
}
