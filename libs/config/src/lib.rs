//! Settings from defaults, a file, the environment and flags, with every mistake reported at once.
