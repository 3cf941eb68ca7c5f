//! Rules, and what becomes of their alerts (Prometheus' `rules/alerting.go` has the same states).

use std::collections::BTreeMap;

use openframe_ids::{ChannelId, RuleId, TenantId};

/// How long a resolved alert is still shown, milliseconds.
pub const SHOWN_MS: i64 = 24 * 3_600_000;
/// Resolved alerts of one rule that are still shown, at most: the newest.
pub const MAX_RESOLVED: usize = 200;
/// Characters of a name at most.
const MAX_NAME: usize = 200;
/// Bytes of an expression at most.
const MAX_EXPR: usize = 10_000;
/// Characters of a summary at most.
const MAX_SUMMARY: usize = 2_000;
/// Seconds that a condition may have to hold at most: a week.
const MAX_FOR_S: u32 = 604_800;
/// Channels of one rule at most.
const MAX_CHANNELS: usize = 20;

/// The labels that tell one alert of a rule from another.
pub type AlertLabels = BTreeMap<String, String>;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Needs somebody soon.
    Warning,
    /// Needs somebody now.
    Critical,
}

impl Severity {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a text form.
    pub fn of_text(text: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Critical].into_iter().find(|it| it.as_str() == text)
    }
}

/// Where an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The condition no longer holds.
    Resolved,
    /// The condition holds, but not long enough yet.
    Pending,
    /// Somebody is told.
    Firing,
}

impl State {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }

    /// The state of a text form.
    pub fn of_text(text: &str) -> Option<Self> {
        [Self::Resolved, Self::Pending, Self::Firing].into_iter().find(|it| it.as_str() == text)
    }
}

/// What somebody wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The alerts' name.
    pub name: String,
    /// PromQL; each series of the answer is one alert.
    pub expr: String,
    /// Seconds that the condition must hold before it fires.
    pub for_s: u32,
    /// How bad it is.
    pub severity: Severity,
    /// What it means and what to do.
    pub summary: String,
    /// Whom to tell.
    pub channels: Vec<ChannelId>,
}

impl Definition {
    /// The definition if every part is within its limits; says what is wrong if not. Whether the
    /// expression can be evaluated is not looked at.
    pub fn checked(self) -> Result<Self, String> {
        name(&self.name)?;
        if self.expr.trim().is_empty() || self.expr.len() > MAX_EXPR {
            return Err(format!("`expr` must have 1 to {MAX_EXPR} bytes"));
        }
        if self.for_s > MAX_FOR_S {
            return Err(format!("`for_s` must be at most {MAX_FOR_S} (a week)"));
        }
        if self.summary.chars().count() > MAX_SUMMARY {
            return Err(format!("`summary` must have at most {MAX_SUMMARY} characters"));
        }
        if self.channels.len() > MAX_CHANNELS {
            return Err(format!("`channels` must have at most {MAX_CHANNELS} entries"));
        }
        Ok(self)
    }
}

/// Checks the name of a rule or channel.
pub fn name(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length == 0 || length > MAX_NAME || text.trim() != text {
        return Err(format!("`name` must have 1 to {MAX_NAME} characters and no space around it"));
    }
    if text.chars().any(char::is_control) {
        return Err("`name` must have no control characters".to_owned());
    }
    Ok(())
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it says.
    pub definition: Definition,
    /// When it was made, Unix milliseconds.
    pub created_ms: i64,
}

/// A way to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Where to post to.
    pub webhook_url: String,
    /// When a notification last arrived, Unix milliseconds.
    pub delivered_ms: Option<i64>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// One series for which a rule's condition holds or held.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The rule.
    pub rule: RuleId,
    /// The series.
    pub labels: AlertLabels,
    /// Where it is.
    pub state: State,
    /// The value when last evaluated.
    pub value: f64,
    /// Since when the condition holds, Unix milliseconds.
    pub active_ms: i64,
    /// When it fired.
    pub fired_ms: Option<i64>,
    /// When it was over.
    pub resolved_ms: Option<i64>,
}

/// What an evaluation did to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Nothing but perhaps its value.
    Kept,
    /// The condition has begun to hold.
    Began,
    /// It has held long enough.
    Fired,
    /// It is over.
    Resolved,
    /// There is nothing left to show.
    Dropped,
}

/// A fact: what an alert is now, and how it came to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The alert as it is now.
    pub alert: Alert,
    /// What happened.
    pub what: Transition,
}

/// When a rule is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The instant, Unix milliseconds.
    pub at_ms: i64,
    /// The platform was away and devices may not have reported since: what is not found may only
    /// not be here yet, so nothing is over.
    pub settling: bool,
}

/// Compares what a rule's expression found with the rule's alerts before. Every alert before and
/// every series found comes out once.
pub fn evaluate(
    rule: &Rule,
    before: Vec<Alert>,
    mut found: BTreeMap<AlertLabels, f64>,
    look: Look,
) -> Vec<Change> {
    let mut changes = Vec::with_capacity(before.len().max(found.len()));
    for alert in before {
        let value = found.remove(&alert.labels);
        changes.push(match value {
            Some(value) => holds(rule, alert, value, look.at_ms),
            None => ended(alert, look),
        });
    }
    for (labels, value) in found {
        changes.push(begin(rule, labels, value, look.at_ms));
    }
    drop_surplus(&mut changes);
    changes
}

/// Drops the oldest resolved alerts beyond those that are shown.
fn drop_surplus(changes: &mut [Change]) {
    let over = |it: &&mut Change| it.alert.state == State::Resolved && it.what == Transition::Kept;
    let mut over: Vec<&mut Change> = changes.iter_mut().filter(over).collect();
    over.sort_by_key(|change| std::cmp::Reverse(change.alert.resolved_ms));
    for change in over.into_iter().skip(MAX_RESOLVED) {
        change.what = Transition::Dropped;
    }
}

/// The alert after the platform was away from `left_ms` to `now_ms`: nobody knows whether the
/// condition held meanwhile, so that time does not count for a pending one. When it went away again
/// before anything was received, all of the time since is taken as such.
pub fn resumed(mut alert: Alert, left_ms: i64, now_ms: i64) -> Alert {
    if alert.state == State::Pending {
        let away_ms = now_ms.saturating_sub(left_ms.max(alert.active_ms)).max(0);
        alert.active_ms = alert.active_ms.saturating_add(away_ms);
    }
    alert
}

/// Whether two are the same alert in the same state, whatever their values.
pub fn same_but_value(a: &Alert, b: &Alert) -> bool {
    *a == Alert { value: a.value, ..b.clone() }
}

fn begin(rule: &Rule, labels: AlertLabels, value: f64, now_ms: i64) -> Change {
    let alert = Alert {
        rule: rule.id,
        labels,
        state: State::Pending,
        value,
        active_ms: now_ms,
        fired_ms: None,
        resolved_ms: None,
    };
    let change = holds(rule, alert, value, now_ms);
    let kept = change.what == Transition::Kept;
    Change { what: if kept { Transition::Began } else { change.what }, ..change }
}

fn holds(rule: &Rule, mut alert: Alert, value: f64, now_ms: i64) -> Change {
    alert.value = value;
    match alert.state {
        State::Firing => Change { alert, what: Transition::Kept },
        // It is a new one: who was told that it is over must be told again.
        State::Resolved => begin(rule, alert.labels, value, now_ms),
        State::Pending => {
            let held_ms = now_ms.saturating_sub(alert.active_ms);
            if held_ms < i64::from(rule.definition.for_s) * 1_000 {
                return Change { alert, what: Transition::Kept };
            }
            alert.state = State::Firing;
            alert.fired_ms = Some(now_ms);
            Change { alert, what: Transition::Fired }
        }
    }
}

fn ended(mut alert: Alert, Look { at_ms: now_ms, settling }: Look) -> Change {
    match alert.state {
        State::Pending | State::Firing if settling => Change { alert, what: Transition::Kept },
        State::Pending => Change { alert, what: Transition::Dropped },
        State::Firing => {
            alert.state = State::Resolved;
            alert.resolved_ms = Some(now_ms);
            Change { alert, what: Transition::Resolved }
        }
        State::Resolved => {
            let over_ms = now_ms.saturating_sub(alert.resolved_ms.unwrap_or(now_ms));
            let what = if over_ms > SHOWN_MS { Transition::Dropped } else { Transition::Kept };
            Change { alert, what }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(for_s: u32) -> Rule {
        let definition = Definition {
            name: "hot".to_owned(),
            expr: "temperature > 90".to_owned(),
            for_s,
            severity: Severity::Critical,
            summary: String::new(),
            channels: Vec::new(),
        };
        Rule { id: RuleId::new(), tenant: TenantId::new(), definition, created_ms: 0 }
    }

    fn look(at_ms: i64) -> Look {
        Look { at_ms, settling: false }
    }

    fn labels(device: &str) -> AlertLabels {
        [("device".to_owned(), device.to_owned())].into()
    }

    /// One letter per second: `x` when the condition holds.
    fn history(rule: &Rule, course: &str) -> Vec<Transition> {
        let mut alerts = Vec::new();
        let mut seen = Vec::new();
        for (now_ms, letter) in (0_i64..).step_by(1_000).zip(course.chars()) {
            let found = if letter == 'x' { [(labels("a"), 91.0)].into() } else { BTreeMap::new() };
            let changes = evaluate(rule, alerts, found, look(now_ms));
            assert!(changes.len() <= 1, "{changes:?}");
            seen.extend(changes.iter().map(|change| change.what));
            let stay = changes.into_iter().filter(|change| change.what != Transition::Dropped);
            alerts = stay.map(|change| change.alert).collect();
        }
        seen
    }

    #[test]
    fn an_alert_goes_its_way() {
        use Transition::{Began, Dropped, Fired, Kept, Resolved};
        for (for_s, course, wanted) in [
            (0, "x", vec![Fired]),
            (0, "xx-", vec![Fired, Kept, Resolved]),
            (2, "x-", vec![Began, Dropped]),
            (2, "xxx", vec![Began, Kept, Fired]),
            (2, "xx-xx", vec![Began, Kept, Dropped, Began, Kept]),
            (1, "xx-x", vec![Began, Fired, Resolved, Began]),
            (0, "x-x", vec![Fired, Resolved, Fired]),
            (0, "x--", vec![Fired, Resolved, Kept]),
        ] {
            assert_eq!(history(&rule(for_s), course), wanted, "{for_s} {course}");
        }
    }

    #[test]
    fn a_resolved_alert_is_shown_for_a_day() {
        let rule = rule(0);
        let fired = evaluate(&rule, Vec::new(), [(labels("a"), 1.0)].into(), look(0));
        let over = evaluate(&rule, vec![fired[0].alert.clone()], BTreeMap::new(), look(10));
        let still = look(10 + SHOWN_MS);
        let kept = evaluate(&rule, vec![over[0].alert.clone()], BTreeMap::new(), still);
        assert_eq!(kept[0].what, Transition::Kept);
        let later = look(11 + SHOWN_MS);
        let gone = evaluate(&rule, vec![over[0].alert.clone()], BTreeMap::new(), later);
        assert_eq!(gone[0].what, Transition::Dropped);
    }

    #[test]
    fn the_newest_resolved_alerts_are_shown() {
        let rule = rule(0);
        let found = |n| (labels(&format!("{n}")), 1.0);
        let fired = evaluate(&rule, Vec::new(), (0..300).map(found).collect(), look(0));
        let mut alerts: Vec<_> = fired.into_iter().map(|it| it.alert).collect();
        for (at_ms, alert) in (1..).zip(&mut alerts) {
            (alert.state, alert.resolved_ms) = (State::Resolved, Some(at_ms));
        }
        let changes = evaluate(&rule, alerts, BTreeMap::new(), look(400));
        let kept = changes.iter().filter(|it| it.what == Transition::Kept);
        let kept: Vec<_> = kept.filter_map(|it| it.alert.resolved_ms).collect();
        assert_eq!((kept.len(), kept.iter().min()), (MAX_RESOLVED, Some(&101)));
    }

    #[test]
    fn after_an_absence_nothing_is_over_and_no_time_was_held() {
        let settling = Look { at_ms: 600_000, settling: true };
        for for_s in [0, 60] {
            let rule = rule(for_s);
            let began = evaluate(&rule, Vec::new(), [(labels("a"), 1.0)].into(), look(0));
            let before = began[0].alert.clone();
            let kept = evaluate(&rule, vec![before.clone()], BTreeMap::new(), settling);
            assert_eq!((kept[0].what, kept[0].alert.state), (Transition::Kept, before.state));
        }
        let rule = rule(60);
        let began = evaluate(&rule, Vec::new(), [(labels("a"), 1.0)].into(), look(0));
        // It had held for 30 s when the platform went away.
        let back = resumed(began[0].alert.clone(), 30_000, 600_000);
        for (at_ms, want) in [(600_000, Transition::Kept), (630_000, Transition::Fired)] {
            let found = [(labels("a"), 1.0)].into();
            let changes = evaluate(&rule, vec![back.clone()], found, look(at_ms));
            assert_eq!(changes[0].what, want, "{at_ms}");
        }
        let firing = Alert { state: State::Firing, ..back };
        assert_eq!(resumed(firing.clone(), 0, 9_000_000), firing);
    }

    #[test]
    fn definitions_have_limits() {
        let good = rule(0).definition;
        assert!(good.clone().checked().is_ok());
        for bad in [
            Definition { name: String::new(), ..good.clone() },
            Definition { name: "a\u{7}".to_owned(), ..good.clone() },
            Definition { name: "x".repeat(201), ..good.clone() },
            Definition { expr: " ".to_owned(), ..good.clone() },
            Definition { for_s: MAX_FOR_S + 1, ..good.clone() },
            Definition { summary: "x".repeat(2_001), ..good },
        ] {
            assert!(bad.clone().checked().is_err(), "{bad:?}");
        }
    }
}
