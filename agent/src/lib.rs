//! The daemon on a device: enrol, report, obey, buffer.
