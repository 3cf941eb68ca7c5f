//! Prometheus' own query API (version 1, "HTTP API"), so that its clients work.
//!
//! Answers have Prometheus' envelope: `{"status", "data"}` or `{"status", "errorType", "error"}`.

mod answer;
mod form;
mod rules;
mod status;

use std::time::Duration;

use answer::{Answer, Data, finish};
use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{MethodRouter, get};
use form::{Form, bad};
use openframe_fault::Path;
use openframe_mesh::identity::Asking;
use openframe_monitoring_api::PROMETHEUS;
use openframe_promql::Error as PromqlError;
use openframe_tokens::Caller;

use crate::Error;
use crate::app::Monitoring;
use crate::app::query::{Place, Question, When};

/// Points of one series in a range answer at most, as in Prometheus.
const MAX_POINTS: i64 = 11_000;

/// Every path of it but writing.
pub(super) fn routes() -> Router<Monitoring> {
    let both =
        |path: &str, handler: MethodRouter<Monitoring>| (format!("{PROMETHEUS}{path}"), handler);
    let routes = [
        both("/query", get(query).post(query)),
        both("/query_range", get(query_range).post(query_range)),
        both("/query_exemplars", get(query_exemplars).post(query_exemplars)),
        both("/format_query", get(format_query).post(format_query)),
        both("/series", get(series).post(series)),
        both("/labels", get(labels).post(labels)),
        both("/label/{name}/values", get(label_values).post(label_values)),
        both("/rules", get(rules::rules)),
        both("/alerts", get(rules::alerts)),
        both("/metadata", get(status::metadata)),
        both("/status/buildinfo", get(status::build)),
        both("/status/runtimeinfo", get(status::runtime)),
        both("/status/tsdb", get(status::head)),
        both("/status/config", get(status::config)),
        both("/status/flags", get(status::flags)),
    ];
    routes.into_iter().fold(Router::new(), |all, (path, handler)| all.route(&path, handler))
}

async fn query(State(app): State<Monitoring>, Asking(caller): Asking, request: Request) -> Answer {
    let form = Form::read(request).await?;
    let when = form.time("time").map(|time| When::At(time.unwrap_or_else(|| app.now_ms())));
    finish(evaluated(&app, &caller, &form, when).await)
}

async fn query_range(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let when = steps(&form);
    finish(evaluated(&app, &caller, &form, when).await)
}

fn steps(form: &Form) -> Result<When, Error> {
    let start = form.needed_time("start")?;
    let end = form.needed_time("end")?;
    if end < start {
        return Err(bad("invalid parameter \"end\": end timestamp must not be before start time"));
    }
    let step = form.needed_duration("step")?;
    if step <= 0 {
        return Err(bad(
            "invalid parameter \"step\": zero or negative query resolution step widths are not \
             accepted. Try a positive integer",
        ));
    }
    if (end - start) / step > MAX_POINTS {
        return Err(bad(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)",
        ));
    }
    Ok(When::Steps(start, end, step))
}

async fn evaluated(
    app: &Monitoring,
    caller: &Caller,
    form: &Form,
    when: Result<When, Error>,
) -> Result<(Data, Option<Place>), Error> {
    let limit = form.limit()?;
    let positive = |ms: i64| u64::try_from(ms).map(Duration::from_millis).unwrap_or_default();
    let question = Question {
        text: form.get("query").unwrap_or_default().to_owned(),
        when: when?,
        timeout: form.duration("timeout")?.map(positive),
        lookback_ms: form.duration("lookback_delta")?.filter(|ms| *ms > 0),
    };
    let most = app.max_answer_bytes();
    let answer = app.query(caller, question, move |value| answer::of_value(value, limit, most));
    let (data, place) = answer.await.map_err(|error| of_parameter("query", error))?;
    Ok((data, Some(place)))
}

/// What is wrong with a text, with the parameter that it came in.
fn of_parameter(name: &str, error: Error) -> Error {
    if let Error::Query(PromqlError::Parse(why)) = error {
        return bad(format!("invalid parameter {name:?}: {why}"));
    }
    error
}

/// No exemplars are stored, so there are none to a query that can be read.
async fn query_exemplars(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let read = app.format_query(&caller, form.get("query").unwrap_or_default().to_owned()).await;
    let read = read.map_err(|error| of_parameter("query", error));
    finish(read.map(|_| (Data::new("[]"), None)))
}

async fn format_query(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let text = app.format_query(&caller, form.get("query").unwrap_or_default().to_owned()).await;
    let text = text.map_err(|error| of_parameter("query", error));
    finish(text.and_then(|text| Ok((Data::of(&text)?, None))))
}

async fn series(State(app): State<Monitoring>, Asking(caller): Asking, request: Request) -> Answer {
    let form = Form::read(request).await?;
    let answer = async {
        let scope = form.scope()?;
        if scope.selectors.is_empty() {
            return Err(bad("no match[] parameter provided"));
        }
        listed(&form, app.series(&caller, scope).await, &|out, labels| {
            answer::labels(out, labels.iter());
        })
    };
    finish(answer.await)
}

async fn labels(State(app): State<Monitoring>, Asking(caller): Asking, request: Request) -> Answer {
    let form = Form::read(request).await?;
    let answer = async {
        listed(&form, app.label_names(&caller, form.scope()?).await, &|out, name| {
            answer::text(out, name);
        })
    };
    finish(answer.await)
}

async fn label_values(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let answer = async {
        let name = form::label_name(&name);
        let found = app.label_values(&caller, name, form.scope()?).await;
        listed(&form, found, &|out, value| answer::text(out, value))
    };
    finish(answer.await)
}

/// A list as JSON, cut off at the caller's limit.
fn listed<T>(
    form: &Form,
    found: Result<(Vec<T>, Place), Error>,
    write: &dyn Fn(&mut Vec<u8>, &T),
) -> Result<(Data, Option<Place>), Error> {
    let limit = form.limit()?;
    let (items, place) = found.map_err(|error| of_parameter("match[]", error))?;
    Ok((Data::list(&items, limit, write), Some(place)))
}
