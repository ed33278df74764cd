//! `katydid target`: the embedded demo server, until it is stopped.
//!
//! The server itself is in `target`.

use std::io::{self, Write};
use std::net::SocketAddr;

use super::{Exit, arguments, health, signals};
use crate::control::{self, Interrupts};
use crate::health::Health;
use crate::screen::show;
use crate::target::{Options, Target};

/// Serves until Ctrl-C or SIGTERM; prints its address on stdout.
pub(super) fn serve(arguments: &arguments::Target) -> Exit {
    control::raise_open_files();
    let health = match health::start(&arguments.health) {
        Ok(health) => health,
        Err(exit) => return exit,
    };
    let options = Options {
        address: SocketAddr::new(arguments.host, arguments.port),
        threads: arguments
            .threads
            .unwrap_or_else(|| control::cores() as usize),
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| runtime.block_on(announce_and_wait(&target, health)));
    target.stop();
    match ended {
        Ok(()) => Exit::Ok,
        Err(error) => {
            show::error(&format!("cannot wait for Ctrl-C: {error}"), None);
            Exit::Incomplete
        }
    }
}

async fn announce_and_wait(target: &Target, health: Health) -> io::Result<()> {
    // Before the address is printed: its reader may stop the server at once.
    let mut interrupts = Interrupts::listen(signals::take)?;
    let mut stdout = io::stdout().lock();
    // If stdout is gone, there is nowhere to report that.
    let _ = writeln!(stdout, "http://{}", target.address()).and_then(|()| stdout.flush());
    drop(stdout);
    health.set_ready(true);
    tokio::select! {
        () = interrupts.next() => {}
        () = health::moving(health.part("the control thread")) => {}
    }
    Ok(())
}
