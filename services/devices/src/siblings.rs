//! What replicas of this service tell each other: which devices they hear, and what they have
//! changed. Each keeps an index and the presence of every device in memory.
//!
//! News is of a device, and merges: what could not be told is kept, one entry a device, until it can.
//! Nothing depends on it but freshness, since what is durable is read from the store, and each replica
//! reads the whole registry now and then.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use openframe_devices_api::internal::{DeviceNews, LinkNews, SIBLINGS, SiblingNews};
use openframe_ids::{CommandId, LinkId, random};
use openframe_mesh::Client;
use tokio::sync::Semaphore;

use crate::domain::{Goodbye, Link};
use crate::store::Whose;

/// How long one replica may take to take the news.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long somebody who has changed something waits for the other replicas to know it.
const COURTESY: Duration = Duration::from_millis(300);
/// Devices in one message.
const MESSAGE: usize = 5_000;

/// What is new about a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Its connection, if there is something new about it.
    pub link: Option<Link>,
    /// Its record was written, or it was retired.
    pub record: bool,
    /// Its inventory was written.
    pub inventory: bool,
    /// A command has written something.
    pub output: bool,
    /// Commands that were written.
    pub commands: BTreeSet<CommandId>,
    /// Those of them that are new.
    pub made: BTreeSet<CommandId>,
}

impl News {
    fn and(&mut self, other: Self) {
        match (&mut self.link, other.link) {
            (Some(own), Some(link)) => own.merge(&link),
            (own @ None, link) => *own = link,
            (Some(_), None) => {}
        }
        self.record |= other.record;
        self.inventory |= other.inventory;
        self.output |= other.output;
        self.made.extend(other.made);
        self.commands.extend(other.commands);
    }
}

type Pending = HashMap<Whose, News>;

/// The other replicas. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Siblings(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// The service's own name among its replicas: it finds itself among them too.
    itself: u128,
    service: Option<Client>,
    fresh: Mutex<Pending>,
    /// By replica: what it has not been told.
    untold: Mutex<HashMap<String, Pending>>,
    /// One tells at a time.
    turn: Semaphore,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Siblings {
    /// The replicas of `service`; none when this process is the only one.
    pub fn new(service: Option<Client>) -> Self {
        let itself = u128::from_be_bytes(random());
        let (fresh, untold) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Parts { itself, service, fresh, untold, turn: Semaphore::new(1) }))
    }

    /// Whether this process is the only one.
    pub fn is_alone(&self) -> bool {
        self.0.service.is_none()
    }

    /// Whether a message is this process' own.
    pub fn is_own(&self, news: &SiblingNews) -> bool {
        news.from == format!("{:032x}", self.0.itself)
    }

    /// Notes something to be told.
    pub fn note(&self, whose: Whose, news: News) {
        if self.0.service.is_some() {
            locked(&self.0.fresh).entry(whose).or_default().and(news);
        }
    }

    /// Tells at once, so that whoever has made a change finds it whichever replica answers next; one
    /// that does not take the news in time gets it later.
    pub async fn tell_now(&self) {
        if self.is_alone() {
            return;
        }
        let own = self.clone();
        // In a task: what is being told when nobody waits any more must not get lost.
        let telling = tokio::spawn(async move { own.tell().await });
        if tokio::time::timeout(COURTESY, telling).await.is_err() {
            tracing::debug!("a replica hears of a change later");
        }
    }

    /// Tells every other replica what is new; keeps what could not be told for the next time.
    pub async fn tell(&self) {
        let Some(service) = &self.0.service else { return };
        // It is never closed.
        let _turn = self.0.turn.acquire().await.ok();
        let fresh = std::mem::take(&mut *locked(&self.0.fresh));
        let replicas = service.each();
        let told: Vec<(String, Pending)> = {
            let mut untold = locked(&self.0.untold);
            untold.retain(|name, _| replicas.iter().any(|(known, _)| known == name));
            let all = replicas.iter().map(|(name, _)| {
                let mut pending = untold.remove(name).unwrap_or_default();
                for (whose, news) in &fresh {
                    pending.entry(*whose).or_default().and(news.clone());
                }
                (name.clone(), pending)
            });
            all.collect()
        };
        let telling = replicas.iter().zip(told).map(async |((_, replica), (name, pending))| {
            let left = self.tell_one(replica, pending).await;
            (name, left)
        });
        let mut untold = locked_after(join_all(telling).await, &self.0.untold);
        untold.retain(|_, pending| !pending.is_empty());
    }

    /// Gives what could not be told.
    async fn tell_one(&self, replica: &Client, pending: Pending) -> Pending {
        let mut left = pending;
        while !left.is_empty() {
            let some: Vec<Whose> = left.keys().take(MESSAGE).copied().collect();
            let devices = some.iter().filter_map(|whose| Some(written(*whose, left.get(whose)?)));
            let message =
                SiblingNews { from: format!("{:032x}", self.0.itself), devices: devices.collect() };
            let telling = replica.tell(Method::POST, SIBLINGS, &message);
            match tokio::time::timeout(PATIENCE, telling).await {
                Ok(Ok(())) => some.iter().for_each(|whose| drop(left.remove(whose))),
                Ok(Err(fault)) => {
                    tracing::debug!("a replica was not told the news: {fault}");
                    break;
                }
                Err(_) => break,
            }
        }
        left
    }
}

/// Puts what is left back, beside what came up meanwhile.
fn locked_after(
    left: Vec<(String, Pending)>,
    untold: &Mutex<HashMap<String, Pending>>,
) -> MutexGuard<'_, HashMap<String, Pending>> {
    let mut untold = locked(untold);
    for (name, pending) in left {
        let kept = untold.entry(name).or_default();
        for (whose, news) in pending {
            kept.entry(whose).or_default().and(news);
        }
    }
    untold
}

fn written((tenant_id, device_id): Whose, news: &News) -> DeviceNews {
    let link = news.link.as_ref().and_then(|link| {
        Some(LinkNews {
            newest: link.newest?,
            open_since: link.open.map(|(_, since)| since),
            last_heard: link.last_heard,
            goodbye: link.goodbye.code(),
        })
    });
    DeviceNews {
        tenant_id,
        device_id,
        link,
        heard: news.link.as_ref().map(|link| link.last_heard),
        record: news.record,
        inventory: news.inventory,
        output: news.output,
        commands: news.commands.iter().copied().collect(),
        made: news.made.iter().copied().collect(),
    }
}

/// Reads news back.
pub(crate) fn read(news: DeviceNews) -> (Whose, News) {
    let link = match news.link {
        Some(LinkNews { newest, open_since, last_heard, goodbye }) => {
            let open = open_since.map(|since| (newest, since));
            Some(link_of(open, Some(newest), last_heard, Goodbye::of_code(goodbye)))
        }
        None => news.heard.map(|heard| link_of(None, None, heard, Goodbye::None)),
    };
    let whose = (news.tenant_id, news.device_id);
    let commands = news.commands.into_iter().collect();
    let (record, inventory, output) = (news.record, news.inventory, news.output);
    let made = news.made.into_iter().collect();
    (whose, News { link, record, inventory, output, commands, made })
}

fn link_of(
    open: Option<(LinkId, Timestamp)>,
    newest: Option<LinkId>,
    last_heard: Timestamp,
    goodbye: Goodbye,
) -> Link {
    Link { open, newest, last_heard, goodbye }
}
