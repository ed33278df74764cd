//! `find(text, pattern)`: what a regular expression finds in a text.
//!
//! Owns only the function's name; `patterns` compiles and matches.

use rhai::{Dynamic, Engine, EvalAltResult};

use crate::script::api::patterns::Patterns;

pub(super) fn register(engine: &mut Engine, patterns: &Patterns) {
    let patterns = patterns.clone();
    engine.register_fn(
        "find",
        move |text: &str, pattern: &str| -> Result<Dynamic, Box<EvalAltResult>> {
            patterns.find(text, pattern)
        },
    );
}
