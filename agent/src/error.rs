//! Everything that can go wrong for whoever runs the agent, and what to do about it.

use std::path::PathBuf;

use http::{Response, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use openframe_agent_api::CLOCK_OFF;
use openframe_fault::{Fault, Kind};

/// Any cause. Only ever logged.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, in the words of the person at the device.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The enrolment token has no pin or is cut short.
    #[error("the enrolment token is not whole")]
    BadToken,
    /// The server's address cannot be used.
    #[error("`{0}` is not an address such as https://openframe.example.com")]
    BadServer(String),
    /// The server's certificate is not the one expected.
    #[error("the server at {server} is not the one this device was told to trust")]
    NotTheServer {
        /// Its address.
        server: String,
        /// What TLS said.
        #[source]
        cause: Cause,
    },
    /// No connection, or it broke.
    #[error("cannot reach {server}")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The platform said no.
    #[error("the platform refused: {}", .0.message())]
    Refused(#[source] Fault),
    /// The platform takes no signature by a clock that is too far off; this is the time there.
    #[error("the clock of this device is off: for the platform it is {0}")]
    ClockOff(Timestamp),
    /// The platform's answer makes no sense.
    #[error("the answer of the platform cannot be understood")]
    BadAnswer(#[source] Cause),
    /// The state folder cannot be read or written.
    #[error("cannot use {}", path.display())]
    State {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The settings file has a mistake.
    #[error("{}: {message}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Which mistake.
        message: String,
    },
    /// Another agent uses the same state folder.
    #[error("another agent is running with {}", .0.display())]
    Running(PathBuf),
    /// The platform does not count this device any more.
    #[error("this device was retired: the platform does not count it any more")]
    Retired,
    /// There is no identity yet.
    #[error("this device is not enrolled")]
    NotEnrolled,
    /// Only root may do this.
    #[error("this needs root; run: {0}")]
    NotRoot(String),
    /// A key or certificate cannot be made or used.
    #[error("a key or certificate cannot be used")]
    Certificate(#[source] Cause),
    /// A system tool failed.
    #[error("`{0}` failed")]
    Tool(String),
}

impl Error {
    /// What an answer means that is none of success.
    pub(crate) fn refused(answer: &Response<impl AsRef<[u8]>>) -> Self {
        let fault = Fault::from_answer(answer.status(), answer.body().as_ref());
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        match date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok()) {
            Some(there) if fault.code() == CLOCK_OFF => Self::ClockOff(there),
            Some(_) | None => Self::Refused(fault),
        }
    }

    /// Whether the platform does not count this device any more.
    pub fn is_retired(&self) -> bool {
        matches!(self, Self::Retired)
            || matches!(self, Self::Refused(fault) if fault.code() == "bad_device")
    }

    /// How to treat it; also gives the exit code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadToken | Self::BadServer(_) | Self::Settings { .. } | Self::NotRoot(_) => {
                Kind::Invalid
            }
            Self::NotTheServer { .. } | Self::Retired => Kind::Forbidden,
            Self::ClockOff(_) => Kind::Unauthenticated,
            Self::Unreachable { .. } => Kind::Unavailable,
            Self::Refused(fault) => fault.kind(),
            Self::NotEnrolled => Kind::NotFound,
            Self::Running(_) => Kind::Conflict,
            Self::BadAnswer(_) | Self::State { .. } | Self::Certificate(_) | Self::Tool(_) => {
                Kind::Internal
            }
        }
    }

    /// One line that says what to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::BadToken => "copy the whole line that `openframe enrol-token create` printed",
            Self::BadServer(_) => "give the address that a browser opens, with https://",
            Self::NotTheServer { .. } => {
                "check the address; if it is right, ask for a new enrolment token: never go on"
            }
            Self::Unreachable { .. } => {
                "check the address, the network and the firewall (port 443 out)"
            }
            Self::Refused(fault) => refusal_advice(fault.kind()),
            Self::ClockOff(_) => "set this device's clock",
            Self::BadAnswer(_) => "check that the address is an OpenFrame platform of this version",
            Self::State { .. } => {
                "check the folder's owner and free space, or choose one with --state"
            }
            Self::Settings { .. } => "correct the file; the guide lists every setting",
            Self::Running(_) => "stop the other one first",
            Self::Retired => {
                "to join again, enrol with a new token: `openframe-agent enrol --again …`"
            }
            Self::NotEnrolled => "run `openframe-agent enrol --server URL --token TOKEN`",
            Self::NotRoot(_) => "or ask the administrator of this machine",
            Self::Certificate(_) => {
                "keep the state folder for a report, then enrol with a new token"
            }
            Self::Tool(_) => "run it by hand to see why",
        }
    }
}

/// What helps when the platform refuses.
fn refusal_advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthenticated | Kind::Forbidden | Kind::NotFound => {
            "the token is wrong, used up or expired: ask for a new one"
        }
        Kind::TooMany | Kind::Unavailable => "wait a little and try again",
        Kind::Invalid | Kind::Conflict | Kind::Internal => {
            "check that agent and platform have the same version"
        }
    }
}
