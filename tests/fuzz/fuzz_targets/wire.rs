//! Any bytes as what master and workers send each other, by the code of the tests.
//! The first byte says which kind of message they are.
#![no_main]

#[path = "../../it/mutants/wired.rs"]
mod wired;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wired::wired(bytes));
