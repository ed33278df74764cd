//! `find(text, pattern)`: what a regular expression finds in a text.
//!
//! Patterns themselves are `patterns`'s.

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
