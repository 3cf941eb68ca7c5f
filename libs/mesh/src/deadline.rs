//! Until when an answer is of use: told to the called service, and by it to those that it calls.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

/// How many milliseconds the caller waits yet. A length, not a moment: clocks differ.
const LEFT: HeaderName = HeaderName::from_static("openframe-timeout-ms");

/// Longer than anybody waits: keeps sums within the clock's range.
const LONGEST: Duration = Duration::from_hours(24);

tokio::task_local! {
    /// The end of the request that is being answered.
    static END: Instant;
}

/// How long a call may take: `limit`, or less when the one that is being answered ends before.
pub(crate) fn left(limit: Duration) -> Duration {
    let end = END.try_with(|end| *end).ok();
    let left = end.map(|end| end.saturating_duration_since(openframe_clock::monotonic()));
    left.map_or(limit, |left| left.min(limit))
}

/// Tells the called service.
pub(crate) fn tell(headers: &mut HeaderMap, left: Duration) {
    let ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    headers.insert(LEFT, HeaderValue::from(ms));
}

/// How long the caller of a request waits, if it says so.
pub(crate) fn told(headers: &mut HeaderMap) -> Option<Duration> {
    let ms = headers.remove(LEFT)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(ms).min(LONGEST))
}

/// Answers within `left`, if that is known; none when it is over.
pub(crate) async fn within<T>(
    left: Option<Duration>,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let Some(left) = left else { return Some(answer.await) };
    let end = openframe_clock::monotonic() + left;
    tokio::time::timeout(left, END.scope(end, answer)).await.ok()
}
