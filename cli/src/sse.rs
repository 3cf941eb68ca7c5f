//! Reads server-sent events (WHATWG HTML, section 9.2) from a streamed answer.

use futures::StreamExt as _;
use http::Response;
use openframe_fault::Fault;

/// A line's length at most, bytes.
const MAX_LINE_BYTES: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name.
    pub(crate) name: String,
    /// Its data, lines joined by a line feed.
    pub(crate) data: String,
}

/// Events as they arrive.
pub(crate) struct Events {
    body: axum::body::BodyDataStream,
    buffer: Vec<u8>,
    event: Event,
}

impl Events {
    pub(crate) fn new(response: Response<axum::body::Body>) -> Self {
        let body = response.into_body().into_data_stream();
        Self { body, buffer: Vec::new(), event: Event::default() }
    }

    /// The next event; `None` once the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                if let Some(event) = take_line(&mut self.event, line.trim_end_matches(['\r', '\n']))
                {
                    return Ok(Some(event));
                }
            }
            match self.body.next().await {
                None => return Ok(None),
                Some(Ok(bytes)) if self.buffer.len() + bytes.len() <= MAX_LINE_BYTES => {
                    self.buffer.extend_from_slice(&bytes);
                }
                Some(Ok(_)) => return Err(Fault::invalid("bad_stream", "an event is too large")),
                Some(Err(error)) => {
                    let fault = Fault::unavailable("stream_broken", "the connection was lost");
                    return Err(fault.because(error));
                }
            }
        }
    }
}

/// Takes one line; an empty one ends the event.
fn take_line(event: &mut Event, line: &str) -> Option<Event> {
    if line.is_empty() {
        let event = std::mem::take(event);
        return (!event.data.is_empty()).then_some(event);
    }
    let (field, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match field {
        "event" => value.clone_into(&mut event.name),
        "data" => {
            if !event.data.is_empty() {
                event.data.push('\n');
            }
            event.data.push_str(value);
        }
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_come_out_however_they_are_cut() {
        let text = ": hello\nevent: output\r\ndata: {\"a\":\ndata: 1}\n\nid: 3\ndata: x\n\n";
        for size in 1..text.len() {
            let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
                text.as_bytes().chunks(size).map(|piece| Ok(piece.to_vec())).collect();
            let body = axum::body::Body::from_stream(futures::stream::iter(pieces));
            let mut events = Events::new(Response::new(body));
            let first = events.next().await.unwrap().unwrap();
            assert_eq!((first.name.as_str(), first.data.as_str()), ("output", "{\"a\":\n1}"));
            assert_eq!(events.next().await.unwrap().unwrap().data, "x");
            assert_eq!(events.next().await.unwrap(), None);
        }
    }
}
