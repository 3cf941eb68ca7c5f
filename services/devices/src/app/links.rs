//! Connections of devices: what the gateway says of them, and whether devices are there.

use std::collections::hash_map::Entry;

use jiff::Timestamp;
use openframe_ids::LinkId;
use openframe_tokens::{Caller, Place};

use super::{App, Happened, Shown, What};
use crate::domain::{Goodbye, Hello, Link, Presence};
use crate::error::Error;
use crate::siblings::News;
use crate::store::{LastSeen, Whose};

/// The device that asks, for itself.
pub fn itself(caller: &Caller) -> Result<Whose, Error> {
    caller.device().map(|device| (caller.tenant, device)).ok_or(Error::DevicesOnly)
}

fn link_named(text: &str) -> Result<LinkId, Error> {
    text.parse().map_err(|_| Error::BadReport("the connection has no usable name"))
}

impl App {
    /// A device has connected. What waits for it is pushed afterwards: see [`App::push_soon`].
    pub async fn link_opened(
        &self,
        caller: &Caller,
        link_id: &str,
        hello: Hello,
    ) -> Result<Whose, Error> {
        let (whose, link) = (itself(caller)?, link_named(link_id)?);
        let place = self.first_place(whose).await?;
        let first = (&hello.limited(), &place);
        let device = self.stores.devices.connect(whose, first, self.clock.now()).await?;
        if !self.is_known(whose) {
            // Whoever sees a new device here may ask another replica next.
            self.siblings.note(whose, News { record: true, ..News::default() });
            self.siblings.tell_now().await;
        }
        self.publish(device.ok_or(Error::NoSuchDevice(whose.1))?, Some(link))?;
        let opened = self.present().get(&whose).map(|known| known.link.clone());
        self.siblings.note(whose, News { link: opened, record: true, ..News::default() });
        self.metrics.links_opened.inc();
        let (tenant, id) = whose;
        tracing::info!(tenant.id = %tenant, device.id = %id, "device {id} connected");
        Ok(whose)
    }

    /// Where a device is that connects for the first time: where its enrolment token put it. For any
    /// other nobody is asked, and its record says it.
    async fn first_place(&self, (tenant, id): Whose) -> Result<Place, Error> {
        if self.is_known((tenant, id)) {
            return Ok(Place::ROOT);
        }
        let found = self.places.of_device(id).await;
        let found = found.map_err(|cause| Error::Certificates(cause.into()))?;
        found.ok_or(Error::NoSuchDevice(id))
    }

    /// A device's connection has ended.
    pub async fn link_closed(
        &self,
        caller: &Caller,
        link_id: &str,
        goodbye: Goodbye,
    ) -> Result<(), Error> {
        let (whose, link) = (itself(caller)?, link_named(link_id)?);
        let at = {
            let mut present = self.present();
            let Some(known) = present.get_mut(&whose) else { return Ok(()) };
            if !known.link.close(link, goodbye) {
                return Ok(());
            }
            let link = Some(known.link.clone());
            self.siblings.note(whose, News { link, ..News::default() });
            known.link.last_heard
        };
        self.stores.devices.seen(&[LastSeen { whose, at, goodbye }]).await?;
        self.tell_presence(&[whose]).await
    }

    /// A device was heard from.
    pub async fn heard(&self, caller: &Caller) -> Result<(), Error> {
        let whose = itself(caller)?;
        self.must_know(whose).await?;
        self.note_heard(whose).await
    }

    /// Whether the device has a record.
    pub fn is_known(&self, whose: Whose) -> bool {
        self.present().contains_key(&whose)
    }

    /// Since when the device is connected, if it is.
    pub fn connected_since(&self, whose: Whose) -> Option<Timestamp> {
        self.present().get(&whose)?.link.open.map(|(_, since)| since)
    }

    /// Whether the device is connected, as far as is known here, and not silent for long.
    pub(super) fn is_online(&self, whose: Whose) -> bool {
        let now = self.clock.now();
        let online = |link: &Link| link.open.is_some() && link.presence(now) == Presence::Online;
        self.present().get(&whose).is_some_and(|known| online(&known.link))
    }

    /// Notes that a device was heard from. One that was connected before this process started is
    /// pushed what waits for it: nobody tells of its connection again.
    pub async fn note_heard(&self, whose: Whose) -> Result<(), Error> {
        let now = self.clock.now();
        let changed = {
            let mut present = self.present();
            let Entry::Occupied(mut known) = present.entry(whose) else { return Ok(()) };
            let known = known.get_mut();
            known.link.heard(now);
            known.unsaved = true;
            let link = Some(known.link.clone());
            self.siblings.note(whose, News { link, ..News::default() });
            if !std::mem::replace(&mut known.caught_up, true) {
                self.push_soon(whose, What::ALL);
            }
            let changed = known.told != known.link.presence(now);
            self.touch(whose, now, known.told);
            changed
        };
        if changed { self.tell_presence(&[whose]).await } else { Ok(()) }
    }

    /// Looks at every device, and tells which have come or gone.
    pub async fn look_at_presence(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let changed: Vec<Whose> = {
            let present = self.present();
            let changed =
                present.iter().filter(|(_, known)| known.link.presence(now) != known.told);
            changed.map(|(whose, _)| *whose).collect()
        };
        self.tell_presence(&changed).await
    }

    /// Brings index and followers up to date with where these devices are.
    pub(super) async fn tell_presence(&self, changed: &[Whose]) -> Result<(), Error> {
        let now = self.clock.now();
        for whose in changed {
            {
                let mut present = self.present();
                let Some(known) = present.get_mut(whose) else { continue };
                let presence = known.link.presence(now);
                if presence == known.told {
                    continue;
                }
                known.told = presence;
                self.touch(*whose, known.link.last_heard, presence);
            }
            // The record is read only for somebody.
            if self.events.receiver_count() == 0 {
                continue;
            }
            if let Some(device) = self.stores.devices.get(whose.0, &[whose.1]).await?.pop() {
                let shown: Shown = self.shown(device);
                self.tell(*whose, Happened::Device(Box::new(shown)));
            }
        }
        Ok(())
    }

    pub(super) fn touch(&self, (tenant, id): Whose, seen: Timestamp, presence: Presence) {
        let mut indexes = self.indexes();
        if let Some(index) = indexes.get_mut(&tenant) {
            index.touch(id, seen, presence);
        }
    }

    /// Writes when devices were last heard from, all in one go.
    pub async fn save_last_seen(&self) -> Result<(), Error> {
        let seen: Vec<LastSeen> = {
            let mut present = self.present();
            let unsaved = present.iter_mut().filter(|(_, known)| known.unsaved);
            unsaved
                .map(|(whose, known)| {
                    known.unsaved = false;
                    let (at, goodbye) = (known.link.last_heard, known.link.goodbye);
                    LastSeen { whose: *whose, at, goodbye }
                })
                .collect()
        };
        let saved = self.stores.devices.seen(&seen).await;
        if saved.is_err() {
            let mut present = self.present();
            for seen in &seen {
                if let Some(known) = present.get_mut(&seen.whose) {
                    known.unsaved = true;
                }
            }
        }
        saved
    }
}
