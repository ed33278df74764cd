//! stats: not written yet.
