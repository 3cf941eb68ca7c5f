//! What is said when the executable itself fails, and the exit code: one of the eight kinds.

use std::io::ErrorKind;
use std::process::ExitCode;

use openframe_config::Mistakes;
use openframe_fault::{Fault, Kind, chain};
use openframe_sqlite::OpenError;

use crate::progress;

/// Says what failed and what to do about it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return ExitCode::from(openframe_cli::report(fault));
    }
    let kind = kind(error);
    let hint = match kind {
        Kind::Invalid => "see `openframe help`; docs/config.md lists the settings",
        Kind::Unauthenticated | Kind::Forbidden => "run it as the owner of these files",
        Kind::NotFound => "check the name",
        Kind::Conflict => "stop what is in the way, or choose another address or folder",
        Kind::TooMany | Kind::Unavailable => "look at the disk and the network, then try again",
        Kind::Internal => "keep the data folder as it is, and report this with the log",
    };
    progress::error(&format!("error: {}", chain(error.as_ref())));
    progress::error(&format!("hint:  {hint}"));
    ExitCode::from(kind.exit_code())
}

/// The kind of a failure: by the first cause that has one. A mere message refuses what was asked.
fn kind(error: &anyhow::Error) -> Kind {
    let kinds = error.chain().map(|cause| {
        if let Some(fault) = cause.downcast_ref::<Fault>() {
            return Some(fault.kind());
        }
        if cause.is::<Mistakes>() {
            return Some(Kind::Invalid);
        }
        if let Some(OpenError::InUse(_)) = cause.downcast_ref() {
            return Some(Kind::Conflict);
        }
        cause.downcast_ref::<std::io::Error>().map(|error| io_kind(error.kind()))
    });
    let only_a_message = error.source().is_none();
    let otherwise = if only_a_message { Kind::Invalid } else { Kind::Internal };
    kinds.flatten().next().unwrap_or(otherwise)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is open: all others are ours")]
fn io_kind(kind: ErrorKind) -> Kind {
    match kind {
        ErrorKind::AddrInUse | ErrorKind::AlreadyExists => Kind::Conflict,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Kind::Forbidden,
        ErrorKind::NotFound | ErrorKind::NotADirectory => Kind::NotFound,
        ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput => Kind::Invalid,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::TimedOut => {
            Kind::Unavailable
        }
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn each_failure_has_its_kind() {
        let io = |kind| std::io::Error::from(kind);
        let wrapped = |kind| Err::<(), _>(io(kind)).context("`listen`").unwrap_err();
        let in_use = OpenError::InUse("data".into());
        let path = "data".into();
        let cause = io(ErrorKind::PermissionDenied);
        for (error, want) in [
            (anyhow!("not a data folder"), Kind::Invalid),
            (Mistakes(Vec::new()).into(), Kind::Invalid),
            (wrapped(ErrorKind::AddrInUse), Kind::Conflict),
            (in_use.into(), Kind::Conflict),
            (OpenError::NotWritable { path, cause }.into(), Kind::Forbidden),
            (wrapped(ErrorKind::StorageFull), Kind::Unavailable),
            (wrapped(ErrorKind::NotFound), Kind::NotFound),
            (
                Err::<(), _>("x".parse::<u8>().unwrap_err()).context("y").unwrap_err(),
                Kind::Internal,
            ),
            (Fault::new(Kind::TooMany, "x", "y").into(), Kind::TooMany),
        ] {
            assert_eq!(kind(&error), want, "{error:?}");
        }
    }
}
