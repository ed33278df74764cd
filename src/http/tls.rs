//! TLS: whom to trust, with an explicit provider, and a resumption store per user.
//!
//! Owns rustls' configuration; the handshake itself is one step of `connect`.

use std::cell::OnceCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// TLS sessions that one user remembers: a user talks to a few servers, not to hundreds.
const REMEMBERED_SESSIONS: usize = 8;

/// Why the file of `ca` can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// It can't be read: the path and the reason.
    Unreadable(Box<str>, Box<str>),
    /// It has no certificate in PEM.
    NoCertificate(Box<str>),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Unreadable(path, why) => write!(f, "`ca` file `{path}`: {why}"),
            TlsError::NoCertificate(path) => write!(
                f,
                "`ca` file `{path}` has no certificate (expected PEM, `-----BEGIN CERTIFICATE-----`)"
            ),
        }
    }
}

impl std::error::Error for TlsError {}

/// What the users of a class trust. The system's roots are read at the first handshake: a run
/// without TLS does not wait for them.
pub(super) struct Trust {
    insecure: bool,
    extra: Vec<CertificateDer<'static>>,
    template: OnceCell<ClientConfig>,
}

impl Trust {
    pub(super) fn new(insecure: bool, ca: Option<&Path>) -> Result<Trust, TlsError> {
        let extra = match ca {
            Some(path) => read_ca(path)?,
            None => Vec::new(),
        };
        Ok(Trust {
            insecure,
            extra,
            template: OnceCell::new(),
        })
    }

    /// A configuration of one user: shared trust, tickets of its own. Sharing them would make
    /// the handshakes of all users but the first unrealistically cheap.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let mut config = self.template.get_or_init(|| self.build()).clone();
        config.resumption = Resumption::in_memory_sessions(REMEMBERED_SESSIONS);
        Arc::new(config)
    }

    fn build(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3");
        if self.insecure {
            return builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAll { provider }))
                .with_no_client_auth();
        }
        let mut roots = RootCertStore::empty();
        // No roots at all shows as an unknown issuer, with the hint that belongs to it.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.extra.iter().cloned());
        builder.with_root_certificates(roots).with_no_client_auth()
    }
}

fn read_ca(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let name: Box<str> = path.display().to_string().into();
    let pem = std::fs::read(path)
        .map_err(|error| TlsError::Unreadable(name.clone(), error.to_string().into()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(TlsError::NoCertificate(name)),
        Err(error) => Err(TlsError::Unreadable(name, error.to_string().into())),
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
