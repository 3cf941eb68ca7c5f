//! The next tokens for a refresh token, with proof of receipt.
//!
//! Each refresh token is good once. An answer can be lost, though, and then the honest client shows the
//! used token again, as a thief would. What tells them apart is whether the successor was ever used:
//! until it is, nobody has shown to have it, and the used token is answered again. Once the successor
//! or its access token was used, the answer has arrived; who shows the used token then is a second
//! holder, and the family ends (RFC 9700, 4.14.2).
//!
//! For [`SAME_ANSWER`] the same tokens are given again, for two windows of one program that refresh at
//! once; after it others, so that only the last answer is good. Nothing secret needs to be kept for
//! that: successors are derived from the shown token and a salt that is kept.

use jiff::{SignedDuration, Timestamp};
use openframe_tokens::opaque::{Secret, SecretHash};

use super::{Access, Family, Noted, Phase, Random, Refresh, Spent, Step, Tokens, Write};
use crate::{Client, Code, GrantType, Refusal, Scopes};

/// For how long the same answer is given again.
pub(super) const SAME_ANSWER: SignedDuration = SignedDuration::from_secs(10);
/// How often the answer to one token is replaced by another.
pub(super) const RETRIES: u8 = 3;
/// How many used tokens are remembered. One that is older is refused like an unknown one.
const REMEMBERED: usize = 16;

impl Family {
    /// A client shows a refresh token, wants `scopes` or all that it has (RFC 6749, 6), and has shown
    /// proof of `key`. One that can keep a secret may take another key at any time (RFC 9449, 5).
    pub fn refresh(
        &self,
        client: &Client,
        (shown, scopes, key): (&Secret, Option<&Scopes>, Option<&str>),
        now: Timestamp,
        random: Random<'_>,
    ) -> Step {
        let Phase::Open(tokens) = &self.phase else { return Step::refused() };
        let Some(refresh) = &tokens.refresh else { return Step::refused() };
        if client.id != self.client || now >= self.expires {
            return Step::refused();
        }
        let may = allowed(client, (&self.scopes, scopes))
            .and_then(|()| client.needs_key(tokens.key.as_deref(), key));
        if let Err(refusal) = may {
            return Step { answer: Err(refusal), write: None, noted: None };
        }
        if !client.is_confidential() && tokens.key.is_some() && tokens.key.as_deref() != key {
            return Step::refused();
        }
        let hash = shown.hash();
        let scopes = scopes.unwrap_or(&self.scopes);
        if refresh.hash == hash {
            if now >= refresh.expires {
                return Step::refused();
            }
            let spent = Spent { hash, at: now, salt: random(), retries: 0 };
            let used = refresh.used_and_spent();
            return self.next((tokens, used, key), (shown, spent), (scopes, now));
        }
        match &refresh.spent {
            Some(spent) if spent.hash == hash => {
                self.again((tokens, key), (shown, spent), (scopes, now), random)
            }
            _ if refresh.used.contains(&mark(hash)) => Step::ended(Noted::RefreshReplayed),
            _ => Step::refused(),
        }
    }

    /// The access token that was shown is the newest one: the answer that brought it has arrived. The
    /// family to keep, where that was not known yet.
    pub fn received(&self, hash: SecretHash) -> Option<Self> {
        let Phase::Open(tokens) = &self.phase else { return None };
        let refresh = tokens.refresh.as_ref()?;
        refresh.spent.as_ref().filter(|_| tokens.access.hash == hash)?;
        let mut tokens = Tokens::clone(tokens);
        tokens.refresh =
            Some(Refresh { spent: None, used: refresh.used_and_spent(), ..refresh.clone() });
        Some(self.changed(tokens))
    }

    /// The same token once more: its answer seems lost.
    fn again(
        &self,
        (tokens, key): (&Tokens, Option<&str>),
        (shown, spent): (&Secret, &Spent),
        (scopes, now): (&Scopes, Timestamp),
        random: Random<'_>,
    ) -> Step {
        let (access, refresh) = successors(shown, &spent.salt);
        // A token that was revoked meanwhile is not given again.
        let alive = tokens.access.hash == access.hash() && now < tokens.access.expires;
        let same = tokens.key.as_deref() == key;
        if alive && same && now.duration_since(spent.at) <= SAME_ANSWER {
            let answer = self.issued(tokens, (access, Some(refresh)), None);
            return Step { answer: Ok(answer), write: None, noted: None };
        }
        if spent.retries >= RETRIES {
            return Step::ended(Noted::RefreshReplayed);
        }
        let used = tokens.refresh.as_ref().map(|refresh| refresh.used.clone()).unwrap_or_default();
        let older = tokens.older.clone();
        let spent = Spent { salt: random(), at: now, retries: spent.retries + 1, ..spent.clone() };
        // What was given before dies with this.
        let before = Tokens { access: dead(&tokens.access, now), older, refresh: None, key: None };
        Step {
            noted: Some(Noted::Retried),
            ..self.next((&before, used, key), (shown, spent), (scopes, now))
        }
    }

    /// New tokens in the place of `tokens`.
    fn next(
        &self,
        (tokens, used, key): (&Tokens, Vec<u64>, Option<&str>),
        (shown, spent): (&Secret, Spent),
        (scopes, now): (&Scopes, Timestamp),
    ) -> Step {
        let (access, refresh) = successors(shown, &spent.salt);
        let newest = self.access_of(access, scopes.clone(), now);
        let mut older = std::iter::once(&tokens.access).chain(&tokens.older);
        let older = older.find(|access| now < access.expires).cloned();
        let (hash, expires) = (refresh.hash(), self.idle_end(now));
        let kept = Some(Refresh { hash, expires, spent: Some(spent), used });
        let tokens = Tokens { access: newest, older, refresh: kept, key: key.map(str::to_owned) };
        let answer = self.issued(&tokens, (access, Some(refresh)), None);
        let next = self.changed(tokens);
        Step { answer: Ok(answer), write: Some(Write::Keep(Box::new(next))), noted: None }
    }
}

impl Refresh {
    /// The marks of all that are used up once the answer to the last one has arrived.
    fn used_and_spent(&self) -> Vec<u64> {
        let spent = self.spent.as_ref().map(|spent| mark(spent.hash));
        let mut used: Vec<u64> = self.used.iter().copied().chain(spent).collect();
        used.drain(..used.len().saturating_sub(REMEMBERED));
        used
    }
}

fn allowed(client: &Client, (have, want): (&Scopes, Option<&Scopes>)) -> Result<(), Refusal> {
    client.needs(GrantType::RefreshToken)?;
    if want.is_some_and(|want| want.is_empty() || !want.within(have)) {
        return Err(Refusal::new(Code::InvalidScope, "the refresh token does not reach as far"));
    }
    Ok(())
}

/// The access and the refresh token that come after one.
fn successors(shown: &Secret, salt: &[u8; 32]) -> (Secret, Secret) {
    (shown.successor(salt, "access token"), shown.successor(salt, "refresh token"))
}

fn dead(access: &Access, now: Timestamp) -> Access {
    Access { expires: now, ..access.clone() }
}

/// Enough of a hash to tell one family's tokens apart. It grants nothing.
fn mark(hash: SecretHash) -> u64 {
    hash.0.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
}
