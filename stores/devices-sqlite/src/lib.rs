//! Keeps the devices service's promises in a SQLite file.
