//! Places and grants, as they are in their tables.

use openframe_auth::domain::{KeptGrant, NamedPlace};
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{GrantId, PlaceId, TenantId, UserId};
use openframe_tokens::{Effect, Grant, Place};
use uuid::Uuid;

use super::{at, damaged};

pub(crate) struct PlaceRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) above: Vec<u8>,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
}

pub(crate) struct GrantRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) role: String,
    pub(crate) place: Vec<u8>,
    pub(crate) effect: String,
    pub(crate) until_ms: Option<i64>,
    pub(crate) created_ms: i64,
}

/// A place as it is kept.
pub(crate) fn place(bytes: &[u8]) -> Answer<Place> {
    Place::of_bytes(bytes).map_err(damaged)
}

impl TryFrom<PlaceRow> for NamedPlace {
    type Error = StoreError;

    fn try_from(row: PlaceRow) -> Answer<Self> {
        let place = place(&row.above)?.child(PlaceId(row.id));
        Ok(Self {
            place: place.ok_or_else(|| damaged("a place lies too deep"))?,
            tenant: TenantId(row.tenant_id),
            name: row.name,
            created: at(row.created_ms)?,
        })
    }
}

impl TryFrom<GrantRow> for KeptGrant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Answer<Self> {
        let effects = [Effect::Allow, Effect::Deny];
        let effect = effects.into_iter().find(|effect| effect.as_str() == row.effect);
        Ok(Self {
            id: GrantId(row.id),
            tenant: TenantId(row.tenant_id),
            user: UserId(row.user_id),
            grant: Grant {
                role: row.role.parse().map_err(damaged)?,
                place: place(&row.place)?,
                effect: effect.ok_or_else(|| damaged("an effect of a grant is unknown"))?,
                until: row.until_ms.map(at).transpose()?,
            },
            created: at(row.created_ms)?,
        })
    }
}
