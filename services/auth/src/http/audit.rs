//! The audit trail.
#![expect(unused_qualifications, reason = "utoipa repeats the handlers' types")]

use axum::body::{Body, Bytes};
use axum::extract::State;
use futures::stream;
use http::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use jiff::Timestamp;
use openframe_auth_api::{AuditEntry, AuditStream, AuditVerdict, Page};
use openframe_fault::{Fault, Json, Query, chain};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views;
use crate::app::{Asked, Export, told};
use crate::domain::{Action, Filter};
use crate::{Auth, Error};

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(audit))
        .routes(routes!(export_audit))
        .routes(routes!(verify_audit))
        .routes(routes!(audit_streams))
}

/// What is looked for. An empty text is as good as none, as forms send it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// What was done: `session.create`, or `session.` for all that begin so.
    action: Option<String>,
    /// By whom: an id, or what was typed at a failed sign-in.
    actor: Option<String>,
    /// To what: an id.
    target: Option<String>,
    /// `done`, `refused` or `failed`.
    outcome: Option<String>,
    /// At this time or later, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
}

impl Wanted {
    fn filter(self) -> Result<Filter, Fault> {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Filter {
            action: some(self.action).map(Action::read),
            actor: some(self.actor),
            target: some(self.target),
            outcome: some(self.outcome),
            from: some(self.from).map(|text| time("from", &text)).transpose()?,
            to: some(self.to).map(|text| time("to", &text)).transpose()?,
            places: None,
        })
    }
}

fn time(name: &str, text: &str) -> Result<Timestamp, Fault> {
    text.parse().map_err(|_| {
        Fault::invalid("invalid", format!("`{name}` must be a time such as 2026-01-31T12:00:00Z"))
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 500 entries; 100 when absent.
    limit: Option<u32>,
}

/// Reads the audit trail, or what is looked for in it, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Wanted, Paging),
    responses((status = 200, body = Page<AuditEntry>)))]
async fn audit(
    State(app): State<Auth>,
    asked: Asked,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditEntry>>, Fault> {
    let found = app.audit(&asked, wanted.filter()?, paging.cursor.as_deref(), paging.limit);
    let (entries, next_cursor) = found.await?;
    Ok(Json(Page { items: entries.into_iter().map(told).collect(), next_cursor }))
}

/// Downloads all that is looked for in the audit trail: an entry a line, oldest first. An answer that
/// breaks off, instead of ending, is not whole.
#[utoipa::path(get, path = "/audit/export", tag = "audit", params(Wanted),
    responses((status = 200, content_type = "application/x-ndjson", body = AuditEntry)))]
async fn export_audit(
    State(app): State<Auth>,
    asked: Asked,
    Query(wanted): Query<Wanted>,
) -> Result<Response<Body>, Fault> {
    let export = app.export_audit(&asked, wanted.filter()?).await?;
    let pieces = stream::try_unfold(export, async |mut export: Export| {
        let piece = export.next().await.inspect_err(|error| {
            tracing::warn!("an export of the audit trail broke off: {}", chain(error));
        })?;
        let Some(entries) = piece else { return Ok(None) };
        let mut lines = Vec::new();
        for entry in entries {
            let written = serde_json::to_writer(&mut lines, &told(entry));
            written.map_err(|cause| Error::Damaged(cause.into()))?;
            lines.push(b'\n');
        }
        Ok::<_, Error>(Some((Bytes::from(lines), export)))
    });
    let response = Response::builder()
        .header(CONTENT_TYPE, "application/x-ndjson")
        .header(CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\"")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    response.body(Body::from_stream(pieces)).map_err(|cause| Error::Damaged(cause.into()).into())
}

/// Checks the chain of the audit trail, and its checkpoints.
#[utoipa::path(get, path = "/audit/verify", tag = "audit",
    responses((status = 200, body = AuditVerdict)))]
async fn verify_audit(State(app): State<Auth>, asked: Asked) -> Result<Json<AuditVerdict>, Fault> {
    Ok(Json(views::verdict(app.verify_audit(&asked).await?)))
}

/// Lists where the audit trail is sent to, how far it has got there, and why it does not.
#[utoipa::path(get, path = "/audit/streams", tag = "audit",
    responses((status = 200, body = Page<AuditStream>)))]
async fn audit_streams(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<Page<AuditStream>>, Fault> {
    let streams = app.audit_streams(&asked).await?;
    Ok(Json(views::page(streams.into_iter().map(views::stream).collect())))
}
