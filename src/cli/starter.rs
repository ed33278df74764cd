//! `katydid new`: a commented script to start from.
//!
//! The README shows the same text, which a test ensures.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::Exit;
use crate::screen::show;

/// The starter script.
const STARTER: &str = include_str!("starter.rhai");

/// Writes the starter to `path`; an existing file is left alone.
pub(super) fn write(path: &Path) -> Exit {
    let shown = path.display();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(STARTER.as_bytes()));
    match written {
        Ok(()) => {
            let text = format!(
                "wrote {shown}: try it with `katydid -f {shown} -H http://127.0.0.1:8080 -u 10 -r 5 \
                 -t 10s --headless` against `katydid target`"
            );
            show::log(crate::script::Level::Info, &text);
            Exit::Ok
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            show::error(
                &format!("`{shown}` exists already"),
                Some("choose another name"),
            );
            Exit::Usage
        }
        Err(error) => {
            show::error(&format!("cannot write `{shown}`: {error}"), None);
            Exit::Usage
        }
    }
}
