//! Groups, for directories.

use std::collections::BTreeSet;

use axum::extract::{RawQuery, State};
use http::StatusCode;
use openframe_ids::{GroupId, UserId};
use openframe_scim::{Filter, Group as Sketch, Meta, Refusal, ScimType, replaced, show_group};
use serde_json::Value;

use super::answers::{
    Asks, One, Refused, Sent, as_seen, is_known, nothing, patched, resource, told,
};
use super::{Answer, Fields, Wish};
use crate::app::{Asked, GroupWanted, Pinned, Search};
use crate::domain::Group;
use crate::{Auth, Error};

/// Members that are shown on one page at most; what does not fit is on the next.
const SHOWN: usize = 20_000;

/// A group as shown.
fn shown(of: &Group, members: &BTreeSet<UserId>, url: &str) -> Fields {
    let id = of.id.to_string();
    let group = Sketch {
        name: of.name.clone(),
        external_id: of.external_id.clone(),
        members: members.iter().map(UserId::to_string).collect(),
    };
    let location = format!("{url}/Groups/{id}");
    let meta = Meta { location, created: of.created, changed: Some(of.changed) };
    show_group(&id, &group, &format!("{url}/Users"), &meta)
}

fn wanted(fields: &Fields) -> Result<GroupWanted, Refused> {
    let Sketch { name, external_id, members } = Sketch::read(fields)?;
    let member = |id: &String| {
        id.parse().map_err(|_| Error::Invalid("a member is named by the id of a person".to_owned()))
    };
    let members = members.iter().map(member).collect::<Result<_, _>>()?;
    Ok(GroupWanted { name, external_id, members })
}

fn id(text: &str) -> Result<GroupId, Error> {
    text.parse().map_err(|_| Error::Missing("group"))
}

fn pinned(filter: &Filter) -> Option<Pinned<GroupId>> {
    let by_id = filter.pinned("id").and_then(|text| text.parse().ok()).map(Pinned::Id);
    let external = || filter.pinned("externalId").map(|it| Pinned::ExternalId(it.to_owned()));
    by_id.or_else(external)
}

pub(super) async fn list(
    State(app): State<Auth>,
    Asks(asked): Asks,
    RawQuery(query): RawQuery,
) -> Answer {
    let (wish, url) = (Wish::parse(query.as_deref())?, app.scim_url());
    if wish.filter.as_ref().is_some_and(|filter| filter.mentions("members")) {
        let message = "groups are not found by their members; filter by displayName";
        return Err(Refusal::new(ScimType::InvalidFilter, message).into());
    }
    let nobody = BTreeSet::new();
    let fits = |filter: &Filter, of: &Group| filter.matches(&shown(of, &BTreeSet::new(), &url));
    let fits = wish.filter.as_ref().map(|filter| move |of: &Group| fits(filter, of));
    let search = Search {
        pinned: wish.filter.as_ref().and_then(pinned),
        fits: fits.as_ref().map(|fits| fits as &(dyn Fn(&Group) -> bool + Send + Sync)),
        page: wish.page(),
    };
    let (total, groups) = app.provisioned_groups(&asked, search).await?;
    let (mut page, mut members) = (Vec::<Value>::new(), 0);
    for group in &groups {
        if !wish.selection.shows("members") {
            page.push(wish.narrowed(shown(group, &nobody, &url)).into());
            continue;
        }
        let people = app.group_members(&asked, group.id).await?;
        members += people.len();
        if members > SHOWN && !page.is_empty() {
            break;
        }
        page.push(wish.narrowed(shown(group, &people, &url)).into());
    }
    Ok(told(StatusCode::OK, &openframe_scim::list(total, wish.start, &page)))
}

pub(super) async fn create(
    State(app): State<Auth>,
    Asks(asked): Asks,
    RawQuery(query): RawQuery,
    Sent(body): Sent,
) -> Answer {
    let (wish, wanted) = (Wish::parse(query.as_deref())?, wanted(&body)?);
    let members = wanted.members.clone();
    let group = app.add_group(&asked, wanted).await?;
    let whole = shown(&group, &members, &app.scim_url());
    Ok(resource(StatusCode::CREATED, &whole, wish.narrowed(whole.clone())))
}

pub(super) async fn show(State(app): State<Auth>, Asks(asked): Asks, one: One) -> Answer {
    let group = app.provisioned_group(&asked, id(&one.id)?).await?;
    let members = app.group_members(&asked, group.id).await?;
    let whole = shown(&group, &members, &app.scim_url());
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
    let after = |before: &Fields| Ok(replaced(before, body.clone(), &["externalId"]));
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

/// Makes a group what `after` makes of what is shown.
async fn made(
    app: &Auth,
    asked: &Asked,
    one: &One,
    after: impl Fn(&Fields) -> Result<Fields, Refused>,
) -> Answer {
    let url = app.scim_url();
    let now = app.provisioned_group(asked, id(&one.id)?).await?;
    let members = app.group_members(asked, now.id).await?;
    let before = shown(&now, &members, &url);
    as_seen(&one.headers, &before)?;
    let wanted = wanted(&after(&before)?)?;
    let changed = app.change_group(asked, (&now, &members), wanted).await?;
    let members = app.group_members(asked, changed.id).await?;
    let whole = shown(&changed, &members, &url);
    Ok(resource(StatusCode::OK, &whole, one.wish.narrowed(whole.clone())))
}

pub(super) async fn remove(State(app): State<Auth>, Asks(asked): Asks, one: One) -> Answer {
    let group = app.provisioned_group(&asked, id(&one.id)?).await?;
    let members = app.group_members(&asked, group.id).await?;
    as_seen(&one.headers, &shown(&group, &members, &app.scim_url()))?;
    app.remove_group(&asked, group.id).await?;
    Ok(nothing(StatusCode::NO_CONTENT))
}
