//! Keeps the monitoring service's promises in a log and a SQLite file.
