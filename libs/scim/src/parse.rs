//! Reading filters and paths (RFC 7644, 3.4.2.2 and 3.5.2). Each step takes something from the front of
//! what is left, and nothing goes deeper than [`DEPTH`].

use serde_json::Value;

use crate::filter::{AttrPath, Filter, Literal, Operator};
use crate::{Path, Refusal, ScimType};

/// Bytes of a filter or a path at most.
pub const LENGTH: usize = 4096;
/// How deep brackets may stand in one another.
pub const DEPTH: usize = 16;
/// How many attributes one filter may look at.
pub const TERMS: usize = 64;

type Read<T> = Result<T, Refusal>;

struct Reader<'a> {
    rest: &'a str,
    terms: usize,
    /// What it is when it cannot be read.
    kind: ScimType,
}

/// Where the reader is.
#[derive(Clone, Copy)]
struct At {
    depth: usize,
    /// Within the brackets of an attribute, where none follow.
    inside: bool,
}

impl At {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// When it is none, or larger than filters may be.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut reader = Reader::of(text, ScimType::InvalidFilter)?;
        let filter = reader.any(At { depth: 0, inside: false })?;
        reader.end()?;
        Ok(filter)
    }
}

impl Path {
    /// Reads the path of a change.
    ///
    /// # Errors
    /// When it is none, or larger than paths may be.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut reader = Reader::of(text, ScimType::InvalidPath)?;
        let mut attribute = reader.attribute()?;
        let mut filter = None;
        if attribute.sub.is_none() && reader.takes('[') {
            filter = Some(reader.any(At { depth: 1, inside: true })?);
            reader.wants(']')?;
            if reader.takes('.') {
                let sub = reader.name()?;
                attribute.sub = Some(sub);
            }
        }
        reader.end()?;
        Ok(Self { attribute, filter })
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['-', '_', '$'].contains(&c)
}

impl<'a> Reader<'a> {
    fn of(text: &'a str, kind: ScimType) -> Read<Self> {
        let reader = Self { rest: text, terms: 0, kind };
        if text.len() > LENGTH { reader.wrong("it is too long") } else { Ok(reader) }
    }

    fn wrong<T>(&self, what: &str) -> Read<T> {
        let of = if self.kind == ScimType::InvalidPath { "path" } else { "filter" };
        Err(Refusal::new(self.kind, format!("this {of} cannot be read: {what}")))
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn wants(&mut self, wanted: char) -> Read<()> {
        self.skip_spaces();
        if self.takes(wanted) { Ok(()) } else { self.wrong(&format!("{wanted:?} is missing")) }
    }

    fn end(&mut self) -> Read<()> {
        self.skip_spaces();
        if self.rest.is_empty() { Ok(()) } else { self.wrong("something follows its end") }
    }

    /// What stands at the front, up to what `ends` it.
    fn front(&self, ends: impl Fn(char) -> bool) -> (&'a str, &'a str) {
        let at = self.rest.find(ends).unwrap_or(self.rest.len());
        self.rest.split_at_checked(at).unwrap_or((self.rest, ""))
    }

    /// Takes a word, if it is this one.
    fn word(&mut self, wanted: &str) -> bool {
        self.skip_spaces();
        let (word, rest) = self.front(|c| !is_name(c));
        let fits = word.eq_ignore_ascii_case(wanted) && !rest.starts_with([':', '.', '[']);
        if fits {
            self.rest = rest;
        }
        fits
    }

    fn name(&mut self) -> Read<String> {
        let (name, rest) = self.front(|c| !is_name(c));
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$') {
            return self.wrong("the name of an attribute is missing");
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn attribute(&mut self) -> Read<AttrPath> {
        self.skip_spaces();
        let (all, rest) = self.front(|c| !is_name(c) && ![':', '.'].contains(&c));
        let (schema, names) = all.rsplit_once(':').map_or((None, all), |(a, b)| (Some(a), b));
        let (name, sub) = names.split_once('.').map_or((names, None), |(a, b)| (a, Some(b)));
        let mut parts = [Some(name), sub].into_iter().flatten();
        let fits = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
        if !parts.all(|part| fits(part) && part.chars().all(is_name))
            || schema.is_some_and(|schema| !fits(schema))
        {
            return self.wrong("the name of an attribute is missing");
        }
        self.rest = rest;
        let own = |text: &str| text.to_owned();
        Ok(AttrPath { schema: schema.map(own), name: own(name), sub: sub.map(own) })
    }

    fn any(&mut self, at: At) -> Read<Filter> {
        let mut all = vec![self.all(at)?];
        while self.word("or") {
            all.push(self.all(at)?);
        }
        let flat = all
            .into_iter()
            .flat_map(|part| if let Filter::Or(inner) = part { inner } else { vec![part] });
        Ok(together(flat.collect(), Filter::Or))
    }

    fn all(&mut self, at: At) -> Read<Filter> {
        let mut all = vec![self.one(at)?];
        while self.word("and") {
            all.push(self.one(at)?);
        }
        let flat = all
            .into_iter()
            .flat_map(|part| if let Filter::And(inner) = part { inner } else { vec![part] });
        Ok(together(flat.collect(), Filter::And))
    }

    fn one(&mut self, at: At) -> Read<Filter> {
        if at.depth > DEPTH {
            return self.wrong("its brackets are too deep");
        }
        self.skip_spaces();
        if self.takes('(') {
            let inner = self.any(at.deeper())?;
            self.wants(')')?;
            return Ok(inner);
        }
        if self.is_negation() {
            self.word("not");
            self.wants('(')?;
            let inner = self.any(at.deeper())?;
            self.wants(')')?;
            return Ok(Filter::Not(Box::new(inner)));
        }
        let path = self.attribute()?;
        if self.takes('[') {
            if at.inside || path.sub.is_some() {
                return self.wrong("brackets follow the name of an attribute once");
            }
            let inner = self.any(At { inside: true, ..at.deeper() })?;
            self.wants(']')?;
            return Ok(Filter::Some(path, Box::new(inner)));
        }
        self.comparison(path)
    }

    /// Whether `not` stands here with a bracket behind it; alone it is the name of an attribute.
    fn is_negation(&self) -> bool {
        let (word, rest) = self.front(|c| !is_name(c));
        word.eq_ignore_ascii_case("not") && rest.trim_start_matches(' ').starts_with('(')
    }

    fn comparison(&mut self, path: AttrPath) -> Read<Filter> {
        self.terms += 1;
        if self.terms > TERMS {
            return self.wrong("it looks at too many attributes");
        }
        if self.word("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = Operator::ALL.into_iter().find(|it| self.word(it.as_str()));
        let Some(operator) = operator else {
            return self
                .wrong("an attribute is followed by eq, ne, co, sw, ew, gt, ge, lt, le or pr");
        };
        Ok(Filter::Compare(path, operator, self.literal()?))
    }

    fn literal(&mut self) -> Read<Literal> {
        self.skip_spaces();
        if self.rest.starts_with('"') {
            return self.text();
        }
        let (word, rest) = self.front(|c| [' ', ')', ']', '('].contains(&c));
        let is = |wanted: &str| word.eq_ignore_ascii_case(wanted);
        let number = || {
            // What JSON calls a number; "inf" and "nan" are none.
            let plain = word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
            word.parse::<f64>().ok().filter(|number| plain && number.is_finite())
        };
        let literal = match () {
            () if is("true") => Literal::Bool(true),
            () if is("false") => Literal::Bool(false),
            () if is("null") => Literal::Null,
            () => match number() {
                Some(number) => Literal::Number(number),
                None => {
                    return self.wrong("a value is a text in \"\", a number, true, false or null");
                }
            },
        };
        self.rest = rest;
        Ok(literal)
    }

    /// A text as JSON has it.
    fn text(&mut self) -> Read<Literal> {
        let mut escaped = false;
        let closing = self.rest.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        let split = closing.and_then(|(at, _)| self.rest.split_at_checked(at + 1));
        let Some((quoted, rest)) = split else { return self.wrong("a text has no end") };
        let Ok(Value::String(text)) = serde_json::from_str(quoted) else {
            return self.wrong("a text is not written as JSON has it");
        };
        self.rest = rest;
        Ok(Literal::Text(text))
    }
}

fn together(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}
