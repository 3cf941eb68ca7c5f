//! Idempotency keys: claimed for a tenant by one lightweight transaction, before the command is made
//! by another one on its device's partition. A claim whose command was not made is taken over only
//! after that command has been forbidden, so that no key ever has two.

use openframe_cassandra::Failure;
use openframe_devices::Error;
use openframe_devices::domain::Command;
use openframe_devices::store::UsedKey;
use openframe_ids::{CommandId, DeviceId, TenantId};
use uuid::Uuid;

use crate::turn::{Change, Key, QUESTIONS, Values};
use crate::{CassandraStore, failed};

/// How long a key is kept after its time, seconds: clocks differ.
const AFTERWARDS_S: i64 = 24 * 60 * 60;
/// The longest time to live that Cassandra knows, seconds.
const LONGEST_S: i64 = 20 * 365 * 24 * 60 * 60;
/// How often a claim that others outran is tried.
const TRIES: u32 = 16;

/// A key that somebody has claimed.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) request: Vec<u8>,
    pub(crate) command: CommandId,
    pub(crate) device: DeviceId,
    pub(crate) until_ms: i64,
}

impl CassandraStore {
    /// Who has claimed a key.
    pub(crate) async fn claimed(
        &self,
        tenant: TenantId,
        (caller, key): (&str, &str),
    ) -> Result<Option<Claim>, Error> {
        let rows = self.0.database.rows(&self.0.statements.keys.key, (tenant.0, caller, key)).await;
        let rows: Vec<(Vec<u8>, Uuid, Uuid, i64)> = rows.map_err(failed)?;
        Ok(rows.into_iter().next().map(|(request, command, device, until_ms)| Claim {
            request,
            command: CommandId(command),
            device: DeviceId(device),
            until_ms,
        }))
    }

    /// Whether the command of a claim was made.
    pub(crate) async fn is_made(&self, tenant: TenantId, claim: &Claim) -> Result<bool, Error> {
        self.has((tenant, claim.device), "command", claim.command).await
    }

    /// Whether a command has a row of this kind.
    pub(crate) async fn has(
        &self,
        whose: (TenantId, DeviceId),
        kind: &str,
        id: CommandId,
    ) -> Result<bool, Error> {
        let name = id.0.to_string();
        Ok(!self.bodies_of(whose, kind, &name).await?.is_empty())
    }

    /// Claims a key for a command; false when it is in use.
    pub(crate) async fn claim(&self, key: &UsedKey, command: &Command) -> Result<bool, Error> {
        let tenant = command.tenant;
        let mut unanswered = 0;
        for _ in 0..TRIES {
            let claim = self.claimed(tenant, (&key.caller, &key.key)).await?;
            let tried = match &claim {
                None => self.first_claim(key, command).await,
                Some(claim) if claim.command == command.id => return Ok(true),
                Some(claim) => {
                    let over = claim.until_ms <= command.created_at.as_millisecond();
                    if !over && !self.forbid(tenant, claim).await? {
                        return Ok(false);
                    }
                    self.take_over(key, command, claim).await
                }
            };
            match tried {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // It may have been done: the next look settles and tells.
                Err(Failure::Unavailable(_)) if unanswered < QUESTIONS => unanswered += 1,
                Err(failure) => return Err(failed(failure)),
            }
        }
        Err(Error::Busy("the idempotency key is claimed again and again".into()))
    }

    async fn first_claim(&self, key: &UsedKey, command: &Command) -> Result<bool, Failure> {
        let (id, until_ms) = (command.id.0, key.until.as_millisecond());
        let name = (command.tenant.0, &key.caller, &key.key);
        let (request, device, ttl) = (&key.request[..], command.device.0, ttl(key, command));
        let values = (name.0, name.1, name.2, request, id, device, until_ms, ttl);
        self.0.database.apply(&self.0.statements.keys.claim, values).await
    }

    async fn take_over(
        &self,
        key: &UsedKey,
        command: &Command,
        from: &Claim,
    ) -> Result<bool, Failure> {
        let (id, until_ms) = (command.id.0, key.until.as_millisecond());
        let name = (command.tenant.0, &key.caller, &key.key);
        let (request, device, ttl) = (&key.request[..], command.device.0, ttl(key, command));
        let values = (ttl, request, id, device, until_ms, name.0, name.1, name.2, from.command.0);
        self.0.database.apply(&self.0.statements.keys.take_over, values).await
    }

    /// Gives back a key whose command was not made. Where that cannot be done, the key's next user takes
    /// it over.
    pub(crate) async fn release(&self, key: &UsedKey, command: &Command) -> Result<(), Error> {
        let values = (command.tenant.0, &key.caller, &key.key, command.id.0);
        match self.0.database.apply(&self.0.statements.keys.release, values).await {
            Ok(_) | Err(Failure::Unavailable(_)) => Ok(()),
            Err(failure @ Failure::Other(_)) => Err(failed(failure)),
        }
    }

    /// Makes sure that the command of a claim will not be made; false when it has been.
    async fn forbid(&self, tenant: TenantId, claim: &Claim) -> Result<bool, Error> {
        let whose = (tenant, claim.device);
        let mut turn = self.turn(whose).await;
        loop {
            let partition = turn.look().await?;
            if self.is_made(tenant, claim).await? {
                return Ok(false);
            }
            if partition.device.is_none() {
                // Retired: nothing will be made there.
                return Ok(true);
            }
            let void = (Key::of("void", claim.command.0.to_string()), Values::default());
            let change = Change { puts: vec![void], ..Change::default() };
            if turn.write(&partition, change).await? {
                return Ok(true);
            }
        }
    }
}

/// How long a key is to live, seconds.
fn ttl(key: &UsedKey, command: &Command) -> i32 {
    let lasting =
        key.until.duration_since(command.created_at).as_secs().saturating_add(AFTERWARDS_S);
    i32::try_from(lasting.clamp(1, LONGEST_S)).unwrap_or(i32::MAX)
}
