//! Questions to the index.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use openframe_ids::DeviceId;
use openframe_tokens::{Place, Reach};
use roaring::RoaringBitmap;

use super::{Index, number};
use crate::Error;
use crate::domain::Key;

/// What devices can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it; devices-api documents them")]
pub enum Attribute {
    Presence,
    Os,
    OsVersion,
    Arch,
    Vendor,
    Model,
    AgentVersion,
    Tag,
    Place,
}

impl Attribute {
    /// Every attribute.
    pub const ALL: [Self; 9] = [
        Self::Presence,
        Self::Os,
        Self::OsVersion,
        Self::Arch,
        Self::Vendor,
        Self::Model,
        Self::AgentVersion,
        Self::Tag,
        Self::Place,
    ];

    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Os => "os",
            Self::OsVersion => "os_version",
            Self::Arch => "arch",
            Self::Vendor => "vendor",
            Self::Model => "model",
            Self::AgentVersion => "agent_version",
            Self::Tag => "tag",
            Self::Place => "place",
        }
    }

    /// The attribute of a text form.
    pub fn of_text(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|attribute| attribute.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::Invalid(format!("attributes are {known}"))
        })
    }
}

/// What a list is sorted by. Equals are told apart by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The name, without regard to capitals.
    #[default]
    Name,
    /// When a device was last heard from.
    LastSeen,
    /// When it enrolled.
    Enrolled,
}

/// Which devices are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Words in small letters that must each occur.
    pub words: Vec<String>,
    /// For an attribute: the values of which a device must have one.
    pub filter: BTreeMap<Attribute, Vec<String>>,
    /// Attributes whose values are counted.
    pub facets: Vec<Attribute>,
    /// The order.
    pub order: Order,
    /// Whether it is turned round.
    pub reversed: bool,
    /// The key of the last device of the page before.
    pub after: Option<Key>,
    /// How many.
    pub limit: usize,
}

/// Values that are counted of one attribute, the most frequent ones: devices make them up.
const FACET_VALUES: usize = 100;
/// Characters of a search text, and of a filter.
const TEXT_LIMIT: usize = 4_096;
/// Devices of a page at most, and when nothing is said.
const LIMITS: (u32, u32) = (500, 50);

impl Query {
    /// Reads what a caller asks for: search text, filter, facets.
    pub fn parse(q: &str, filter: &str, facets: &str) -> Result<Self, Error> {
        if q.len() > TEXT_LIMIT || filter.len() > TEXT_LIMIT || facets.len() > TEXT_LIMIT {
            return Err(Error::Invalid(format!("a search has at most {TEXT_LIMIT} bytes")));
        }
        let words = q.split_whitespace().map(str::to_lowercase).collect();
        let facets = facets.split(',').filter(|name| !name.is_empty()).map(Attribute::of_text);
        let facets = facets.collect::<Result<_, _>>()?;
        let limit = LIMITS.1 as usize;
        Ok(Self { words, filter: conditions(filter)?, facets, limit, ..Self::default() })
    }

    /// Sets the order: `name`, `last_seen` or `enrolled`, with `-` before it turned round; and
    /// where to go on.
    pub fn sorted(mut self, sort: &str, cursor: Option<&str>) -> Result<Self, Error> {
        let name = sort.strip_prefix('-');
        self.reversed = name.is_some();
        self.order = match name.unwrap_or(sort) {
            "" | "name" => Order::Name,
            "last_seen" => Order::LastSeen,
            "enrolled" => Order::Enrolled,
            _ => return Err(Error::Invalid("sort is name, last_seen or enrolled".to_owned())),
        };
        let letter = self.letter();
        let read = |text| Key::decode(text, letter).ok_or(Error::BadCursor);
        self.after = cursor.map(read).transpose()?;
        if self.order != Order::Name
            && self.after.as_ref().is_some_and(|key| number(&key.value).is_none())
        {
            return Err(Error::BadCursor);
        }
        Ok(self)
    }

    /// Sets how many are wanted.
    pub fn limited(mut self, limit: Option<u32>) -> Result<Self, Error> {
        let limit = limit.unwrap_or(LIMITS.1);
        if !(1..=LIMITS.0).contains(&limit) {
            return Err(Error::Invalid(format!("limit is 1 to {}", LIMITS.0)));
        }
        self.limit = limit as usize;
        Ok(self)
    }

    /// The letter of the order in cursors; a capital when it is turned round.
    fn letter(&self) -> u8 {
        let letter = match self.order {
            Order::Name => b'n',
            Order::LastSeen => b's',
            Order::Enrolled => b'e',
        };
        if self.reversed { letter.to_ascii_uppercase() } else { letter }
    }
}

/// Reads `attribute:value,…`. A comma only separates where an attribute's name and a colon follow,
/// so that values such as `VMware, Inc.` need no escape.
fn conditions(text: &str) -> Result<BTreeMap<Attribute, Vec<String>>, Error> {
    let mut conditions: BTreeMap<Attribute, Vec<String>> = BTreeMap::new();
    let mut current: Option<(Attribute, String)> = None;
    for part in text.split(',') {
        let begun = part.split_once(':').and_then(|(name, value)| {
            Some((Attribute::of_text(name.trim()).ok()?, value.to_owned()))
        });
        if let Some(begun) = begun {
            if let Some((attribute, value)) = current.replace(begun) {
                conditions.entry(attribute).or_default().push(value);
            }
        } else if let Some((_, value)) = &mut current {
            value.push(',');
            value.push_str(part);
        } else if !part.trim().is_empty() {
            let known = Attribute::ALL.map(Attribute::as_str).join(", ");
            return Err(Error::Invalid(format!(
                "a filter is attribute:value, separated by commas; attributes are {known}"
            )));
        }
    }
    if let Some((attribute, value)) = current {
        conditions.entry(attribute).or_default().push(value);
    }
    Ok(conditions)
}

/// What matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The devices of this page, in order.
    pub ids: Vec<DeviceId>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How many match in all.
    pub total: u64,
    /// The most frequent values of the attributes asked for with their counts, the most frequent
    /// first.
    pub facets: BTreeMap<Attribute, Vec<(String, u64)>>,
}

impl Index {
    /// Answers `query`, as if there were no devices beyond `reach`.
    pub fn query(&self, query: &Query, reach: &Reach) -> Page {
        let matching = self.matching(query, self.within(reach));
        let mut page = Page { total: matching.len(), ..Page::default() };
        for attribute in &query.facets {
            page.facets.insert(*attribute, self.counts(*attribute, &matching));
        }
        let mut last = None;
        for ordinal in self.ordered(query).filter(|ordinal| matching.contains(*ordinal)) {
            let Some(entry) = self.at(ordinal) else { continue };
            if page.ids.len() == query.limit {
                page.next = last;
                break;
            }
            page.ids.push(entry.id);
            if page.ids.len() == query.limit {
                last = Some(entry.key(query.order).encode(query.letter()));
            }
        }
        page
    }

    /// The devices that are where `reach` says.
    fn within(&self, reach: &Reach) -> RoaringBitmap {
        match reach {
            Reach::Everywhere => self.live.clone(),
            Reach::Within { allowed, denied } => self.inside(allowed) - self.inside(denied),
            Reach::Nowhere => RoaringBitmap::new(),
        }
    }

    /// The devices that are in one of these places.
    fn inside(&self, places: &[Place]) -> RoaringBitmap {
        let known = self.values.get(&Attribute::Place);
        let mut inside = RoaringBitmap::new();
        for place in places {
            match place.id() {
                None => inside |= &self.live,
                Some(id) => {
                    if let Some(there) = known.and_then(|it| it.get(id.to_string().as_str())) {
                        inside |= there;
                    }
                }
            }
        }
        inside
    }

    fn matching(&self, query: &Query, among: RoaringBitmap) -> RoaringBitmap {
        let mut matching = among;
        for (attribute, wanted) in &query.filter {
            let known = self.values.get(attribute);
            let bitmaps = wanted.iter().filter_map(|value| known?.get(value.as_str()));
            let mut any = RoaringBitmap::new();
            bitmaps.for_each(|bitmap| any |= bitmap);
            matching &= any;
        }
        if query.words.is_empty() {
            return matching;
        }
        let has_all = |ordinal: &u32| {
            self.at(*ordinal).is_some_and(|entry| {
                query.words.iter().all(|word| entry.text.contains(word.as_str()))
            })
        };
        matching.iter().filter(has_all).collect()
    }

    fn counts(&self, attribute: Attribute, matching: &RoaringBitmap) -> Vec<(String, u64)> {
        let values = self.values.get(&attribute).into_iter().flatten();
        let mut counts: Vec<(String, u64)> = values
            .map(|(value, bitmap)| (value.to_string(), bitmap.intersection_len(matching)))
            .filter(|(_, count)| *count > 0)
            .collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(FACET_VALUES);
        counts
    }

    /// Every ordinal from where the page begins, in order.
    fn ordered<'a>(&'a self, query: &'a Query) -> Box<dyn Iterator<Item = u32> + 'a> {
        let after = query.after.as_ref();
        match query.order {
            Order::Name => {
                let key = after.map(|key| (key.value.clone().into(), key.id));
                range(&self.by_name, key, query.reversed)
            }
            Order::LastSeen => range(&self.by_seen, after.and_then(numbered), query.reversed),
            Order::Enrolled => range(&self.by_enrolled, after.and_then(numbered), query.reversed),
        }
    }
}

fn numbered(key: &Key) -> Option<(i64, DeviceId)> {
    Some((number(&key.value)?, key.id))
}

fn range<K: Ord>(
    sorted: &BTreeMap<K, u32>,
    after: Option<K>,
    reversed: bool,
) -> Box<dyn Iterator<Item = u32> + '_> {
    let after = after.map_or(Unbounded, Excluded);
    if reversed {
        Box::new(sorted.range((Unbounded, after)).rev().map(|(_, ordinal)| *ordinal))
    } else {
        Box::new(sorted.range((after, Unbounded)).map(|(_, ordinal)| *ordinal))
    }
}
