//! The health port: whether it is served, and asking it.
//!
//! Owns what is said about it; `health` knows nothing of the command line.

use std::io::ErrorKind;

use clap::Args;

use super::{Exit, result};
use crate::health::{self, Health, MOVES, Part, Question};
use crate::screen::show;
use crate::script::Level;

/// Where whoever runs this process asks whether it works.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct HealthArgs {
    /// Answer /livez and /readyz on this port of all addresses, for Kubernetes and the like; 0 takes
    /// a free one [default: no port].
    #[arg(long, value_name = "PORT", env = "KATYDID_HEALTH_PORT")]
    pub(super) health_port: Option<u16>,
}

/// `katydid health`.
#[derive(Debug, Args)]
pub(super) struct Ask {
    /// Its health port.
    #[arg(long, value_name = "PORT", env = "KATYDID_HEALTH_PORT",
        value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Whether it is ready, too: a master takes workers, a worker has found its master.
    #[arg(long)]
    ready: bool,
}

/// What is noted of this process, answered for where that is asked for.
///
/// # Errors
/// How the process ends if that is not possible; it has been said why.
pub(super) fn start(arguments: &HealthArgs) -> Result<Health, Exit> {
    let health = Health::default();
    let Some(port) = arguments.health_port else {
        return Ok(health);
    };
    match health::serve(port, health.clone()) {
        Ok(address) => {
            let text = format!("/livez and /readyz are on port {}", address.port());
            show::log(Level::Info, &text);
            Ok(health)
        }
        Err(error) => {
            let hint = "`--health-port PORT` takes another port";
            let message =
                format!("cannot answer for this process's health on port {port}: {error}");
            show::error(&message, Some(hint));
            Err(Exit::Usage)
        }
    }
}

/// Notes again and again that the loop which this runs in moves.
pub(super) async fn moving(part: Part) {
    loop {
        part.moves();
        tokio::time::sleep(MOVES).await;
    }
}

/// Asks a process of this machine.
pub(super) fn ask(arguments: &Ask) -> Exit {
    let question = match arguments.ready {
        true => Question::Ready,
        false => Question::Alive,
    };
    match health::ask(arguments.port, question) {
        Ok((true, text)) => result::print(format!("{text}\n").as_bytes()),
        Ok((false, text)) => {
            show::error(&text, None);
            Exit::Failures(1)
        }
        Err(error) => {
            let hint = "is there a Katydid with `--health-port`?";
            let hint = (error.kind() == ErrorKind::ConnectionRefused).then_some(hint);
            let port = arguments.port;
            show::error(&format!("no answer on port {port}: {error}"), hint);
            Exit::Failures(1)
        }
    }
}
