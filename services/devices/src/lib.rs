//! Which devices exist, what they are, and what they are told to do.
