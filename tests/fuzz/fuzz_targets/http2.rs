//! Any bytes as the answer to two requests over HTTP/2, by the code of the tests.
//! Redirects are not followed.
#![no_main]

#[path = "../../it/mutants/answered.rs"]
mod answered;

use katydid::http::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| answered::answered(bytes, Protocol::Http2));
