//! Searching the audit trail. The only SQL that is put together at run time: what is not looked for is
//! not in the statement, so that an index answers what is (migration 0007).

use jiff::Timestamp;
use openframe_auth::domain::{Action, Filter};
use openframe_auth::store::Place;
use sqlx::{QueryBuilder, Result};
use uuid::Uuid;

use super::ms;
use crate::engine::{Connection, Engine, FAMILY};
use crate::rows::{EntryRow, SpanRow};

fn seq(place: u64) -> i64 {
    place.try_into().unwrap_or(i64::MAX)
}

/// Entries that the filter finds, in one direction from a place.
pub(crate) async fn found(
    db: &mut Connection,
    tenant: Uuid,
    filter: &Filter,
    from: Place,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    search(tenant, filter, from, limit).build_query_as().fetch_all(db).await
}

/// The statement of [`found`].
pub(crate) fn search(
    tenant: Uuid,
    filter: &Filter,
    from: Place,
    limit: i64,
) -> QueryBuilder<Engine> {
    let mut sql = QueryBuilder::<Engine>::new(
        "select seq, at_ms, actor_kind, actor, action, target, outcome, detail, remote_address, \
         request_id, hash from audit where tenant_id = ",
    );
    sql.push_bind(tenant);
    of_action(&mut sql, filter.action.as_ref());
    for (column, wanted) in [(" and actor = ", &filter.actor), (" and target = ", &filter.target)] {
        if let Some(text) = wanted {
            sql.push(column).push_bind(text.clone());
        }
    }
    if let Some(outcome) = &filter.outcome {
        if outcome != "done" {
            // Said as the index says it, which holds no others.
            sql.push(" and outcome <> 'done'");
        }
        sql.push(" and outcome = ").push_bind(outcome.clone());
    }
    // The sign keeps the index of times out of it: the places have been found by that, and are in order.
    of_time(&mut sql, "+at_ms", (filter.from, filter.to));
    if let Some((first, last)) = filter.places {
        sql.push(" and seq >= ").push_bind(seq(first));
        sql.push(" and seq <= ").push_bind(seq(last));
    }
    match from {
        Place::Before(place) => {
            sql.push(" and seq < ").push_bind(seq(place)).push(" order by seq desc limit ")
        }
        Place::After(place) => {
            sql.push(" and seq > ").push_bind(seq(place)).push(" order by seq limit ")
        }
    };
    sql.push_bind(limit);
    sql
}

fn of_action(sql: &mut QueryBuilder<Engine>, wanted: Option<&Action>) {
    match wanted {
        Some(Action::Is(action)) => {
            sql.push(" and action = ").push_bind(action.clone());
        }
        Some(Action::Under(prefix)) => {
            let family = Action::family(prefix);
            sql.push(" and ").push(FAMILY).push(" = ").push_bind(family.to_owned());
            if family != prefix {
                let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
                sql.push(" and substr(action, 1, ").push_bind(length);
                sql.push(") = ").push_bind(prefix.clone());
            }
        }
        None => {}
    }
}

fn of_time(
    sql: &mut QueryBuilder<Engine>,
    column: &str,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
) {
    for (bound, is) in [(from, " >= "), (to, " < ")] {
        if let Some(at) = bound {
            sql.push(" and ").push(column).push(is).push_bind(ms(at));
        }
    }
}

/// The first and the last place of entries of a time: read from the index of times alone.
pub(crate) async fn span(
    db: &mut Connection,
    tenant: Uuid,
    from_to: (Option<Timestamp>, Option<Timestamp>),
) -> Result<SpanRow> {
    let mut sql = QueryBuilder::<Engine>::new(
        "select min(seq) as first, max(seq) as last from audit where tenant_id = ",
    );
    sql.push_bind(tenant);
    of_time(&mut sql, "at_ms", from_to);
    sql.build_query_as().fetch_one(db).await
}
