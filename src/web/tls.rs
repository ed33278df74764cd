//! The server's side of TLS.
//!
//! Owns reading certificates and key; `serve` shakes hands.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::files;

/// The largest file of certificates.
const LARGEST: u64 = 16_000_000;

/// The configuration of a server with these certificates and this key.
///
/// # Errors
/// Which file can't be used, and why.
pub(super) fn config(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let read = |path: &Path| {
        let text = files::read_to_string(path, LARGEST);
        text.map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    };
    let (chain, secret) = (read(certificates)?, read(key)?);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let chain = chain.map_err(|error| format!("`{}`: {error}", certificates.display()))?;
    if chain.is_empty() {
        return Err(format!("`{}` has no certificate", certificates.display()));
    }
    let secret = PrivateKeyDer::from_pem_slice(secret.as_bytes())
        .map_err(|error| format!("`{}` has no key: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| format!("the certificate and the key: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
