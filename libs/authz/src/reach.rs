//! Where something is permitted.

use crate::Place;

/// Where a permission holds. Whatever is listed is filtered by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    /// In the whole tenant.
    Everywhere,
    /// In some of its places.
    Within {
        /// In these and all that lies in them. None lies in another.
        allowed: Vec<Place>,
        /// But not in these and all that lies in them. Each lies in one of `allowed`, none in another.
        denied: Vec<Place>,
    },
    /// In no place.
    Nowhere,
}

impl Reach {
    /// What is allowed less what is denied, said in as few words as possible.
    pub(crate) fn of(allowed: Vec<Place>, denied: &[Place]) -> Self {
        let is_denied = |place: &Place| denied.iter().any(|denied| denied.contains(place));
        let allowed = outermost(allowed.into_iter().filter(|place| !is_denied(place)).collect());
        let matters = |place: &Place| allowed.iter().any(|allowed| allowed.contains(place));
        let denied = outermost(denied.iter().copied().filter(matters).collect());
        match (allowed.as_slice(), denied.as_slice()) {
            // Nothing allowed is nothing permitted, never everything.
            ([], _) => Self::Nowhere,
            ([one], []) if one.is_root() => Self::Everywhere,
            _ => Self::Within { allowed, denied },
        }
    }

    /// Whether it holds at `place`.
    pub fn contains(&self, place: &Place) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within { allowed, denied } => {
                let within = |places: &[Place]| places.iter().any(|it| it.contains(place));
                within(allowed) && !within(denied)
            }
            Self::Nowhere => false,
        }
    }

    /// Whether it holds at `place` and in all that lies in it.
    pub fn covers(&self, place: &Place) -> bool {
        let spared = match self {
            Self::Everywhere | Self::Nowhere => true,
            Self::Within { denied, .. } => !denied.iter().any(|denied| place.contains(denied)),
        };
        self.contains(place) && spared
    }
}

/// Those that lie in no other.
fn outermost(mut places: Vec<Place>) -> Vec<Place> {
    // A place sorts right before all that lies in it.
    places.sort_unstable_by(|a, b| a.ids().cmp(b.ids()));
    places.dedup_by(|inner, outer| outer.contains(inner));
    places
}
