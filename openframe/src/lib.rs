//! The one executable: read the settings, choose the roles, wire, run, drain.
