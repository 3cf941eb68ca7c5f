//! The certificate's renewal, or its recovery once it has ended, beside the link: one that fails
//! never keeps the device from connecting with what it has.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use openframe_clock::Clock;

use crate::link::backoff::spread;
use crate::net::Server;
use crate::state::{Folder, Identity};
use crate::{Error, enrol, facts};

/// The clock is looked at so often: a machine that slept must not miss its time.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After a failure the next try is at most so much later.
const RETRY: Duration = Duration::from_mins(10);

/// When to renew: at half of the certificate's life, a tenth of it earlier or later so that a
/// fleet that was enrolled in one hour does not renew in one. `part` is 0 to 1.
fn due(identity: &Identity, part: f64) -> Timestamp {
    let life = identity.not_after.duration_since(identity.issued);
    let at = life.as_secs_f64() * (0.4 + 0.2 * part);
    let wait = SignedDuration::try_from_secs_f64(at).unwrap_or_default();
    identity.issued.saturating_add(wait).unwrap_or(identity.not_after)
}

/// Renews whenever it is time, for ever.
pub async fn keep(folder: &Folder, server: &Server, clock: &Clock) {
    let part = spread(Duration::from_secs(1)).as_secs_f64();
    loop {
        // Looked at first: a device whose certificate ended while it was off cannot connect before.
        match renew_if_due((folder, server), clock, part).await {
            Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
            // Whatever a wrong clock makes of the new one: it is not renewed at once again.
            Ok(true) => tokio::time::sleep(RETRY).await,
            Err(error) => {
                tracing::warn!("certificate not renewed: {}", openframe_fault::chain(&error));
                tokio::time::sleep(spread(RETRY)).await;
            }
        }
    }
}

/// Says whether there is a new certificate.
async fn renew_if_due(
    (folder, server): (&Folder, &Server),
    clock: &Clock,
    part: f64,
) -> Result<bool, Error> {
    let Some(identity) = folder.identity()? else { return Err(Error::NotEnrolled) };
    let now = clock.now();
    if now < due(&identity, part) {
        return Ok(false);
    }
    let key = folder.key()?;
    let request = folder.request(&identity, &key, &facts::hostname())?;
    let renewed = if now < identity.not_after {
        enrol::renew(server, &identity, &key, request, clock).await?
    } else {
        enrol::recover(server, &identity, &key, request, clock).await?
    };
    folder.keep_identity(&renewed)?;
    tracing::info!("certificate renewed until {}", renewed.not_after);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use openframe_ids::{DeviceId, TenantId};

    use super::*;

    #[test]
    fn half_of_life_give_or_take_a_tenth() {
        let issued = Timestamp::UNIX_EPOCH;
        let identity = Identity {
            server: String::new(),
            device_id: DeviceId::new(),
            tenant_id: TenantId::new(),
            chain_pem: String::new(),
            root_pem: String::new(),
            state: None,
            issued,
            not_after: issued + SignedDuration::from_hours(100),
        };
        let hours =
            |part| (due(&identity, part).duration_since(issued).as_secs_f64() / 3600.0).round();
        let all = [hours(0.0), hours(0.5), hours(1.0)].map(|hours| hours.to_string());
        assert_eq!(all, ["40", "50", "60"]);
    }
}
