//! load: not written yet.
