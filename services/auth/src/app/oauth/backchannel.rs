//! Telling clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! That a session has ended is kept in the transaction that ends it. Of several replicas one takes it
//! for a turn and tells the client; a replica that dies meanwhile loses nothing, since the turn ends. So
//! each client is told at least once, unless it takes nothing for as long as [`TRIES`] last.

use futures::future::join_all;
use http::header;
use jiff::SignedDuration;
use openframe_ids::random;
use openframe_webhook::{Post, Refusal, Webhooks};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::Error;
use crate::app::Auth;
use crate::domain::LogoutNotice;

/// How long a replica has for what it has taken: longer than any delivery lasts.
const TURN: SignedDuration = SignedDuration::from_secs(30);
/// How many are told at the same time at most.
const BATCH: u32 = 16;
/// How long to wait after the first failure; it doubles with each, up to the longest.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// How often a client is told at most: over some nine hours.
const TRIES: u32 = 20;

impl Auth {
    /// Tells clients what they are to know by now; says whether there may be more.
    pub(crate) async fn tell_logouts(&self, webhooks: &Webhooks) -> Result<bool, Error> {
        let now = self.now();
        let notices = self.store.logouts.take(now, now + TURN, BATCH).await?;
        let more = notices.len() == BATCH as usize;
        let told = notices.iter().map(|notice| self.tell_logout(webhooks, notice));
        join_all(told).await.into_iter().collect::<Result<(), Error>>()?;
        Ok(more)
    }

    async fn tell_logout(&self, webhooks: &Webhooks, notice: &LogoutNotice) -> Result<(), Error> {
        let jti = Uuid::from_bytes(random()).to_string();
        let (issuer, at) = (self.issuer(), (jti.as_str(), self.now()));
        let token = self.with_signing_key(|key| key.sign_logout(&issuer, notice.ended, at)).await?;
        let body = Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned());
        let post = Post { url: &notice.uri, key: &jti, body: &body, headers: &[form] };
        let client = notice.ended.client;
        let again = match webhooks.post(post).await {
            Ok(()) => {
                self.metrics.logouts_told.inc();
                None
            }
            // Whatever the answer: a client that is mended is told.
            Err(Refusal::Temporary(why) | Refusal::Final(why)) => {
                self.metrics.logouts_not_told.inc();
                let tries = notice.tries;
                tracing::warn!(client.id = %client, tries, "client {client} is not told of a logout: {why}");
                if tries >= TRIES {
                    self.give_up_telling(notice, &why).await;
                }
                (tries < TRIES).then(|| self.now() + wait(tries))
            }
        };
        self.store.logouts.put_off(notice, again).await?;
        Ok(())
    }

    async fn give_up_telling(&self, notice: &LogoutNotice, why: &str) {
        let mut event = self.own_event("client.tell_logout", notice.ended.client);
        event.detail = format!("session {}: {why}", notice.ended.session);
        self.refused(event, Some(&notice.ended.client.to_string())).await;
    }
}

/// How long to wait after so many tries.
fn wait(tries: u32) -> SignedDuration {
    let doubled = FIRST_WAIT.checked_mul(1 << tries.saturating_sub(1).min(16));
    doubled.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_away_is_told_for_hours() {
        assert_eq!(wait(1), FIRST_WAIT);
        assert_eq!(wait(3), SignedDuration::from_secs(4));
        assert_eq!(wait(TRIES), LONGEST_WAIT);
        let all: SignedDuration =
            (1..TRIES).map(wait).fold(SignedDuration::ZERO, |sum, it| sum + it);
        assert!(all > SignedDuration::from_hours(8), "{all}");
    }
}
