//! runner: not written yet.
