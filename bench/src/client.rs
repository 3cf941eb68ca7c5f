//! Plain HTTP to a server on loopback.

use anyhow::Context as _;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use openframe_mesh::{Connector, Peer};
use serde_json::Value;

/// A server and the credential it wants.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    peer: Peer,
    key: String,
}

impl Target {
    /// The server at `url`.
    pub(crate) fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        openframe_pki::install_provider();
        let connector = Connector::new(openframe_pki::public_client(b"")?);
        let peer = Peer::Remote { base: url.parse()?, connector: Box::new(connector) };
        Ok(Self { peer, key: key.to_owned() })
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        body: Body,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let answer = self.peer.call(request.body(body)?).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Writes a compressed `remote_write` 1.0 body; fails unless it was taken.
    pub(crate) async fn write(&self, path: &str, body: Bytes) -> anyhow::Result<()> {
        let request = Request::post(path)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        let (status, answer) = self.ask(request, Body::from(body)).await?;
        anyhow::ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// Reads JSON, whatever the status.
    pub(crate) async fn json(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(query);
        let (_, answer) =
            self.ask(Request::get(format!("{path}?{}", text.finish())), Body::empty()).await?;
        serde_json::from_slice(&answer).context("not JSON")
    }

    /// Whether `path` answers well.
    pub(crate) async fn well(&self, path: &str) -> bool {
        let answer = self.ask(Request::get(path), Body::empty()).await;
        answer.is_ok_and(|(status, _)| status.is_success())
    }
}
