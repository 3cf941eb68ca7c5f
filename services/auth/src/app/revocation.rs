//! What others need who check devices' certificates themselves, such as a proxy or a network's RADIUS server.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Auth;
use crate::Error;

/// How long a list is given out again: anybody may ask, and each is read and signed anew.
const LIST_REUSE: SignedDuration = SignedDuration::from_secs(10);

/// A list, and when it was made.
type Made = (Timestamp, Arc<[u8]>);

/// The list that was made last.
#[derive(Clone, Default)]
pub(super) struct LastList(Arc<Mutex<Option<Made>>>);

impl LastList {
    /// The list, unless it is too old, or of a time to come: the clock went back.
    fn fresh(&self, now: Timestamp) -> Option<Arc<[u8]>> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, list) = last.as_ref()?;
        let age = now.duration_since(*made);
        (SignedDuration::ZERO..LIST_REUSE).contains(&age).then(|| Arc::clone(list))
    }

    fn keep(&self, now: Timestamp, list: &Arc<[u8]>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((now, Arc::clone(list)));
    }
}

impl Auth {
    /// The certificates of devices that do not count although their time is not over, as a list that the
    /// authority has signed, DER (RFC 5280, section 5). At most ten seconds old.
    pub async fn revocation_list(&self) -> Result<Arc<[u8]>, Error> {
        let now = self.now();
        if let Some(list) = self.last_list.fresh(now) {
            return Ok(list);
        }
        let withdrawn = self.store.enrolment.withdrawn(self.tenant, now).await?;
        let list = self.authority.revocation_list(&withdrawn, now);
        let list = list.map_err(|cause| Error::Damaged(cause.into()))?.into();
        self.last_list.keep(now, &list);
        Ok(list)
    }

    /// The authorities that devices' certificates come from, root first, PEM.
    pub fn trust_bundle(&self) -> String {
        self.authority.trust_bundle()
    }
}
