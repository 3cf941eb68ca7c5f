//! What is signed: the signature base (RFC 9421, 2.5).

use http::header::HOST;
use http::{HeaderMap, Request};

use crate::fields::{Input, quoted};

/// The port of `https`, which is not said where it is the usual one (RFC 9110, 4.2.3).
const USUAL_PORT: &str = ":443";

/// The text that a signature with this input is of. `value` knows each component's; `None` when one has
/// none.
pub(crate) fn base(input: &Input, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let line = |name: &String| Some(format!("{}: {}", quoted(name), value(name)?));
    let mut lines: Vec<String> = input.components.iter().map(line).collect::<Option<_>>()?;
    lines.push(format!("\"@signature-params\": {input}"));
    Some(lines.join("\n"))
}

/// The value of a component of a request (2.1, 2.2).
pub(crate) fn component<B>(request: &Request<B>, name: &str) -> Option<String> {
    let uri = request.uri();
    match name {
        "@method" => Some(request.method().to_string()),
        "@authority" => authority(request),
        "@path" => Some(if uri.path().is_empty() { "/" } else { uri.path() }.to_owned()),
        "@query" => Some(format!("?{}", uri.query().unwrap_or_default())),
        _ if name.starts_with('@') => None,
        _ => field(request.headers(), name),
    }
}

fn authority<B>(request: &Request<B>) -> Option<String> {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = named.or(request.uri().authority().map(http::uri::Authority::as_str))?;
    let authority = authority.to_ascii_lowercase();
    Some(authority.strip_suffix(USUAL_PORT).unwrap_or(&authority).to_owned())
}

fn field(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().map(str::trim));
    let lines: Vec<&str> = lines.collect::<Result<_, _>>().ok()?;
    (!lines.is_empty()).then(|| lines.join(", "))
}
