//! A device, and the limits on what it says of itself.

use jiff::Timestamp;
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::Place;

use crate::Error;
use crate::domain::Goodbye;

/// Characters of one text that a device says of itself.
const TEXT_LIMIT: usize = 256;
/// Addresses of one device.
const ADDRESSES_LIMIT: usize = 64;
/// Capabilities of one agent.
const CAPABILITIES_LIMIT: usize = 64;
/// Characters of a name that an operator gives.
const NAME_LIMIT: usize = 200;
/// Tags of one device.
const TAGS_LIMIT: usize = 50;
/// Characters of one tag.
const TAG_LIMIT: usize = 64;

/// What a device says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in link.proto, which documents them")]
pub struct Facts {
    pub hostname: String,
    pub os_family: String,
    pub os_name: String,
    pub os_version: String,
    pub kernel: String,
    pub arch: String,
    pub vendor: String,
    pub model: String,
    pub serial: String,
    pub cpu_count: u32,
    pub memory_bytes: u64,
    pub addresses: Vec<String>,
}

/// What a device says when it connects, and what is seen of it then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// What it says of itself.
    pub facts: Facts,
    /// Its agent's version.
    pub agent_version: String,
    /// What its agent can do.
    pub capabilities: Vec<String>,
    /// The address it came from.
    pub remote_address: String,
    /// How far its clock is ahead, milliseconds.
    pub clock_offset_ms: i64,
}

/// The record of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id, for life.
    pub id: DeviceId,
    /// Rises with every change of the record, except of `last_seen` and `goodbye`.
    pub version: u64,
    /// What the operator calls it; empty until somebody does.
    pub given_name: String,
    /// The operator's tags, sorted.
    pub tags: Vec<String>,
    /// Where it is.
    pub place: Place,
    /// What it said when it last connected.
    pub hello: Hello,
    /// When it first connected.
    pub enrolled_at: Timestamp,
    /// When it was last heard from, up to ten minutes old.
    pub last_seen: Timestamp,
    /// How its last connection ended.
    pub goodbye: Goodbye,
}

impl Device {
    /// What to call it.
    pub fn name(&self) -> &str {
        if self.given_name.is_empty() { &self.hello.facts.hostname } else { &self.given_name }
    }

    /// The record after the device `whose` has connected: its first one, at `place`, or `known` with
    /// what it says of itself now.
    #[must_use]
    pub fn connected(
        known: Option<Self>,
        whose: (TenantId, DeviceId),
        (hello, place): (&Hello, &Place),
        now: Timestamp,
    ) -> Self {
        let mut device = known.unwrap_or_else(|| Self {
            tenant: whose.0,
            id: whose.1,
            version: 0,
            given_name: String::new(),
            tags: Vec::new(),
            place: *place,
            hello: Hello::default(),
            enrolled_at: now,
            last_seen: now,
            goodbye: Goodbye::None,
        });
        device.version += 1;
        device.hello = hello.clone();
        device.last_seen = device.last_seen.max(now);
        device.goodbye = Goodbye::None;
        device
    }

    /// The record after an operator's change.
    #[must_use]
    pub fn changed(mut self, change: &Change) -> Self {
        self.version += 1;
        if let Some(name) = &change.name {
            self.given_name.clone_from(name);
        }
        if let Some(tags) = &change.tags {
            self.tags.clone_from(tags);
        }
        if let Some(place) = change.place {
            self.place = place;
        }
        self
    }

    /// Notes when it was last heard from, unless something later is known; says whether it did.
    pub fn seen(&mut self, at: Timestamp, goodbye: Goodbye) -> bool {
        let newer = self.last_seen <= at;
        if newer {
            (self.last_seen, self.goodbye) = (at, goodbye);
        }
        newer
    }
}

/// What an operator changes on a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// A new name; empty goes back to the host name.
    pub name: Option<String>,
    /// All tags, checked by [`tags`].
    pub tags: Option<Vec<String>>,
    /// Where it is moved.
    pub place: Option<Place>,
}

/// Cuts a text that a device sent at the limit, between characters, and keeps it otherwise as it
/// came.
pub fn text(mut text: String) -> String {
    cut(&mut text, TEXT_LIMIT);
    text
}

fn cut(text: &mut String, limit: usize) {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.shrink_to_fit();
    }
}

impl Hello {
    /// The same with every text and list cut at its limit.
    #[must_use]
    pub fn limited(mut self) -> Self {
        let facts = &mut self.facts;
        let texts = [
            &mut facts.hostname,
            &mut facts.os_family,
            &mut facts.os_name,
            &mut facts.os_version,
            &mut facts.kernel,
            &mut facts.arch,
            &mut facts.vendor,
            &mut facts.model,
            &mut facts.serial,
            &mut self.agent_version,
            &mut self.remote_address,
        ];
        facts.addresses.truncate(ADDRESSES_LIMIT);
        self.capabilities.truncate(CAPABILITIES_LIMIT);
        let lists = facts.addresses.iter_mut().chain(&mut self.capabilities);
        for text in texts.into_iter().chain(lists) {
            cut(text, TEXT_LIMIT);
        }
        // A store keeps signed 64-bit numbers.
        facts.memory_bytes = facts.memory_bytes.min(i64::MAX.unsigned_abs());
        self
    }
}

impl Change {
    /// The same, checked: the name's length, and tags sorted and without repetitions.
    pub fn checked(self) -> Result<Self, Error> {
        if let Some(name) = &self.name
            && name.chars().count() > NAME_LIMIT
        {
            return Err(Error::Invalid(format!("a name has at most {NAME_LIMIT} characters")));
        }
        let tags = self.tags.map(tags).transpose()?;
        Ok(Self { tags, ..self })
    }
}

/// Sorted tags without repetitions.
pub fn tags(mut tags: Vec<String>) -> Result<Vec<String>, Error> {
    if tags.len() > TAGS_LIMIT {
        return Err(Error::Invalid(format!("a device has at most {TAGS_LIMIT} tags")));
    }
    if tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > TAG_LIMIT) {
        return Err(Error::Invalid(format!("a tag has 1 to {TAG_LIMIT} characters")));
    }
    tags.sort();
    tags.dedup();
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters_and_kept_otherwise() {
        let hostile = "<script>\u{0}\u{1b}[31m\u{fffd}ü\r\n".to_owned();
        assert_eq!(text(hostile.clone()), hostile);
        let long = text("ü".repeat(300));
        assert_eq!(long, "ü".repeat(TEXT_LIMIT));
    }

    #[test]
    fn lists_are_cut() {
        let mut hello = Hello { capabilities: vec!["x".repeat(999); 999], ..Hello::default() };
        hello.facts.addresses = vec!["a".to_owned(); 999];
        let hello = hello.limited();
        assert_eq!(hello.capabilities, vec!["x".repeat(TEXT_LIMIT); CAPABILITIES_LIMIT]);
        assert_eq!(hello.facts.addresses.len(), ADDRESSES_LIMIT);
    }

    #[test]
    fn tags_are_a_set_within_limits() {
        let given = ["b", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(tags(given).unwrap(), ["a", "b"]);
        assert!(tags(vec![String::new()]).is_err());
        assert!(tags(vec!["x".repeat(65)]).is_err());
        assert!(tags((0..51).map(|n| n.to_string()).collect()).is_err());
        let change = Change { name: Some("x".repeat(201)), ..Change::default() };
        assert!(change.checked().is_err());
    }
}
