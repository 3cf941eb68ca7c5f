//! The promise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use openframe_fault::BoxError;
use openframe_monitoring::store::hints::Hints;
use redis::AsyncConnectionConfig;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::connect::{OpenError, Primary, Settings};

/// The wait before a primary that is away is looked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long Redis may take to take a message.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long finding and reaching the primary may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// A subscription in which nothing is heard for so long is made anew: its primary may be another one
/// now, or cut off.
const QUIET: Duration = Duration::from_secs(10);
/// What is told within this time is one message.
const TOGETHER: Duration = Duration::from_millis(5);

/// Hints by way of Redis. They come and go with it.
#[derive(Debug)]
pub struct RedisHints {
    shared: Arc<Shared>,
    /// Both end with it.
    _tasks: [AbortOnDropHandle<()>; 2],
}

#[derive(Debug)]
struct Shared {
    /// The name of the channel.
    channel: String,
    /// There is something to tell.
    tell: Notify,
    /// Somebody has told something.
    heard: Notify,
    failure: Mutex<Option<String>>,
}

impl RedisHints {
    /// Begins to look for the primary; does not wait for it.
    pub fn start(settings: &Settings) -> Result<Self, OpenError> {
        let (telling, hearing) = (settings.client()?, settings.client()?);
        let shared = Arc::new(Shared {
            channel: format!("{}:samples", settings.prefix),
            tell: Notify::new(),
            heard: Notify::new(),
            failure: Mutex::default(),
        });
        let tell = tokio::spawn(Arc::clone(&shared).keep_telling(telling));
        let hear = tokio::spawn(Arc::clone(&shared).keep_hearing(hearing));
        Ok(Self { shared, _tasks: [tell, hear].map(AbortOnDropHandle::new) })
    }
}

#[async_trait]
impl Hints for RedisHints {
    fn tell(&self) {
        self.shared.tell.notify_one();
    }

    async fn heard(&self) {
        self.shared.heard.notified().await;
    }

    fn failure(&self) -> Option<String> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    async fn keep_telling(self: Arc<Self>, mut primary: Primary) {
        loop {
            let Err(error) = self.tell(&mut primary).await;
            self.failed(&*error);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Tells until something fails.
    async fn tell(&self, primary: &mut Primary) -> Result<Never, BoxError> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(CONNECT_LIMIT));
        let client = timeout(CONNECT_LIMIT, primary.find()).await??;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        loop {
            self.tell.notified().await;
            tokio::time::sleep(TOGETHER).await;
            let mut message = redis::cmd("PUBLISH");
            message.arg(&self.channel).arg("");
            let _: i64 = message.query_async(&mut connection).await?;
            self.works();
        }
    }

    async fn keep_hearing(self: Arc<Self>, mut primary: Primary) {
        loop {
            if let Err(error) = self.hear(&mut primary).await {
                self.failed(&*error);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Listens until nothing is heard for a while, or something fails.
    async fn hear(&self, primary: &mut Primary) -> Result<(), BoxError> {
        let client = timeout(CONNECT_LIMIT, primary.find()).await??;
        let mut subscription = timeout(CONNECT_LIMIT, client.get_async_pubsub()).await??;
        timeout(CONNECT_LIMIT, subscription.subscribe(&self.channel)).await??;
        self.works();
        let mut messages = subscription.into_on_message();
        while let Ok(message) = timeout(QUIET, messages.next()).await {
            message.ok_or("the subscription has ended")?;
            self.heard.notify_one();
        }
        Ok(())
    }

    fn works(&self) {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        if failure.is_some() {
            tracing::info!("Redis answers again");
        }
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        let why = openframe_fault::chain(error);
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.replace(why.clone()).is_none() {
            tracing::warn!("Redis does not answer: samples of other replicas come later: {why}");
        }
    }
}

/// Telling has no end of its own.
enum Never {}
