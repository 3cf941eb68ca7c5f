//! Whose access has ended, whoever ended it and through whichever gateway: asked of the auth service twice
//! a second. So that a device's link, an event stream or a tunnel ends at once, and whoever is remembered
//! is asked about anew.

use std::sync::Arc;
use std::time::Duration;

use openframe_auth_api::AuthClient;
use openframe_auth_api::internal::Ended;
use openframe_fault::Fault;
use tokio::sync::OnceCell;

use crate::agents::Agents;
use crate::identity::Identity;

/// How often the auth service is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The place from which on this gateway hears of every end. It is fixed before the first caller is let
/// in: nobody's end is missed.
#[derive(Clone)]
pub(crate) struct Beginning {
    auth: AuthClient,
    place: Arc<OnceCell<u64>>,
}

impl Beginning {
    pub(crate) fn new(auth: AuthClient) -> Self {
        Self { auth, place: Arc::default() }
    }

    /// The place, asked for once.
    pub(crate) async fn place(&self) -> Result<u64, Fault> {
        let ask = async || Ok(self.auth.ended(None).await?.place);
        self.place.get_or_try_init(ask).await.copied()
    }
}

/// Hears whose access has ended.
pub struct Endings {
    beginning: Beginning,
    identity: Identity,
    agents: Agents,
}

impl Endings {
    pub(crate) fn new(beginning: Beginning, identity: Identity, agents: Agents) -> Self {
        Self { beginning, identity, agents }
    }

    /// Hears and acts until the gateway drains. An auth service that does not answer ends nothing: once
    /// it is back it tells what has happened meanwhile.
    pub async fn follow(self) {
        let mut known = None;
        loop {
            match self.ask(known).await {
                Ok(place) => known = Some(place),
                Err(fault) => tracing::debug!("nobody says whose access has ended: {fault}"),
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = self.agents.drain.cancelled() => return,
            }
        }
    }

    /// Acts on what has ended after the place that is known, and gives the next.
    async fn ask(&self, known: Option<u64>) -> Result<u64, Fault> {
        let place = match known {
            Some(place) => place,
            None => self.beginning.place().await?,
        };
        let Ended { place, people, devices } = self.beginning.auth.ended(Some(place)).await?;
        if people {
            self.identity.doubt();
        }
        for device in devices {
            self.agents.revoke(device);
        }
        Ok(place)
    }
}
