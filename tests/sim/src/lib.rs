//! Many agents in one process, with faults and a fixed seed.
