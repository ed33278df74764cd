//! The integration tests: one binary, so that it is linked once.
//!
//! Each module tests one promise that no single module of the crate can keep alone.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod source;
mod tidy;
