//! Certificates made for a test: an authority, servers and clients that it vouches for. Each test
//! decides what is served and requested with them.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::{NamedTempFile, TempDir};

pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate, in PEM.
    file: NamedTempFile,
}

/// A client's certificate and key, each in a file.
pub(super) struct Identity {
    pub(super) folder: TempDir,
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Authority { issuer, file }
    }

    pub(super) fn file(&self) -> &Path {
        self.file.path()
    }

    /// A server of that name that offers these protocols by ALPN.
    pub(super) fn server(&self, name: &str, protocols: &[&str]) -> ServerConfig {
        self.configured(name, protocols, false)
    }

    /// A server that wants its clients to have a certificate of this authority.
    pub(super) fn strict_server(&self, name: &str) -> ServerConfig {
        self.configured(name, &[], true)
    }

    fn configured(&self, name: &str, protocols: &[&str], is_strict: bool) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if is_strict {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder
            .with_single_cert(
                vec![CertificateDer::from(certificate.der().to_vec())],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        config
    }

    /// A client that it vouches for.
    pub(super) fn identity(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["client".to_owned()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        Identity {
            folder: TempDir::new().unwrap(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}
