//! Arguments about master and workers.
//!
//! Owns what is wrong with them; `cluster` knows nothing of the command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::token;
use crate::control::WishError;
use crate::units;

/// The port between master and workers, as Locust's.
const PORT: u16 = 5557;

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
    #[arg(
        long,
        value_name = "HOST",
        env = "KATYDID_MASTER_NODE_HOST",
        requires = "worker"
    )]
    pub(super) master_host: Option<String>,
    /// Its port [default: 5557].
    #[arg(
        long,
        value_name = "PORT",
        env = "KATYDID_MASTER_NODE_PORT",
        requires = "worker"
    )]
    pub(super) master_port: Option<u16>,
    /// Address on which the master waits for workers; other than loopback it takes a token
    /// [default: 127.0.0.1].
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "KATYDID_MASTER_BIND_HOST",
        requires = "master"
    )]
    pub(super) master_bind_host: Option<IpAddr>,
    /// Its port; 0 takes a free one [default: 5557].
    #[arg(
        long,
        value_name = "PORT",
        env = "KATYDID_MASTER_BIND_PORT",
        requires = "master"
    )]
    pub(super) master_bind_port: Option<u16>,
    /// Begin with this many workers [default: 1].
    #[arg(
        long,
        value_name = "N",
        env = "KATYDID_EXPECT_WORKERS",
        requires = "master"
    )]
    pub(super) expect_workers: Option<u32>,
    /// Give up if they have not come by then [default: never].
    #[arg(long, value_name = "TIME", env = "KATYDID_EXPECT_WORKERS_MAX_WAIT", requires = "master",
        value_parser = units::parse_duration)]
    pub(super) expect_workers_max_wait: Option<Duration>,
    /// What master and workers have to know, 16 characters at least; `ps` shows it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "KATYDID_CLUSTER_TOKEN",
        hide_env_values = true
    )]
    pub(super) cluster_token: Option<String>,
    /// A file with the token.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_TOKEN_FILE",
        conflicts_with = "cluster_token"
    )]
    pub(super) cluster_token_file: Option<PathBuf>,
}

impl ClusterArgs {
    /// Where a master waits for workers.
    pub(super) fn bind(&self) -> SocketAddr {
        let host = self.master_bind_host.unwrap_or(Ipv4Addr::LOCALHOST.into());
        SocketAddr::new(host, self.master_bind_port.unwrap_or(PORT))
    }

    /// Where a worker's master is, as host and port.
    pub(super) fn master_address(&self) -> String {
        let host = self.master_host.as_deref().unwrap_or("127.0.0.1");
        let port = self.master_port.unwrap_or(PORT);
        match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }

    /// The token; empty for none.
    ///
    /// # Errors
    /// When its file cannot be read, it is too short, or there has to be one.
    pub(super) fn token(&self) -> Result<Box<[u8]>, WishError> {
        let (token, file) = (&self.cluster_token, &self.cluster_token_file);
        let given = token::given(token.as_ref(), file.as_deref(), "--cluster-token-file");
        let given = given.map_err(|error| error.hint("`openssl rand -hex 16 > FILE` makes one"));
        let Some(token) = given? else {
            let is_near = self.bind().ip().is_loopback();
            return match self.master && !is_near {
                false => Ok(Box::default()),
                true => {
                    let message = format!(
                        "workers from other machines need a token, and there is none for {}",
                        self.bind()
                    );
                    let hint =
                        "the same `--cluster-token-file FILE` for the master and its workers";
                    Err(WishError::new(message).hint(hint))
                }
            };
        };
        if token::is_short(&token) {
            let message = format!(
                "the cluster's token has {} characters, and {} are the least",
                token.chars().count(),
                token::SHORTEST
            );
            return Err(WishError::new(message).hint("`openssl rand -hex 16` makes one"));
        }
        Ok(token.into_bytes().into())
    }
}
