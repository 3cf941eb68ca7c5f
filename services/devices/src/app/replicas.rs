//! Taking in what other replicas of this service have heard and changed.

use std::collections::HashSet;

use openframe_devices_api::internal::SiblingNews;
use openframe_tokens::Caller;

use super::{App, Happened};
use crate::error::Error;
use crate::siblings::{News, read};
use crate::store::Whose;

impl App {
    /// Another replica tells its news. What is durable is read from the store.
    pub async fn sibling_news(&self, caller: &Caller, news: SiblingNews) -> Result<(), Error> {
        if !caller.is_service("devices") {
            return Err(Error::SiblingsOnly);
        }
        if self.siblings.is_own(&news) {
            return Ok(());
        }
        for (whose, news) in news.devices.into_iter().map(read) {
            self.take_in(whose, news).await?;
        }
        Ok(())
    }

    async fn take_in(&self, whose: Whose, news: News) -> Result<(), Error> {
        if news.record || !self.is_known(whose) {
            self.refresh(whose).await?;
        }
        if let Some(link) = &news.link {
            if let Some(known) = self.present().get_mut(&whose) {
                known.link.merge(link);
                self.touch(whose, known.link.last_heard, known.told);
            }
            self.tell_presence(&[whose]).await?;
        }
        if news.inventory {
            self.tell(whose, Happened::Inventory);
        }
        if news.output {
            self.tell(whose, Happened::Output);
        }
        if !news.made.is_empty() {
            self.push_later(whose);
        }
        for id in news.commands {
            // The command is read only for somebody.
            if self.events.receiver_count() > 0
                && let Some(command) = self.stores.commands.command(whose.0, id).await?
            {
                self.tell(whose, Happened::Command(Box::new(command)));
            }
        }
        Ok(())
    }

    /// Reads the whole registry, where there are several replicas: news may have been lost with the
    /// replica that had them.
    pub async fn reread(&self) -> Result<(), Error> {
        if self.siblings.is_alone() {
            return Ok(());
        }
        let before: HashSet<Whose> = self.present().keys().copied().collect();
        let there = self.load().await?;
        for whose in before.difference(&there) {
            self.refresh(*whose).await?;
        }
        Ok(())
    }

    /// Fails when there is no such device. One that this replica has not heard of may have connected to
    /// another one a moment ago.
    pub(super) async fn must_know(&self, whose: Whose) -> Result<(), Error> {
        if !self.is_known(whose) {
            self.refresh(whose).await?;
        }
        if self.is_known(whose) { Ok(()) } else { Err(Error::NoSuchDevice(whose.1)) }
    }

    /// Brings memory up to date with a record that another replica has written.
    async fn refresh(&self, whose: Whose) -> Result<(), Error> {
        let found = self.stores.devices.get(whose.0, &[whose.1]).await?.pop();
        match found {
            Some(device) => self.publish(device, None).map(drop),
            None if self.is_known(whose) => {
                self.forget(whose);
                Ok(())
            }
            None => Ok(()),
        }
    }
}
