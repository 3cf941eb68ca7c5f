//! Whether everything that was acknowledged is there.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use openframe_ids::CommandId;
use openframe_system::Server;
use serde_json::Value;

use super::load::{Acknowledged, KINDS, Load, Message};
use super::tally::Counts;
use crate::say;

/// The head of the table.
pub(super) const HEAD: &str = "| case | acknowledged | lost | twice | failed | longest interruption | whole again |\n\
     |---|---|---|---|---|---|---|";
/// How long what was acknowledged may take to come about.
const PATIENCE: Duration = Duration::from_mins(1);

/// One line of the matrix.
#[derive(Debug)]
pub(super) struct Verdict {
    counts: Vec<Counts>,
    /// Acknowledged operations without their effect.
    pub(super) lost: u64,
    /// Those that had it twice.
    pub(super) doubled: u64,
    /// Commands that were accepted.
    pub(super) commands: u64,
    whole: Duration,
}

impl Verdict {
    pub(super) async fn of(
        server: &Server,
        load: &Load,
        (counts, acknowledged): (Vec<Counts>, Acknowledged),
        whole: Duration,
    ) -> anyhow::Result<Self> {
        let mut left = Left::all(&acknowledged);
        let end = openframe_clock::monotonic() + PATIENCE;
        // What cannot be read now is read again.
        while !left.is_empty() && openframe_clock::monotonic() < end {
            drop(left.look(server, load).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The list of them shall not grow for ever.
        for token in &acknowledged.tokens {
            drop(server.auth()?.revoke_enrolment_token(*token).await);
        }
        let doubled = twice(&load.told(), &acknowledged.alerts);
        let commands = acknowledged.commands.len() as u64;
        if !left.is_empty() {
            let Left { samples, commands, tokens, alerts } = &left;
            let counts = [samples.len(), commands.len(), tokens.len(), alerts.len()];
            say(&format!("lost samples, commands, tokens, alerts: {counts:?}"));
            for id in commands {
                let command = server.devices()?.command(*id).await?;
                say(&format!(
                    "{id} on {}, made {}: {} {}",
                    command.device_id, command.created_at, command.state, command.status_reason
                ));
            }
        }
        Ok(Self { counts, lost: left.len() as u64, doubled, commands, whole })
    }

    pub(super) fn line(&self, case: &str) -> String {
        let sum = |of: fn(&Counts) -> u64| self.counts.iter().map(of).sum::<u64>();
        let (done, failed) = (sum(|it| it.done), sum(|it| it.failed));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = 100.0 * failed as f64 / (done + failed).max(1) as f64;
        let each = KINDS.iter().zip(&self.counts);
        let mut gaps: Vec<_> = each.map(|((name, _), counts)| (counts.longest, *name)).collect();
        // Alerts are made so rarely that their gap says nothing.
        gaps.retain(|(_, name)| *name != "alert");
        gaps.sort_unstable_by(|a, b| b.cmp(a));
        let mut longest = String::new();
        for (gap, name) in gaps.into_iter().take(2) {
            let more = if longest.is_empty() { "" } else { ", " };
            write!(longest, "{more}{:.1} s ({name})", gap.as_secs_f64()).unwrap_or_default();
        }
        let (lost, doubled, whole) = (self.lost, self.doubled, self.whole.as_secs_f64());
        format!(
            "| {case} | {done} | {lost} | {doubled} | {failed} ({share:.1} %) | {longest} | {whole:.1} s |"
        )
    }
}

/// What was acknowledged and not seen yet.
struct Left {
    samples: HashSet<u64>,
    commands: HashSet<CommandId>,
    tokens: HashSet<openframe_ids::EnrolmentTokenId>,
    alerts: HashSet<u64>,
}

impl Left {
    fn all(acknowledged: &Acknowledged) -> Self {
        Self {
            samples: acknowledged.samples.iter().copied().collect(),
            commands: acknowledged.commands.iter().copied().collect(),
            tokens: acknowledged.tokens.iter().copied().collect(),
            alerts: acknowledged.alerts.iter().copied().collect(),
        }
    }

    fn len(&self) -> usize {
        self.samples.len() + self.commands.len() + self.tokens.len() + self.alerts.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn look(&mut self, server: &Server, load: &Load) -> anyhow::Result<()> {
        let found = server.monitoring()?.query("chaos_sample[10m]", None).await?;
        let values = found.pointer("/data/result/0/values").and_then(Value::as_array);
        for value in values.into_iter().flatten() {
            if let Some(text) = value.get(1).and_then(Value::as_str) {
                self.samples.remove(&text.parse()?);
            }
        }
        for (_, status, numbers) in load.told() {
            if status == "firing" {
                for number in numbers.iter().filter_map(|number| number.parse().ok()) {
                    self.alerts.remove(&number);
                }
            }
        }
        for token in server.auth()?.enrolment_tokens().await?.items {
            self.tokens.remove(&token.id);
        }
        let devices = server.devices()?;
        for id in self.commands.iter().copied().collect::<Vec<_>>() {
            let command = devices.command(id).await?;
            if command.finished && command.state == "succeeded" {
                self.commands.remove(&id);
            }
        }
        Ok(())
    }
}

/// How many alerts were told in two different messages.
fn twice(told: &[Message], alerts: &[u64]) -> u64 {
    let mut keys: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for (key, status, numbers) in told {
        if status == "firing" {
            for number in numbers.iter().filter_map(|number| number.parse().ok()) {
                keys.entry(number).or_default().insert(key);
            }
        }
    }
    let doubled = alerts.iter().filter(|n| keys.get(n).is_some_and(|keys| keys.len() > 1));
    doubled.count() as u64
}
