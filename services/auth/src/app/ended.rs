//! Whose access has ended, for gateways that remember whom they know. The audit trail says it: whatever
//! ends access is on it, in the same transaction and in one order.

use openframe_ids::DeviceId;
use openframe_tokens::Caller;

use super::Auth;
use crate::Error;
use crate::domain::Entry;

/// Entries looked at in one answer at most; the gateway asks again soon.
const BATCH: u32 = 1000;

/// What ends or changes the access of people, keys and programs.
pub(super) const PEOPLE: [&str; 21] = [
    "api_key.revoke",
    "client.remove",
    "consent.withdraw",
    "factors.reset",
    "grant.add",
    "grant.remove",
    "passkey.add",
    "passkey.remove",
    "password.change",
    "password_link.use",
    "session.end",
    "session.revoke",
    "session.step_up",
    "token.code_replay",
    "token.end",
    "token.refresh_replay",
    "token.revoke",
    "totp.confirm",
    "totp.remove",
    "user.change",
    "user.remove",
];
/// What ends the access of a device.
const DEVICES: [&str; 2] = ["device.quarantine", "device.revoke"];

/// Whose access has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The place on the trail up to which this is all.
    pub place: u64,
    /// Whether somebody's access has ended or changed.
    pub people: bool,
    /// Devices that were revoked or put into quarantine.
    pub devices: Vec<DeviceId>,
}

impl Auth {
    /// Whose access has ended after `place`. A gateway that has just started knows nobody: it is only
    /// told where it begins.
    pub async fn ended(&self, caller: &Caller, place: Option<u64>) -> Result<Ended, Error> {
        if !caller.is_service("gateway") {
            return Err(Error::ServicesOnly);
        }
        let head = self.store.trail.head(caller.tenant).await?.map_or(0, |(place, _)| place);
        let Some(place) = place.filter(|place| *place != head) else {
            return Ok(Ended { place: head, people: false, devices: Vec::new() });
        };
        if place > head {
            // The database is an older one: nobody can say what is different.
            return Ok(Ended { place: head, people: true, devices: Vec::new() });
        }
        let entries = self.store.trail.after(caller.tenant, place, BATCH).await?;
        let ends = |entry: &&Entry| DEVICES.iter().any(|action| is(entry, action));
        let out = entries.iter().filter(ends);
        Ok(Ended {
            place: entries.last().map_or(head, |entry| entry.seq),
            people: entries.iter().any(|entry| PEOPLE.iter().any(|action| is(entry, action))),
            devices: out.filter_map(|entry| entry.event.target.parse().ok()).collect(),
        })
    }
}

fn is(entry: &Entry, action: &str) -> bool {
    entry.event.action == action && entry.event.outcome == "done"
}
