//! Any text through the load-time check, by the code of the tests.
//! Imports are not read: there is no folder.
#![no_main]

#[path = "../../it/mutants/checked.rs"]
mod checked;

use katydid::script::Bundle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    checked::check(&Bundle::from_text("fuzz.rhai", text));
});
