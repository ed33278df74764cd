//! Arguments about the web UI.
//!
//! Owns what is wrong with them; `web` knows nothing of the command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::token;
use crate::control::WishError;
use crate::units;
use crate::web::Options;

/// How the web UI is served, and when a run starts and the process ends with it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Web UI")]
pub(super) struct WebArgs {
    /// Address to listen on [default: this machine's loopback addresses].
    #[arg(long, value_name = "ADDRESS", env = "KATYDID_WEB_HOST")]
    pub(super) web_host: Option<IpAddr>,
    /// Port of the web UI; 0 takes a free one [default: 8089].
    #[arg(long, value_name = "PORT", env = "KATYDID_WEB_PORT")]
    pub(super) web_port: Option<u16>,
    /// Serve everything below this path, such as `/katydid`.
    #[arg(long, value_name = "PATH", env = "KATYDID_WEB_BASE_PATH")]
    pub(super) web_base_path: Option<String>,
    /// The token to log in with beyond loopback, of 16 characters at least; `ps` shows it [default:
    /// a random one, in the log].
    #[arg(
        long,
        value_name = "TOKEN",
        env = "KATYDID_WEB_TOKEN",
        hide_env_values = true
    )]
    pub(super) web_token: Option<String>,
    /// A file with the token, made if it is missing: the link then stays the same.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_WEB_TOKEN_FILE",
        conflicts_with = "web_token"
    )]
    pub(super) web_token_file: Option<PathBuf>,
    /// The address that browsers see when a proxy rewrites `Host`; repeatable.
    #[arg(
        long,
        value_name = "URL",
        env = "KATYDID_WEB_ORIGIN",
        value_delimiter = ' '
    )]
    pub(super) web_origin: Vec<String>,
    /// Let people look, but change nothing.
    #[arg(long, env = "KATYDID_WEB_READ_ONLY", value_parser = FalseyValueParser::new())]
    pub(super) web_read_only: bool,
    /// Serve by TLS with the certificates of this PEM file.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_TLS_CERT",
        requires = "tls_key"
    )]
    pub(super) tls_cert: Option<PathBuf>,
    /// Its key.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_TLS_KEY",
        requires = "tls_cert"
    )]
    pub(super) tls_key: Option<PathBuf>,
    /// Start a run at once, and serve the web UI.
    #[arg(long, env = "KATYDID_AUTOSTART", value_parser = FalseyValueParser::new())]
    pub(super) autostart: bool,
    /// End the process so long after the run of --autostart, unless somebody has started another.
    #[arg(long, value_name = "TIME", env = "KATYDID_AUTOQUIT", value_parser = length)]
    pub(super) autoquit: Option<Duration>,
}

impl WebArgs {
    /// How the UI is served.
    ///
    /// # Errors
    /// Which of them is wrong.
    pub(super) fn options(&self) -> Result<Options, WishError> {
        let base_path = self.web_base_path.clone().unwrap_or_default();
        let base_path = base_path.trim_end_matches('/').to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
        let is_path = base_path.starts_with('/')
            && base_path.chars().all(is_plain)
            && !base_path.contains("//");
        if !base_path.is_empty() && !is_path {
            let error = WishError::new(format!("`--web-base-path`: `{base_path}` is no path"));
            return Err(error.hint("write it like `/katydid`"));
        }
        for origin in &self.web_origin {
            let rest = origin.split_once("://").map_or("", |(_, rest)| rest);
            if rest.is_empty() || rest.contains('/') {
                let error = WishError::new(format!("`--web-origin`: `{origin}` is no origin"));
                return Err(error.hint("write it like `https://load.example.com`, without a path"));
            }
        }
        if self.autoquit.is_some() && !self.autostart {
            let error = WishError::new("`--autoquit` needs `--autostart`");
            return Err(error.hint("without it nothing would end before somebody starts a run"));
        }
        Ok(Options {
            host: self.web_host,
            port: self.web_port.unwrap_or(8089),
            may_move: false,
            base_path,
            token: self.token()?,
            origins: self.web_origin.clone(),
            is_read_only: self.web_read_only,
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
            is_demo: false,
        })
    }

    fn token(&self) -> Result<Option<String>, WishError> {
        let given = match (&self.web_token, &self.web_token_file) {
            (None, Some(file)) => Some(token::kept(file, "--web-token-file")?.0),
            (given, _) => given.clone(),
        };
        if given.as_deref().is_some_and(token::is_short) {
            let shortest = token::SHORTEST;
            let text = format!("the token of the web UI is shorter than {shortest} characters");
            return Err(WishError::new(text).hint("leave it out for a random one"));
        }
        Ok(given)
    }
}

fn length(text: &str) -> Result<Duration, units::Invalid> {
    units::parse_duration(text)
}
