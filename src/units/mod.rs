//! units: not written yet.
