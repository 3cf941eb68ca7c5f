//! Keeps the auth service's promises in a SQLite file.
