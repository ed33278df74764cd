//! What many functions of this layer return: a native's result, and what is wrong with an option.

use rhai::EvalAltResult;

/// The result of a native function, unless it names another error.
pub(super) type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// What is wrong with something that a script declares, and perhaps a hint.
pub(super) type Problem = (String, Option<String>);
