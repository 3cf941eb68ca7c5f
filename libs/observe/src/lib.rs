//! Logs and metrics of the platform's own processes.
