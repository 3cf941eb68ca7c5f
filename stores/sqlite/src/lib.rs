//! How an embedded SQLite file is opened, and the lock of the data folder.
