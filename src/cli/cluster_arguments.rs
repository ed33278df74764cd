//! Arguments about master and workers.
//!
//! Owns what is wrong with them; `cluster` knows nothing of the command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::cluster_tls_arguments::ClusterTlsArgs;
use super::token;
use super::typed::Typed;
use crate::cluster::{self, NotReadable, StateFile};
use crate::control::WishError;
use crate::units;

/// The port between master and workers, as Locust's.
const PORT: u16 = 5557;

const TOKEN_FILE: &str = "--cluster-token-file";

/// How long a worker waits for its token: its master may start at the same time.
pub(super) const TOKEN_COMES: Duration = Duration::from_secs(60);

/// One run over several processes or machines.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Master and workers")]
pub(super) struct ClusterArgs {
    /// Make no load here: wait for workers, and run the script on them.
    #[arg(long, env = "KATYDID_MODE_MASTER", value_parser = FalseyValueParser::new())]
    pub(super) master: bool,
    /// Make load for a master, which has the script and everything it needs.
    #[arg(long, env = "KATYDID_MODE_WORKER", conflicts_with = "master",
        value_parser = FalseyValueParser::new())]
    pub(super) worker: bool,
    /// Where the master is [default: 127.0.0.1].
    #[arg(long, value_name = "HOST", env = "KATYDID_MASTER_NODE_HOST")]
    pub(super) master_host: Option<String>,
    /// Its port [default: 5557].
    #[arg(long, value_name = "PORT", env = "KATYDID_MASTER_NODE_PORT")]
    pub(super) master_port: Option<u16>,
    /// Address on which the master waits for workers, `*` for all; other than loopback takes a token
    /// [default: 127.0.0.1].
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "KATYDID_MASTER_BIND_HOST",
        value_parser = address
    )]
    pub(super) master_bind_host: Option<IpAddr>,
    /// Its port; 0 takes a free one [default: 5557].
    #[arg(long, value_name = "PORT", env = "KATYDID_MASTER_BIND_PORT")]
    pub(super) master_bind_port: Option<u16>,
    /// Begin with this many workers [default: 1].
    #[arg(long, value_name = "N", env = "KATYDID_EXPECT_WORKERS")]
    pub(super) expect_workers: Option<u32>,
    /// Give up if they have not come by then [default: never].
    #[arg(long, value_name = "TIME", env = "KATYDID_EXPECT_WORKERS_MAX_WAIT",
        value_parser = units::parse_duration)]
    pub(super) expect_workers_max_wait: Option<Duration>,
    /// Give the users of a worker to the others when nothing was heard of it for so long
    /// [default: 15s].
    #[arg(long, value_name = "TIME", env = "KATYDID_WORKER_TIMEOUT",
        value_parser = units::parse_duration)]
    pub(super) worker_timeout: Option<Duration>,
    /// Keep what the master knows in this file during a run: one that is started again goes on from
    /// it, and loses nothing.
    #[arg(long, value_name = "FILE", env = "KATYDID_STATE")]
    pub(super) state: Option<PathBuf>,
    /// Begin a new run, whatever the state file has.
    #[arg(long, requires = "state")]
    pub(super) fresh: bool,
    /// Go on so long without a master; then stop, and keep the numbers for as long again
    /// [default: 60s].
    #[arg(long, value_name = "TIME", env = "KATYDID_MASTER_TIMEOUT",
        value_parser = units::parse_duration)]
    pub(super) master_timeout: Option<Duration>,
    /// What master and workers have to know, 16 characters at least; `ps` shows it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "KATYDID_CLUSTER_TOKEN",
        hide_env_values = true
    )]
    pub(super) cluster_token: Option<String>,
    /// A file with the token: a master makes it if it is missing, a worker waits for it.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_TOKEN_FILE",
        conflicts_with = "cluster_token"
    )]
    pub(super) cluster_token_file: Option<PathBuf>,
    /// Locust's option; changes nothing, as one process uses all cores.
    #[arg(
        long,
        value_name = "N",
        env = "KATYDID_PROCESSES",
        allow_negative_numbers = true
    )]
    pub(super) processes: Option<i32>,
    /// Locust's option; changes nothing, as users always move when workers come or go.
    #[arg(long)]
    pub(super) enable_rebalancing: bool,
    /// How connections are encrypted.
    #[command(flatten)]
    pub(super) tls: ClusterTlsArgs,
}

/// The options that mean something to a master, or to a worker, alone.
const OF_A_MASTER: [&str; 10] = [
    "--cluster-tls-cert",
    "--cluster-tls-key",
    "--cluster-client-ca",
    "--master-bind-host",
    "--master-bind-port",
    "--expect-workers",
    "--expect-workers-max-wait",
    "--worker-timeout",
    "--state",
    "--fresh",
];
const OF_A_WORKER: [&str; 6] = [
    "--cluster-ca",
    "--cluster-cert",
    "--cluster-key",
    "--master-host",
    "--master-port",
    "--master-timeout",
];

impl ClusterArgs {
    /// Where a master waits for workers.
    pub(super) fn bind(&self) -> SocketAddr {
        let host = self.master_bind_host.unwrap_or(Ipv4Addr::LOCALHOST.into());
        SocketAddr::new(host, self.master_bind_port.unwrap_or(PORT))
    }

    /// How long a silent worker keeps its users.
    ///
    /// # Errors
    /// When a worker would lose them for a short delay, or never.
    pub(super) fn moves(&self) -> Result<Duration, WishError> {
        let moves = self.worker_timeout.unwrap_or(cluster::MOVES);
        let (least, most) = cluster::MOVES_BOUNDS;
        if (least..=most).contains(&moves) {
            return Ok(moves);
        }
        let message = format!("`--worker-timeout` takes {least:?} to {most:?}, not {moves:?}");
        let hint =
            "workers send a sign every second: most links need no more than the default, 15s";
        Err(WishError::new(message).hint(hint))
    }

    /// The host of a worker's master.
    pub(super) fn master_host(&self) -> &str {
        self.master_host.as_deref().unwrap_or("127.0.0.1")
    }

    /// Where what a master knows is kept, and what is there.
    ///
    /// # Errors
    /// When there is a file that cannot be gone on from; it is left as it is.
    pub(super) fn state(&self) -> Result<Option<StateFile>, WishError> {
        let Some(file) = &self.state else {
            return Ok(None);
        };
        let opened = StateFile::open(file, self.fresh);
        opened.map(Some).map_err(|why| {
            let file = file.display();
            let (what, hint) = match why {
                NotReadable::System(error) => (
                    format!("cannot read `{file}`: {error}"),
                    "name a file that this process may read and write",
                ),
                NotReadable::OtherBuild(version) => (
                    format!("`{file}` was written by another build of Katydid ({version})"),
                    "start that one to go on with its run, or begin a new one with `--fresh`",
                ),
                NotReadable::Damaged => (
                    format!("`{file}` is not a state file, or not a whole one"),
                    "it is left as it is; without `--state` a master goes on from its workers, \
                     and `--fresh` begins a new run",
                ),
            };
            WishError::new(format!("`--state`: {what}")).hint(hint)
        })
    }

    /// Where a worker's master is, as host and port.
    pub(super) fn master_address(&self) -> String {
        let host = self.master_host();
        let port = self.master_port.unwrap_or(PORT);
        match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }

    /// What was typed and needs `--master` or `--worker`, neither of which is there.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn check(&self, typed: &Typed) -> Result<(), WishError> {
        let role = |option, role| {
            let error = WishError::new(format!("`{option}` means nothing without `{role}`"));
            Err(error.hint("`--master` waits for workers, `--worker` makes load for a master"))
        };
        match (typed.first(&OF_A_MASTER), typed.first(&OF_A_WORKER)) {
            (Some(option), _) if !self.master => role(option, "--master"),
            (_, Some(option)) if !self.worker => role(option, "--worker"),
            _ => Ok(()),
        }
    }

    /// What is accepted because people know it from Locust, and why it changes nothing.
    pub(super) fn remarks(&self) -> Vec<&'static str> {
        let processes = self.processes.is_some();
        let rebalancing = self.enable_rebalancing;
        [
            (
                processes,
                "`--processes` changes nothing: one process uses all cores (`--threads`)",
            ),
            (
                rebalancing,
                "`--enable-rebalancing` changes nothing: users always move when workers come or go",
            ),
        ]
        .into_iter()
        .filter_map(|(is_given, remark)| is_given.then_some(remark))
        .collect()
    }

    /// The token of a master, and its file if that was made just now; empty for none.
    ///
    /// # Errors
    /// When its file can be neither read nor made, it is too short, or there has to be one.
    pub(super) fn token_of_master(&self) -> Result<(Box<[u8]>, Option<&Path>), WishError> {
        if let Some(token) = &self.cluster_token {
            return Ok((long_enough(token)?, None));
        }
        if let Some(file) = &self.cluster_token_file {
            let (token, is_new) = token::kept(file, TOKEN_FILE)?;
            return Ok((long_enough(&token)?, is_new.then_some(file)));
        }
        let bind = self.bind();
        if bind.ip().is_loopback() {
            return Ok((Box::default(), None));
        }
        let message =
            format!("workers from other machines need a token, and there is none for {bind}");
        let hint = "the same `--cluster-token-file FILE` for the master, which makes it, and its \
                    workers";
        Err(WishError::new(message).hint(hint))
    }

    /// The token of a worker, once its file is there; empty for none. `waiting` is called if that has
    /// to be waited for.
    ///
    /// # Errors
    /// When its file cannot be read, does not come, or it is too short.
    pub(super) async fn token_of_worker(
        &self,
        waiting: impl FnOnce(&Path),
    ) -> Result<Box<[u8]>, WishError> {
        if let Some(token) = &self.cluster_token {
            return long_enough(token);
        }
        let Some(file) = &self.cluster_token_file else {
            return Ok(Box::default());
        };
        let token = token::awaited(file, TOKEN_FILE, TOKEN_COMES, || waiting(file)).await?;
        long_enough(&token)
    }
}

fn long_enough(token: &str) -> Result<Box<[u8]>, WishError> {
    if token::is_short(token) {
        let message = format!(
            "the cluster's token has {} characters, and {} are the least",
            token.chars().count(),
            token::SHORTEST
        );
        let hint = "a master makes one: `--cluster-token-file FILE` with a file that is missing";
        return Err(WishError::new(message).hint(hint));
    }
    Ok(token.as_bytes().into())
}

/// `*` stands for all addresses, as in Locust.
fn address(text: &str) -> Result<IpAddr, String> {
    match text {
        "*" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        _ => text
            .parse()
            .map_err(|_| "write an address of this machine, or 0.0.0.0 for all".to_owned()),
    }
}
