//! `katydid target`: the embedded demo server, until it is stopped.
//!
//! The server itself is in `target`.

use std::io::Write;
use std::net::SocketAddr;

use super::{Exit, arguments, limits, show};
use crate::target::{Options, Target};

/// Serves until Ctrl-C or SIGTERM; prints its address on stdout.
pub(super) fn serve(arguments: &arguments::Target) -> Exit {
    limits::raise_open_files();
    let options = Options {
        address: SocketAddr::new(arguments.host, arguments.port),
        threads: arguments
            .threads
            .unwrap_or_else(|| limits::cores() as usize),
        stock: arguments.stock,
    };
    let address = options.address;
    let target = match Target::start(options) {
        Ok(target) => target,
        Err(error) => {
            let hint = "`--port 0` takes a free port";
            show::error(&format!("cannot listen on {address}: {error}"), Some(hint));
            return Exit::Usage;
        }
    };
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "http://{}", target.address()).and_then(|()| stdout.flush());
    drop(stdout);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(limits::interrupted())) {
        Ok(()) => {
            target.stop();
            Exit::Ok
        }
        Err(error) => {
            show::error(&format!("cannot wait for Ctrl-C: {error}"), None);
            Exit::Incomplete
        }
    }
}
