//! SCIM 2.0 on the wire (RFC 7644). Not in the API's document: directories find it out by `Schemas`.

mod answers;
mod groups;
mod people;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use openframe_auth_api::SCIM;
use openframe_scim::{Filter, Refusal, ScimType, Selection, list, provider_config};
use serde_json::{Map, Value};

use crate::Auth;
use crate::Error;
use answers::{Asks, Refused, told};

/// The largest body, in bytes: a group of ten thousand.
const BODY_LIMIT: usize = 1 << 20;
/// Resources of a page at most, and when the directory does not say.
const PAGE: usize = 100;

type Fields = Map<String, Value>;
type Answer = Result<Response, Refused>;

pub(super) fn routes() -> Router<Auth> {
    let scim = Router::new()
        .route("/Users", get(people::list).post(people::create))
        .route(
            "/Users/{id}",
            get(people::show).put(people::replace).patch(people::change).delete(people::remove),
        )
        .route("/Groups", get(groups::list).post(groups::create))
        .route(
            "/Groups/{id}",
            get(groups::show).put(groups::replace).patch(groups::change).delete(groups::remove),
        )
        .route("/ServiceProviderConfig", get(config))
        .route("/ResourceTypes", get(resource_types))
        .route("/ResourceTypes/{id}", get(resource_type))
        .route("/Schemas", get(schemas))
        .route("/Schemas/{id}", get(schema))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    Router::new().nest(SCIM, scim)
}

async fn config(State(app): State<Auth>, _: Asks) -> Response {
    let location = format!("{}/ServiceProviderConfig", app.scim_url());
    told(StatusCode::OK, &provider_config(&location, PAGE))
}

async fn resource_types(State(app): State<Auth>, _: Asks) -> Response {
    whole_list(&openframe_scim::resource_types(&app.scim_url()))
}

async fn resource_type(State(app): State<Auth>, _: Asks, Path(id): Path<String>) -> Answer {
    one_of(openframe_scim::resource_types(&app.scim_url()), &id)
}

async fn schemas(State(app): State<Auth>, _: Asks) -> Response {
    whole_list(&openframe_scim::schemas(&app.scim_url()))
}

async fn schema(State(app): State<Auth>, _: Asks, Path(id): Path<String>) -> Answer {
    one_of(openframe_scim::schemas(&app.scim_url()), &id)
}

fn whole_list(all: &[Value]) -> Response {
    told(StatusCode::OK, &list(all.len(), 1, all))
}

fn one_of(all: Vec<Value>, id: &str) -> Answer {
    let is = |one: &Value| {
        let own = one.get("id").and_then(Value::as_str);
        own.is_some_and(|own| own.eq_ignore_ascii_case(id))
    };
    let found = all.into_iter().find(is).ok_or(Error::Missing("schema or type"))?;
    Ok(told(StatusCode::OK, &found))
}

/// What a directory asks for by the address.
struct Wish {
    filter: Option<Filter>,
    /// The place of the first, from 1.
    start: usize,
    count: usize,
    selection: Selection,
}

impl Wish {
    fn parse(query: Option<&str>) -> Result<Self, Refused> {
        let mut named = BTreeMap::new();
        let query = query.unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            named.entry(name.to_lowercase()).or_insert_with(|| value.into_owned());
        }
        let text = |name| named.get(name).map(String::as_str);
        let number = |name| match text(name).map(str::parse::<i64>) {
            None => Ok(None),
            // Less than there is counts as none of it (RFC 7644, 3.4.2.4).
            Some(Ok(number)) => Ok(Some(usize::try_from(number).unwrap_or(0))),
            Some(Err(_)) => {
                Err(Refusal::new(ScimType::InvalidValue, format!("{name} is a number")))
            }
        };
        let filter = text("filter").map(Filter::parse).transpose()?;
        let start = number("startindex")?.unwrap_or(1).max(1);
        let count = number("count")?.unwrap_or(PAGE).min(PAGE);
        let selection = Selection::parse(text("attributes"), text("excludedattributes"))?;
        Ok(Self { filter, start, count, selection })
    }

    fn page(&self) -> (usize, usize) {
        (self.start - 1, self.count)
    }

    /// What of a resource is shown.
    fn narrowed(&self, mut fields: Fields) -> Fields {
        self.selection.narrow(&mut fields);
        fields
    }
}
