//! Results on stdout, for programs and pipes.
//!
//! Owns what follows if they cannot be written.

use std::io::{ErrorKind, Write};

use super::Exit;
use crate::screen::show::error;

/// Writes a result to stdout. A reader that has gone, such as `head`, has read enough.
pub(super) fn print(text: &[u8]) -> Exit {
    let mut stdout = std::io::stdout().lock();
    written(stdout.write_all(text).and_then(|()| stdout.flush()))
}

/// Prints what clap returns instead of arguments: help and the version are results, everything else
/// is wrong usage.
pub(super) fn usage(error: &clap::Error) -> Exit {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match error.use_stderr() {
        true => Exit::Usage,
        false => written(printed),
    }
}

fn written(result: std::io::Result<()>) -> Exit {
    match result {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => {
            error(&format!("cannot write to stdout: {why}"), None);
            Exit::Incomplete
        }
        _ => Exit::Ok,
    }
}
