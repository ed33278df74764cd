//! vu: not written yet.
