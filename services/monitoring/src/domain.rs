//! What is true of telemetry: labels, compressed chunks, the series in memory, and the records of
//! the log. Pure: no I/O, no clock, no `async`.

pub mod alert;
pub mod chunk;
pub mod head;
pub mod labels;
pub mod record;
pub mod refused;
pub mod room;
