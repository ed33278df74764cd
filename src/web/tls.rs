//! The server's side of TLS.
//!
//! Owns its configuration; `serve` shakes hands.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;

use crate::certificates::{provider, read_identity};
use crate::files::Files;

/// The configuration of a server with these certificates and this key.
///
/// # Errors
/// Which file can't be used, and why.
pub(super) fn config(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let (certificates, key) = (("--tls-cert", certificates), ("--tls-key", key));
    let identity = read_identity(&Files::default(), certificates, Some(key));
    let identity = identity.map_err(|error| error.to_string())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
