//! target: not written yet.
