//! People, for directories.

use axum::extract::{RawQuery, State};
use http::StatusCode;
use openframe_ids::UserId;
use openframe_scim::{Filter, Meta, Person, person_name, replaced, show_person};
use serde_json::Value;

use super::answers::{
    Asks, One, Refused, Sent, as_seen, is_known, nothing, patched, resource, told,
};
use super::{Answer, Fields, Wish};
use crate::app::{Asked, PersonWanted, Pinned, Search};
use crate::domain::Provisioned;
use crate::{Auth, Error};

/// A person as shown.
fn shown(of: &Provisioned, url: &str) -> Fields {
    let (id, user) = (of.user.id.to_string(), &of.user);
    let person = Person {
        user_name: user.email.clone(),
        external_id: of.external_id.clone(),
        active: Some(!user.disabled),
    };
    // Other ways change people as well, and no time of it is kept.
    let meta = Meta { location: format!("{url}/Users/{id}"), created: user.created, changed: None };
    show_person(&id, &person, &user.name, &meta)
}

/// What a resource wants of a person who was `before`.
fn wanted(fields: &Fields, before: Option<&Fields>) -> Result<PersonWanted, Refused> {
    let Person { user_name, external_id, active } = Person::read(fields)?;
    let name = person_name(fields, before)?;
    Ok(PersonWanted { email: user_name, name, external_id, active: active.unwrap_or(true) })
}

fn id(text: &str) -> Result<UserId, Error> {
    text.parse().map_err(|_| Error::Missing("person"))
}

/// What an index answers of a filter.
fn pinned(filter: &Filter) -> Option<Pinned<UserId>> {
    let named = |name, how: fn(String) -> Pinned<UserId>| {
        filter.pinned(name).map(|text| how(text.to_owned()))
    };
    let by_id = filter.pinned("id").and_then(|text| text.parse().ok()).map(Pinned::Id);
    by_id
        .or_else(|| named("userName", Pinned::Email))
        .or_else(|| named("externalId", Pinned::ExternalId))
}

pub(super) async fn list(
    State(app): State<Auth>,
    Asks(asked): Asks,
    RawQuery(query): RawQuery,
) -> Answer {
    let (wish, url) = (Wish::parse(query.as_deref())?, app.scim_url());
    let fits = |filter: &Filter, of: &Provisioned| filter.matches(&shown(of, &url));
    let fits = wish.filter.as_ref().map(|filter| move |of: &Provisioned| fits(filter, of));
    let search = Search {
        pinned: wish.filter.as_ref().and_then(pinned),
        fits: fits.as_ref().map(|fits| fits as &(dyn Fn(&Provisioned) -> bool + Send + Sync)),
        page: wish.page(),
    };
    let (total, people) = app.provisioned_people(&asked, search).await?;
    let people: Vec<Value> =
        people.iter().map(|of| wish.narrowed(shown(of, &url)).into()).collect();
    Ok(told(StatusCode::OK, &openframe_scim::list(total, wish.start, &people)))
}

pub(super) async fn create(
    State(app): State<Auth>,
    Asks(asked): Asks,
    RawQuery(query): RawQuery,
    Sent(body): Sent,
) -> Answer {
    let wish = Wish::parse(query.as_deref())?;
    let made = app.provision(&asked, wanted(&body, None)?).await?;
    let whole = shown(&made, &app.scim_url());
    Ok(resource(StatusCode::CREATED, &whole, wish.narrowed(whole.clone())))
}

pub(super) async fn show(State(app): State<Auth>, Asks(asked): Asks, one: One) -> Answer {
    let person = app.provisioned_person(&asked, id(&one.id)?).await?;
    let whole = shown(&person, &app.scim_url());
    if is_known(&one.headers, &whole) {
        return Ok(nothing(StatusCode::NOT_MODIFIED));
    }
    Ok(resource(StatusCode::OK, &whole, one.wish.narrowed(whole.clone())))
}

pub(super) async fn replace(
    State(app): State<Auth>,
    Asks(asked): Asks,
    one: One,
    Sent(body): Sent,
) -> Answer {
    let after = |before: &Fields| {
        Person::read(&body)?;
        Ok(replaced(before, body.clone(), &["active", "externalId", "displayName"]))
    };
    made(&app, &asked, &one, after).await
}

pub(super) async fn change(
    State(app): State<Auth>,
    Asks(asked): Asks,
    one: One,
    Sent(body): Sent,
) -> Answer {
    made(&app, &asked, &one, |before| patched(before, body.clone())).await
}

/// Makes a person what `after` makes of what is shown.
async fn made(
    app: &Auth,
    asked: &Asked,
    one: &One,
    after: impl Fn(&Fields) -> Result<Fields, Refused>,
) -> Answer {
    let url = app.scim_url();
    let now = app.provisioned_person(asked, id(&one.id)?).await?;
    let before = shown(&now, &url);
    as_seen(&one.headers, &before)?;
    let wanted = wanted(&after(&before)?, Some(&before))?;
    let changed = app.change_provisioned(asked, &now, wanted).await?;
    let whole = shown(&changed, &url);
    Ok(resource(StatusCode::OK, &whole, one.wish.narrowed(whole.clone())))
}

pub(super) async fn remove(State(app): State<Auth>, Asks(asked): Asks, one: One) -> Answer {
    let person = app.provisioned_person(&asked, id(&one.id)?).await?;
    as_seen(&one.headers, &shown(&person, &app.scim_url()))?;
    app.end_provisioned(&asked, person.user.id).await?;
    Ok(nothing(StatusCode::NO_CONTENT))
}
