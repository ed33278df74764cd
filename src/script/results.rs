//! The results that many functions of this layer return.
//!
//! Owns two aliases; errors for people are in `failure` and `diagnostic`.

use rhai::EvalAltResult;

/// The result of a native function, unless it names another error.
pub(super) type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// What is wrong with something that a script declares, and perhaps a hint.
pub(super) type Problem = (String, Option<String>);
