//! From a text to an expression, within limits: what is too deep, too long or too large is refused
//! before the parser or the expressions' compiler spends anything on it.

use std::borrow::Cow;

use lrpar::{Lexeme as _, Lexer as _, NonStreamingLexer as _};
use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::token::{
    T_ADD, T_AT, T_ATAN2, T_COLON, T_DIV, T_DURATION, T_EQL_REGEX, T_EQLC, T_FILL, T_FILL_LEFT,
    T_FILL_RIGHT, T_GTE, T_GTR, T_LAND, T_LEFT_BRACE, T_LEFT_BRACKET, T_LEFT_PAREN, T_LOR, T_LSS,
    T_LTE, T_LUNLESS, T_MOD, T_MUL, T_NEQ, T_NEQ_REGEX, T_NUMBER, T_OFFSET, T_POW, T_RIGHT_BRACE,
    T_RIGHT_BRACKET, T_RIGHT_PAREN, T_STRING, T_SUB,
};
use promql_parser::parser::{self, Expr};
use promql_parser::util::{parse_str_radix, unquote_string};
use regex::{Regex, RegexBuilder};

use crate::types::NAME;
use crate::{Error, MatchKind, Matcher};

/// A query's text at most, bytes.
const MAX_TEXT: usize = 10_000;
/// Brackets in brackets at most. Evaluating is recursive, and a stack is small.
const MAX_DEPTH: usize = 50;
/// Operators and signs at most: a chain of them is as deep as it is long.
const MAX_OPERATORS: usize = 150;
/// Regular expressions at most.
const MAX_REGEXES: usize = 50;
/// Bytes that one compiled regular expression may take.
const MAX_REGEX_BYTES: usize = 512 << 10;
/// The longest duration, as in Prometheus: what fits into nanoseconds (292 years).
const MAX_SECONDS: f64 = 9_223_372_036.0;

/// The instant farthest from 1970, seconds.
const MAX_INSTANT: f64 = 9e12;

/// Whether `text` is PromQL that can be evaluated at an instant.
pub fn check(text: &str) -> Result<(), Error> {
    parse(text).map(drop)
}

/// Writes a query in the usual layout.
pub fn format(text: &str) -> Result<String, Error> {
    Ok(parse(text)?.prettify())
}

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Expr, Error> {
    if text.len() > MAX_TEXT {
        return Err(Error::Parse(format!("the query is longer than {MAX_TEXT} bytes")));
    }
    let text = guard(text)?;
    parser::parse(&text).map_err(Error::Parse)
}

/// Reads a selector such as `up{job="a"}`, as `match[]` has it. Several alternatives
/// (`{a="1" or b="2"}`) are not among what Prometheus takes.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let Expr::VectorSelector(selector) = parse(text)? else {
        return Err(Error::Parse("a series selector is expected".to_owned()));
    };
    matchers(selector.name.as_deref(), &selector.matchers)
}

/// What has been seen of a query's words.
#[derive(Default)]
struct Guard {
    depth: usize,
    operators: usize,
    regexes: usize,
}

/// Looks at the words of a query, which is cheap, before it is parsed. Gives the text as the parser
/// takes it: it does not know `offset 0s`.
fn guard(text: &str) -> Result<Cow<'_, str>, Error> {
    let lexer = parser::lexer(text).map_err(Error::Parse)?;
    let lexemes: Vec<_> = lexer.iter().filter_map(Result::ok).collect();
    let words: Vec<(u16, &str)> =
        lexemes.iter().map(|word| (word.tok_id(), lexer.span_str(word.span()))).collect();
    let (mut guard, mut taken) = (Guard::default(), Cow::Borrowed(text));
    for (at, word) in words.iter().enumerate().rev() {
        let before = words.get(..at).unwrap_or_default();
        guard.word(*word, before)?;
        let last = before.last().map(|word| word.0);
        if word.0 == T_DURATION && last == Some(T_OFFSET) && spelled_seconds(word.1) == Some(0.0) {
            let Some(lexeme) = lexemes.get(at) else { continue };
            let span = lexeme.span();
            taken.to_mut().replace_range(span.start()..span.end(), "0");
        }
    }
    Ok(taken)
}

impl Guard {
    fn word(&mut self, (kind, text): (u16, &str), before: &[(u16, &str)]) -> Result<(), Error> {
        let behind = |back: usize| {
            let at = before.len().checked_sub(back);
            at.and_then(|at| before.get(at)).map(|word| word.0)
        };
        match kind {
            T_LEFT_PAREN if matches!(behind(1), Some(T_FILL | T_FILL_LEFT | T_FILL_RIGHT)) => {
                return Err(Error::Parse("fill modifiers are not supported".to_owned()));
            }
            // Read from the end.
            T_RIGHT_PAREN | T_RIGHT_BRACKET | T_RIGHT_BRACE => self.depth += 1,
            T_LEFT_PAREN | T_LEFT_BRACKET | T_LEFT_BRACE => {
                self.depth = self.depth.saturating_sub(1);
            }
            T_ADD | T_SUB | T_MUL | T_DIV | T_MOD | T_POW | T_ATAN2 | T_EQLC | T_NEQ | T_GTR
            | T_LSS | T_GTE | T_LTE | T_LAND | T_LOR | T_LUNLESS => self.operators += 1,
            T_STRING if matches!(behind(1), Some(T_EQL_REGEX | T_NEQ_REGEX)) => {
                self.regexes += 1;
                if self.regexes <= MAX_REGEXES {
                    anchored(&unquote_string(text).map_err(Error::Parse)?)?;
                }
            }
            T_DURATION => duration(spelled_seconds(text))?,
            T_NUMBER if is_duration(behind(1), behind(2)) => {
                duration(parse_str_radix(text).ok())?;
            }
            T_NUMBER if follows(T_AT, behind(1), behind(2)) => {
                let far = parse_str_radix(text).is_ok_and(|at| at.abs() > MAX_INSTANT);
                if far {
                    let why = format!("timestamp out of bounds for @ modifier: {text}");
                    return Err(Error::Parse(why));
                }
            }
            _ => {}
        }
        let limits = [
            (self.depth, MAX_DEPTH, "levels of brackets"),
            (self.operators, MAX_OPERATORS, "operators"),
            (self.regexes, MAX_REGEXES, "regular expressions"),
        ];
        match limits.iter().find(|(count, most, _)| count > most) {
            Some((_, most, what)) => {
                Err(Error::Parse(format!("the query has more than {most} {what}")))
            }
            None => Ok(()),
        }
    }
}

/// Whether a number behind these two words is a duration in seconds.
fn is_duration(before: Option<u16>, first: Option<u16>) -> bool {
    matches!(before, Some(T_LEFT_BRACKET | T_COLON)) || follows(T_OFFSET, before, first)
}

/// Whether what is behind these two words belongs to `word`, with or without a sign.
fn follows(word: u16, before: Option<u16>, first: Option<u16>) -> bool {
    before == Some(word) || (matches!(before, Some(T_ADD | T_SUB)) && first == Some(word))
}

/// The parser leaves out or gives up on what is too large.
fn duration(seconds: Option<f64>) -> Result<(), Error> {
    match seconds {
        Some(seconds) if (0.0..=MAX_SECONDS).contains(&seconds) => Ok(()),
        _ => Err(Error::Parse("duration out of range".to_owned())),
    }
}

/// The length of a duration such as `1h30m`, whose parts the parser takes up to 2^32.
fn spelled_seconds(text: &str) -> Option<f64> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, left) = after.split_at_checked(end)?;
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "y" => 31_536_000.0,
            _ => return None,
        };
        total += f64::from(number.parse::<u32>().ok()?) * seconds;
        rest = left;
    }
    Some(total)
}

/// The parser's matchers as ours.
pub(crate) fn matchers(name: Option<&str>, parsed: &Matchers) -> Result<Vec<Matcher>, Error> {
    if !parsed.or_matchers.is_empty() {
        return Err(Error::Parse("`or` between matchers is not PromQL".to_owned()));
    }
    let mut list = Vec::with_capacity(parsed.matchers.len() + 1);
    if let Some(name) = name {
        let (value, kind) = (name.to_owned(), MatchKind::Equal);
        list.push(Matcher { name: NAME.to_owned(), value, kind });
    }
    for matcher in &parsed.matchers {
        let kind = match &matcher.op {
            MatchOp::Equal => MatchKind::Equal,
            MatchOp::NotEqual => MatchKind::NotEqual,
            MatchOp::Re(_) => MatchKind::Regex(anchored(&matcher.value)?),
            MatchOp::NotRe(_) => MatchKind::NotRegex(anchored(&matcher.value)?),
        };
        list.push(Matcher { name: matcher.name.clone(), value: matcher.value.clone(), kind });
    }
    Ok(list)
}

/// A regular expression as PromQL means it: the whole value, `.` also a line feed.
pub(crate) fn anchored(text: &str) -> Result<Regex, Error> {
    // Alone first: `a)|(b` is an expression only once something stands around it.
    compiled(text, str::to_owned)?;
    surrounded(text)
}

/// As [`anchored`], also for what is an expression only once something stands around it: so does
/// `label_replace` take it.
pub(crate) fn surrounded(text: &str) -> Result<Regex, Error> {
    compiled(text, |text| format!("^(?s:{text})$"))
}

fn compiled(text: &str, around: fn(&str) -> String) -> Result<Regex, Error> {
    let build = |text: &str| {
        let built = RegexBuilder::new(&around(text)).size_limit(MAX_REGEX_BYTES).build();
        built.map_err(|error| Error::Parse(format!("error parsing regexp: {error}")))
    };
    build(text).or_else(|error| {
        // In Go's syntax a brace that begins no repetition is a brace.
        let literal = literal_braces(text);
        if literal == text { Err(error) } else { build(&literal).map_err(|_| error) }
    })
}

/// With a backslash before each brace that begins no repetition.
fn literal_braces(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '{' && !repeats(rest.as_str()) {
            escaped.push('\\');
        }
        escaped.push(c);
        if c == '\\' {
            escaped.extend(rest.next());
        }
    }
    escaped
}

/// Whether `text`, behind an opening brace, is the rest of a repetition: `2}`, `2,}` or `2,3}`.
fn repeats(text: &str) -> bool {
    let Some((counts, _)) = text.split_once('}') else { return false };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match counts.split_once(',') {
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
        None => number(counts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text:.60}: {error}");
    }

    #[test]
    fn what_could_exhaust_stack_time_or_memory_is_refused_at_once() {
        refused(&vec!["1"; 2_000].join("+"), "more than 150 operators");
        refused(&vec!["a"; 1_000].join(" or "), "more than 150 operators");
        refused(&format!("{}1", "-".repeat(5_000)), "more than 150 operators");
        refused(&format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000)), "levels of brackets");
        refused(r#"{a=~"(\\pL{100}){100}"}"#, "size limit");
        refused(r#"{a=~"(\x5cpL{100}){100}"}"#, "size limit");
        let many = vec![r#"a=~"\\pL{2}""#; 300].join(",");
        refused(&format!("{{{many}}}"), "more than 50 regular expressions");
        refused(r#"{a=~"a)|(b"}"#, "error parsing regexp");
    }

    #[test]
    fn durations_beyond_prometheus_are_refused() {
        for text in [
            "m[1e30]",
            "m[5m:1e30]",
            "m offset 1e30",
            "m offset -inf",
            "m[99999999999s]",
            "m[1h5000000000ms]",
            "m[400y]",
        ] {
            refused(text, "duration out of range");
        }
        for text in ["m[1e3]", "m[1e3:1]", "m offset -1.5", "m[290y]", "1e30 + 2"] {
            parse(text).unwrap();
        }
    }

    #[test]
    fn a_query_at_its_limits_fits_a_small_stack() {
        let deep = format!("{}m{}", "abs(".repeat(49), ")".repeat(49));
        let long = [deep.as_str(); 12].join(" + ");
        let chain = format!("{deep} + {}", vec!["m"; 150].join(" or "));
        let work = move || {
            for text in [&deep, &long, &chain] {
                let source = Nothing;
                crate::Engine::default().instant(&source, text, 0).unwrap();
            }
        };
        // Half of what a worker has by default.
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap();
        thread.join().unwrap();
    }

    struct Nothing;

    impl crate::Source for Nothing {
        fn select(
            &self,
            _: &[Matcher],
            _: i64,
            _: i64,
            _: &crate::Budget,
        ) -> Result<Vec<crate::Series>, Error> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn regular_expressions_match_whole_values_as_in_go() {
        for (text, value, want) in [
            ("a|b", "ab", false),
            ("a.c", "a\nc", true),
            ("/api/{id}", "/api/{id}", true),
            ("a{2}", "aa", true),
            (r"\{x", "{x", true),
        ] {
            assert_eq!(anchored(text).unwrap().is_match(value), want, "{text}");
        }
    }
}
