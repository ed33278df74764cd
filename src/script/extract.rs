//! What a script finds in a response by regular expression.
//!
//! Owns only the members of responses; patterns are `patterns`'s.

use rhai::{Dynamic, Engine, EvalAltResult};

use super::patterns::Patterns;
use super::response::Response;

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    let patterns = Patterns::default();
    let all = patterns.clone();
    engine
        .register_fn(
            "find",
            move |r: &mut Response, pattern: &str| -> Result<Dynamic> {
                patterns.find(&r.0.text()?, pattern)
            },
        )
        .register_fn(
            "find_all",
            move |r: &mut Response, pattern: &str| -> Result<Dynamic> {
                all.find_all(&r.0.text()?, pattern)
            },
        );
}
