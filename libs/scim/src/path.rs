//! Where a change is made.

use std::fmt;

use crate::{AttrPath, Filter};

/// Where a change is made: an attribute, a part of it, or those of its values that a filter finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The attribute.
    pub attribute: AttrPath,
    /// Which of its values.
    pub filter: Option<Filter>,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(filter) = &self.filter else { return write!(f, "{}", self.attribute) };
        let whole = AttrPath { sub: None, ..self.attribute.clone() };
        write!(f, "{whole}[{filter}]")?;
        match &self.attribute.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}
