//! An append-only log on disk: checksummed frames, group commit, nothing acknowledged is lost.
