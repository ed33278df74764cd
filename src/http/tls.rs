//! TLS: whom to trust, who we are, which versions of HTTP to offer, and a resumption store per
//! user.
//!
//! Owns the configuration of rustls; the handshake itself is a step of `connect`.

use std::cell::OnceCell;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::client::{Options, Protocol};
use crate::certificates::{
    PartialChainVerifier, TlsError, provider, read_certificates, read_identity,
};

/// TLS sessions cached per user: a user talks to a few servers, not to hundreds.
const REMEMBERED_SESSIONS: usize = 8;

/// What the users of a class trust and present. The system's roots are read at the first handshake,
/// so that a run without TLS does not wait for them.
pub(super) struct Trust {
    insecure: bool,
    protocol: Protocol,
    extra: Vec<CertificateDer<'static>>,
    identity: Option<Arc<CertifiedKey>>,
    template: OnceCell<ClientConfig>,
}

impl Trust {
    /// Reads the files that the options name.
    pub(super) fn new(options: &Options) -> Result<Trust, TlsError> {
        let extra = match &options.ca {
            Some(path) => read_certificates(&options.files, "ca", path)?,
            None => Vec::new(),
        };
        let identity = match (&options.client_cert, &options.client_key) {
            (Some(certificate), key) => {
                let key = key.as_deref().map(|key| ("client_key", key));
                let certificate = ("client_cert", certificate.as_path());
                Some(read_identity(&options.files, certificate, key)?)
            }
            (None, Some(_)) => return Err(TlsError::KeyAlone),
            (None, None) => None,
        };
        Ok(Trust {
            insecure: options.insecure,
            protocol: options.protocol,
            extra,
            identity: identity.map(Arc::new),
            template: OnceCell::new(),
        })
    }

    /// The configuration of one user: shared trust, its own tickets. Sharing tickets would make all
    /// handshakes after the first unrealistically cheap.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let mut config = self.template.get_or_init(|| self.build()).clone();
        config.resumption = Resumption::in_memory_sessions(REMEMBERED_SESSIONS);
        Arc::new(config)
    }

    fn build(&self) -> ClientConfig {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3");
        let builder = if self.insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAll { provider }))
        } else {
            let mut roots = RootCertStore::empty();
            // Having no roots at all surfaces as an unknown issuer, with the matching hint.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots.add_parsable_certificates(self.extra.iter().cloned());
            let roots = Arc::new(roots);
            let webpki = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider);
            match (self.extra.as_slice(), webpki.build()) {
                ([_, ..], Ok(webpki)) => {
                    builder
                        .dangerous()
                        .with_custom_certificate_verifier(Arc::new(PartialChainVerifier {
                            webpki,
                            certificates: self.extra.clone(),
                        }))
                }
                _ => builder.with_root_certificates(roots),
            }
        };
        let mut config = match &self.identity {
            Some(identity) => {
                let identity = SingleCertAndKey::from(Arc::clone(identity));
                builder.with_client_cert_resolver(Arc::new(identity))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = match self.protocol {
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            // Clients that offer nothing get HTTP/1.1.
            Protocol::Http1 => Vec::new(),
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        config
    }
}

/// `insecure: true`: any certificate for any host, as `curl -k`.
#[derive(Debug)]
struct AcceptAll {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
