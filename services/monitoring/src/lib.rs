//! What devices measure: taken, kept, queried and alerted on.
