//! The web console, built into the executable.
