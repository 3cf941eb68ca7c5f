//! What the typed clients of `api/` are made of: JSON out, JSON in, refusals as [`Fault`]s.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use openframe_fault::{Fault, Kind, body};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Peer;

/// An answer is read up to this many bytes.
const ANSWER_LIMIT: usize = 64 << 20;

/// Makes the headers that say who asks: an API key for the command line, a fresh internal token for
/// a service.
pub type Credential = Arc<dyn Fn(&mut HeaderMap) + Send + Sync>;

/// A peer, and who asks it.
#[derive(Clone)]
pub struct Client {
    peer: Peer,
    credential: Option<Credential>,
    prefix: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({:?})", self.peer)
    }
}

/// What is expected back.
#[derive(Debug)]
pub struct Answer {
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's whole body.
    pub body: Bytes,
}

impl Client {
    /// A client that names nobody.
    pub fn anonymous(peer: Peer) -> Self {
        Self { peer, credential: None, prefix: String::new() }
    }

    /// A client whose requests carry `credential`.
    pub fn new(peer: Peer, credential: Credential) -> Self {
        Self { peer, credential: Some(credential), prefix: String::new() }
    }

    /// The same client with `prefix` before every path.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        Self { prefix: format!("{}{prefix}", self.prefix), ..self.clone() }
    }

    /// The same client for one request that is asked again, by this key, where no answer came: a service
    /// that heeds it does once what it is asked for.
    #[must_use]
    pub fn keyed(&self, key: HeaderValue) -> Self {
        let credential = self.credential.clone();
        let keyed = move |headers: &mut HeaderMap| {
            if let Some(credential) = &credential {
                credential(headers);
            }
            headers.insert("idempotency-key", key.clone());
        };
        Self { credential: Some(Arc::new(keyed)), ..self.clone() }
    }

    /// The same client for each replica alone, by a name of its own.
    pub fn each(&self) -> Vec<(String, Self)> {
        let all = self.peer.each().into_iter();
        all.map(|(name, peer)| (name, Self { peer, ..self.clone() })).collect()
    }

    /// Asks with no body and reads a JSON answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        decode(&self.ask(Method::GET, path, None).await?)
    }

    /// Sends JSON and reads a JSON answer.
    pub async fn send<B, T>(&self, method: Method, path: &str, value: &B) -> Result<T, Fault>
    where
        B: Serialize + Sync,
        T: DeserializeOwned,
    {
        decode(&self.ask(method, path, Some(encode(value)?)).await?)
    }

    /// Sends JSON; the answer has no body that matters.
    pub async fn tell<B>(&self, method: Method, path: &str, value: &B) -> Result<(), Fault>
    where
        B: Serialize + Sync,
    {
        self.ask(method, path, Some(encode(value)?)).await.map(drop)
    }

    /// Asks for `path` to be deleted.
    pub async fn delete(&self, path: &str) -> Result<(), Fault> {
        self.ask(Method::DELETE, path, None).await.map(drop)
    }

    /// Sends bytes of a named content type and reads the whole answer.
    pub async fn post_bytes(&self, path: &str, kind: &str, body: Bytes) -> Result<Answer, Fault> {
        let kind = HeaderValue::from_str(kind).map_err(bad_request)?;
        self.ask(Method::POST, path, Some((kind, body))).await
    }

    /// Opens a streamed answer, such as server-sent events. Nothing limits how long it lasts.
    pub async fn stream(&self, path: &str) -> Result<Response<Body>, Fault> {
        let request = self.request(Method::GET, path, None)?;
        refuse_errors(self.peer.send(request).await?).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        content: Option<(HeaderValue, Bytes)>,
    ) -> Result<Answer, Fault> {
        let request = self.request(method, path, content)?;
        let (head, content) = refuse_errors(self.peer.call(request).await?).await?.into_parts();
        let body = body::read(content, ANSWER_LIMIT).await?;
        Ok(Answer { headers: head.headers, body })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content: Option<(HeaderValue, Bytes)>,
    ) -> Result<Request<Body>, Fault> {
        let uri = format!("{}{path}", self.prefix);
        let (kind, body) =
            content.map_or((None, Body::empty()), |(kind, bytes)| (Some(kind), Body::from(bytes)));
        let mut request =
            Request::builder().method(method).uri(uri).body(body).map_err(bad_request)?;
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        if let Some(credential) = &self.credential {
            credential(request.headers_mut());
        }
        Ok(request)
    }
}

/// Turns an answer of status 400 and above into the failure that it describes.
async fn refuse_errors(answer: Response<Body>) -> Result<Response<Body>, Fault> {
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(answer);
    }
    let text = body::read(answer.into_body(), 64 << 10).await.unwrap_or_default();
    Err(Fault::from_answer(status, &text))
}

fn encode<B: Serialize>(value: &B) -> Result<(HeaderValue, Bytes), Fault> {
    let json = serde_json::to_vec(value).map_err(bad_request)?;
    Ok((HeaderValue::from_static("application/json"), json.into()))
}

fn decode<T: DeserializeOwned>(answer: &Answer) -> Result<T, Fault> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        Fault::new(Kind::Internal, "bad_answer", "a part of the platform sent an unknown answer")
            .because(error)
    })
}

fn bad_request(error: impl Into<openframe_fault::BoxError>) -> Fault {
    Fault::new(Kind::Internal, "bad_request", "the request could not be written").because(error)
}

/// Writes `?a=b&c=d` of the pairs that have a value, percent-encoded.
pub fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let Some(value) = value else { continue };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push('%');
                text.extend([byte >> 4, byte & 15].map(hex_digit));
            }
        }
    }
    text
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_escapes_what_it_must() {
        let text = query(&[("q", Some("a b&c=ü")), ("cursor", None), ("limit", Some("5"))]);
        assert_eq!(text, "?q=a%20b%26c%3D%C3%BC&limit=5");
    }
}
