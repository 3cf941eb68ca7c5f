//! From the gateway to the service behind a route.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE};
use openframe_auth_api::AUTHORIZATION_SHOWN;
use openframe_fault::{Fault, Kind, REQUEST_ID};
use openframe_mesh::{Peer, identity, in_time};
use openframe_signatures::Digest;
use openframe_tokens::Caller;
use tokio::time::{Duration, timeout};

use super::Shared;
use crate::headers;
use crate::routes::{Access, Size, Target};
use crate::signed::check_body;

/// How long a service may work on a change after its caller has stopped waiting.
const WORK_LIMIT: Duration = Duration::from_mins(5);

/// Where a request goes, and how much it may bring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) target: Target,
    pub(super) size: Size,
    /// Whether nobody known sends it.
    pub(super) open: bool,
    /// What its sender has signed that it brings.
    pub(super) body: Option<Digest>,
}

impl Shared {
    pub(super) fn peer(&self, target: Target) -> &Peer {
        let [auth, devices, monitoring] = &self.peers;
        match target {
            Target::Devices => devices,
            Target::Monitoring => monitoring,
            Target::Auth | Target::Health | Target::OpenApi => auth,
        }
    }

    /// Sends a request on, in the caller's name. The caller is known before the body is read, so
    /// that nobody unknown can make the gateway hold large bodies.
    pub(super) async fn forward(
        &self,
        way: Way,
        request: Request,
        caller: &Caller,
    ) -> Result<Response, Fault> {
        let (mut head, content) = request.into_parts();
        if way.size != Size::Write && headers::is_encoded(&head.headers) {
            let message = "send the body without compression";
            return Err(Fault::invalid("encoded_body", message)
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let taken = self.intake.read(&self.config, (way.size, way.open), content).await?;
        check_body(way.body, &taken.bytes)?;
        let token = self.identity.token(caller, way.target.name()).await;
        identity::insert(&mut head.headers, &token);
        head.version = http::Version::HTTP_11;
        let safe = head.method.is_safe();
        let request = Request::from_parts(head, Body::from(taken.bytes));
        let (peer, held) = (self.peer(way.target).clone(), taken.held);
        let work = async move {
            let answer = peer.send(request).await;
            drop(held);
            answer
        };
        if safe { in_time(work).await } else { in_time(self.to_its_end(work)).await }
    }

    /// Does `work` in a task of its own: a change that was begun is done whole, whether or not the
    /// one who asked for it still waits.
    async fn to_its_end(
        &self,
        work: impl Future<Output = Result<Response, Fault>> + Send + 'static,
    ) -> Result<Response, Fault> {
        let task = self.work.spawn(timeout(WORK_LIMIT, work));
        let ended = task.await.map_err(|error| {
            Fault::new(Kind::Internal, "internal", "something went wrong on our side")
                .because(error)
        })?;
        ended.map_err(|late| {
            Fault::unavailable("peer_too_slow", "a part of the platform did not answer in time")
                .because(late)
        })?
    }
}

/// Takes away every forged header, and every secret but those that the service itself is to be shown.
pub(super) fn headers_for_service(headers: &mut http::HeaderMap, remote: &str, access: Access) {
    let id = headers.get(REQUEST_ID).cloned();
    headers::clean(headers, remote);
    if !access.is_open() {
        headers.remove(COOKIE);
    }
    // Its own place is taken by the internal token.
    let shown = headers.remove(AUTHORIZATION).filter(|_| access == Access::Protocol);
    headers.extend(shown.map(|shown| (AUTHORIZATION_SHOWN, shown)));
    // The body is read here and sent on whole, with a length of its own.
    headers.remove(CONTENT_LENGTH);
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};

    use super::*;

    // ASVS 10.1.1
    #[test]
    fn no_service_sees_what_its_caller_has_shown() {
        let shown = || {
            let pairs = [
                (COOKIE, "__Host-of_sid=of_sid_x; other=y"),
                (AUTHORIZATION, "Bearer of_at_x"),
                (AUTHORIZATION_SHOWN, "Bearer of_ak_x"),
                (HeaderName::from_static("proxy-authorization"), "Bearer of_rt_x"),
            ];
            pairs.map(|(name, value)| (name, http::HeaderValue::from_static(value)))
        };
        let left = |access| {
            let mut headers = HeaderMap::from_iter(shown());
            headers_for_service(&mut headers, "192.0.2.1", access);
            let secrets =
                headers.iter().filter(|(_, value)| value.to_str().unwrap().contains("of_"));
            let names = secrets.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            names.collect::<Vec<_>>()
        };
        assert_eq!(left(Access::Known), [""; 0]);
        // Where a service itself has to judge it, it sees that and nothing else.
        let cookie = "cookie: __Host-of_sid=of_sid_x; other=y";
        assert_eq!(left(Access::Anybody), [cookie]);
        let told = format!("{AUTHORIZATION_SHOWN}: Bearer of_at_x");
        assert_eq!(left(Access::Protocol), [cookie, &told]);
    }
}
