//! output: not written yet.
