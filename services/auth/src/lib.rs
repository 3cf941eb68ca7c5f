//! Who may do what: people, sessions, keys, devices' certificates and the audit trail.
