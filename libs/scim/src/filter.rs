//! What a list is narrowed to, and how it is written.

use std::fmt;

/// The name of an attribute: `name.givenName`, or with the schema that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath {
    /// The schema, if it is said.
    pub schema: Option<String>,
    /// The attribute.
    pub name: String,
    /// A part of it.
    pub sub: Option<String>,
}

impl AttrPath {
    /// Whether it is this one, in whatever case.
    pub fn is(&self, name: &str, sub: Option<&str>) -> bool {
        let same = |own: &str, other: &str| own.eq_ignore_ascii_case(other);
        let sub = match (&self.sub, sub) {
            (None, None) => true,
            (Some(own), Some(other)) => same(own, other),
            (Some(_), None) | (None, Some(_)) => false,
        };
        same(&self.name, name) && sub && self.is_core()
    }

    /// Whether it is of a schema that resources have by themselves.
    pub fn is_core(&self) -> bool {
        let core = |schema: &String| {
            [crate::USER, crate::GROUP].iter().any(|core| schema.eq_ignore_ascii_case(core))
        };
        self.schema.as_ref().is_none_or(core)
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// They are the same.
    Eq,
    /// They are not.
    Ne,
    /// The text has the other in it.
    Co,
    /// The text starts with the other.
    Sw,
    /// The text ends with the other.
    Ew,
    /// It is greater.
    Gt,
    /// It is greater, or the same.
    Ge,
    /// It is less.
    Lt,
    /// It is less, or the same.
    Le,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// What something is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number, never infinite.
    Number(f64),
    /// A text.
    Text(String),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            // Exact, and short also where a number is large.
            Self::Number(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
                write!(f, "{value}")
            }
            Self::Number(value) => write!(f, "{value:e}"),
            Self::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
        }
    }
}

/// What a list is narrowed to. Made by [`Filter::parse`]; `And` and `Or` have two parts at least, none of
/// which is of the same kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// The attribute has a value.
    Present(AttrPath),
    /// The attribute compares so with the value.
    Compare(AttrPath, Operator, Literal),
    /// One of the attribute's values fits.
    Some(AttrPath, Box<Self>),
    /// All hold.
    And(Vec<Self>),
    /// One holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
}

impl Filter {
    /// What this attribute must be the same as, if the filter says so of all that it finds: an index
    /// answers it.
    pub fn pinned(&self, name: &str) -> Option<&str> {
        match self {
            Self::Compare(path, Operator::Eq, Literal::Text(text)) if path.is(name, None) => {
                Some(text)
            }
            Self::And(all) => all.iter().find_map(|part| part.pinned(name)),
            Self::Compare(..) | Self::Present(_) | Self::Some(..) | Self::Or(_) | Self::Not(_) => {
                None
            }
        }
    }

    /// Whether it looks at this attribute anywhere.
    pub fn mentions(&self, name: &str) -> bool {
        match self {
            Self::Present(path) | Self::Compare(path, ..) | Self::Some(path, _) => {
                path.name.eq_ignore_ascii_case(name)
            }
            Self::Not(inner) => inner.mentions(name),
            Self::And(all) | Self::Or(all) => all.iter().any(|part| part.mentions(name)),
        }
    }

    /// How many attributes it looks at.
    pub fn terms(&self) -> usize {
        match self {
            Self::Present(_) | Self::Compare(..) => 1,
            Self::Some(_, inner) | Self::Not(inner) => inner.terms(),
            Self::And(all) | Self::Or(all) => all.iter().map(Self::terms).sum(),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            write!(f, " {word} ")?;
        }
        // "and" binds closer than "or".
        if matches!(part, Filter::Or(_)) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare(path, operator, value) => {
                write!(f, "{path} {} {value}", operator.as_str())
            }
            Self::Some(path, inner) => write!(f, "{path}[{inner}]"),
            Self::And(all) => joined(f, all, "and"),
            Self::Or(all) => joined(f, all, "or"),
            Self::Not(inner) => write!(f, "not ({inner})"),
        }
    }
}
