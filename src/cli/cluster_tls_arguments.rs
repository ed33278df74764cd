//! Arguments about TLS between master and workers.
//!
//! Owns which files belong together; what is in them, `cluster` reads.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use crate::cluster::{MasterTls, WorkerTls};
use crate::control::WishError;

/// How connections between master and workers are encrypted.
#[derive(Debug, Default, Args)]
pub(super) struct ClusterTlsArgs {
    /// The master's certificate in PEM, with those between it and its authority: connections of
    /// workers are encrypted (TLS 1.3).
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_TLS_CERT",
        requires = "cluster_tls_key"
    )]
    cluster_tls_cert: Option<PathBuf>,
    /// Its key.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_TLS_KEY",
        requires = "cluster_tls_cert"
    )]
    cluster_tls_key: Option<PathBuf>,
    /// Take only workers whose certificate is signed by an authority in this file.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_CLIENT_CA",
        requires = "cluster_tls_cert"
    )]
    cluster_client_ca: Option<PathBuf>,
    /// Who signed the master's certificate, or that certificate itself, in PEM: the connection is
    /// encrypted.
    #[arg(long, value_name = "FILE", env = "KATYDID_CLUSTER_CA")]
    cluster_ca: Option<PathBuf>,
    /// The worker's certificate, for a master with --cluster-client-ca.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_CERT",
        requires = "cluster_ca",
        requires = "cluster_key"
    )]
    cluster_cert: Option<PathBuf>,
    /// Its key.
    #[arg(
        long,
        value_name = "FILE",
        env = "KATYDID_CLUSTER_KEY",
        requires = "cluster_cert"
    )]
    cluster_key: Option<PathBuf>,
}

/// How a worker speaks TLS, and with whom.
pub(super) type Encrypted = (Arc<ClientConfig>, ServerName<'static>);

impl ClusterTlsArgs {
    /// How a master encrypts connections, if it does.
    ///
    /// # Errors
    /// Which file can't be used, and why.
    pub(super) fn of_master(&self) -> Result<Option<Arc<ServerConfig>>, WishError> {
        let (certificate, key) = (self.cluster_tls_cert.clone(), self.cluster_tls_key.clone());
        let Some((certificate, key)) = certificate.zip(key) else {
            return Ok(None);
        };
        let tls = MasterTls {
            certificate,
            key,
            client_ca: self.cluster_client_ca.clone(),
        };
        tls.config().map(Some).map_err(WishError::new)
    }

    /// How a worker's connection to that host is encrypted, if it is.
    ///
    /// # Errors
    /// Which file can't be used, and why.
    pub(super) fn of_worker(&self, host: &str) -> Result<Option<Encrypted>, WishError> {
        let Some(ca) = self.cluster_ca.clone() else {
            return Ok(None);
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let message = format!("`{host}` is no name that a certificate could be for");
            WishError::new(message).hint("`--master-host` takes a host's name or its address")
        })?;
        let identity = self.cluster_cert.clone().zip(self.cluster_key.clone());
        let config = WorkerTls { ca, identity }.config();
        Ok(Some((config.map_err(WishError::new)?, name)))
    }
}
