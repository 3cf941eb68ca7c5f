//! What is true of devices and commands. Pure: no I/O, no clock, no `async`.

mod command;
mod cursor;
mod device;
pub mod index;
mod inventory;
mod presence;
mod text;

pub use command::{
    AWAY_GRACE, Chunk, Command, REPORT_GRACE, Report, ReportedState, SENT_GRACE, State, Stream,
    append, cancel, due, expire, pushed, report, returned,
};
pub use cursor::{Key, from_hex, hex};
pub use device::{Change, Device, Facts, Hello, tags, text};
pub use inventory::{SECTIONS, Seen, Version, check, placed};
pub use presence::{Goodbye, Link, Presence, SILENCE_LIMIT};
pub use text::Decoder;
