//! Where in a tenant something is.

use std::fmt;
use std::str::FromStr;

use openframe_ids::PlaceId;
use uuid::Uuid;

/// How deep places lie: an organisation, a site of it, a group within that.
pub const DEPTH: usize = 3;
/// Bytes of one id.
const ID: usize = 16;

/// A place: the ids on the way to it from the tenant, whose whole is [`Place::ROOT`]. A place never moves,
/// so the way to it is its name for life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Those beyond `depth` are nil.
    ids: [PlaceId; DEPTH],
    depth: usize,
}

/// What names no place: too deep, or not written as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("that is no place: an organisation, a site and a group at most, by their ids")]
pub struct NotAPlace;

impl Default for Place {
    fn default() -> Self {
        Self::ROOT
    }
}

impl Place {
    /// The whole tenant.
    pub const ROOT: Self = Self { ids: [PlaceId(Uuid::nil()); DEPTH], depth: 0 };

    /// The place called `id` within this one; none below a group.
    pub fn child(mut self, id: PlaceId) -> Option<Self> {
        *self.ids.get_mut(self.depth)? = id;
        self.depth += 1;
        Some(self)
    }

    /// What this place lies in; none for the whole tenant.
    pub fn parent(mut self) -> Option<Self> {
        self.depth = self.depth.checked_sub(1)?;
        *self.ids.get_mut(self.depth)? = PlaceId(Uuid::nil());
        Some(self)
    }

    /// The ids on the way to it, the organisation's first.
    pub fn ids(&self) -> &[PlaceId] {
        self.ids.get(..self.depth).unwrap_or_default()
    }

    /// Its own id; none for the whole tenant.
    pub fn id(&self) -> Option<PlaceId> {
        self.ids().last().copied()
    }

    /// Whether it is the whole tenant.
    pub fn is_root(&self) -> bool {
        self.depth == 0
    }

    /// Whether `other` is this place or lies in it.
    pub fn contains(&self, other: &Self) -> bool {
        other.ids().starts_with(self.ids())
    }

    /// As bytes: 16 for each id on the way.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.ids().iter().flat_map(|id| *id.0.as_bytes()).collect()
    }

    /// Reads [`Place::to_bytes`] back.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, NotAPlace> {
        let (ids, rest) = bytes.as_chunks::<ID>();
        if !rest.is_empty() {
            return Err(NotAPlace);
        }
        ids.iter().try_fold(Self::ROOT, |place, id| {
            place.child(PlaceId(Uuid::from_bytes(*id))).ok_or(NotAPlace)
        })
    }
}

/// The ids with `/` between them; nothing for the whole tenant.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, id) in self.ids().iter().enumerate() {
            let slash = if n > 0 { "/" } else { "" };
            write!(f, "{slash}{id}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        if text.is_empty() {
            return Ok(Self::ROOT);
        }
        text.split('/').try_fold(Self::ROOT, |place, id| {
            place.child(id.parse().map_err(|_| NotAPlace)?).ok_or(NotAPlace)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_contains_itself_and_what_lies_in_it() {
        let [one, other, site] = std::array::from_fn(|_| PlaceId::new());
        let [one, other] = [one, other].map(|id| Place::ROOT.child(id).unwrap());
        let site = one.child(site).unwrap();
        assert!(Place::ROOT.contains(&site) && one.contains(&site) && site.contains(&site));
        assert!(!site.contains(&one) && !other.contains(&site) && !one.contains(&Place::ROOT));
        assert_eq!(site.parent(), Some(one));
        assert_eq!((one.parent(), Place::ROOT.parent()), (Some(Place::ROOT), None));
    }

    #[test]
    fn a_place_reads_back_and_is_no_deeper_than_a_group() {
        let mut place = Place::ROOT;
        for _ in 0..DEPTH {
            assert_eq!(place.to_string().parse(), Ok(place));
            assert_eq!(Place::of_bytes(&place.to_bytes()), Ok(place));
            place = place.child(PlaceId::new()).unwrap();
        }
        assert_eq!(place.child(PlaceId::new()), None);
        let deep = format!("{place}/{}", PlaceId::new());
        for bad in [deep.as_str(), "x", "/", &format!("{place}/")] {
            assert_eq!(bad.parse::<Place>(), Err(NotAPlace), "{bad}");
        }
        assert_eq!(Place::of_bytes(&[0; 17]), Err(NotAPlace));
        assert_eq!(Place::of_bytes(&[0; 64]), Err(NotAPlace));
    }
}
