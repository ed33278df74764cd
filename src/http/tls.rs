//! TLS: whom to trust, who we are, which version of HTTP to offer, and a resumption store per
//! user.
//!
//! Owns rustls' configuration; the handshake itself is one step of `connect`.

use std::cell::OnceCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::client::{Options, Protocol};
use super::vouched::Vouched;
use crate::files::Files;

/// The largest file of certificates or keys: those of all authorities together have 300 KB.
const LARGEST: u64 = 16_000_000;

/// TLS sessions that one user remembers: a user talks to a few servers, not to hundreds.
const REMEMBERED_SESSIONS: usize = 8;

/// Why a file of certificates or keys can't be used. The first text names its option, the
/// second its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// It can't be read: the reason.
    Unreadable(&'static str, Box<str>, Box<str>),
    /// It has no certificate in PEM.
    NoCertificate(&'static str, Box<str>),
    /// It has no private key in PEM.
    NoKey(&'static str, Box<str>),
    /// Its private key is encrypted.
    Encrypted(&'static str, Box<str>),
    /// The key can't be used: the reason.
    BadKey(&'static str, Box<str>, Box<str>),
    /// The key belongs to another certificate: the files of both.
    Mismatch(Box<str>, Box<str>),
    /// There is a `client_key`, but no `client_cert`.
    KeyAlone,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Unreadable(option, path, why) => {
                write!(f, "`{option}` file `{path}`: {why}")
            }
            TlsError::NoCertificate(option, path) => write!(
                f,
                "`{option}` file `{path}` has no certificate (expected PEM, `-----BEGIN CERTIFICATE-----`)"
            ),
            TlsError::NoKey("client_cert", path) => write!(
                f,
                "`client_cert` file `{path}` has no private key (name the file that has it with `client_key`)"
            ),
            TlsError::NoKey(option, path) => write!(
                f,
                "`{option}` file `{path}` has no private key (expected PEM, `-----BEGIN PRIVATE KEY-----`, without a password)"
            ),
            TlsError::Encrypted(option, path) => write!(
                f,
                "the key in `{option}` file `{path}` is encrypted, and only one without a password can be used (`openssl pkey -in {path} -out plain.pem` takes it off)"
            ),
            TlsError::BadKey(option, path, why) => {
                write!(
                    f,
                    "the key in `{option}` file `{path}` can't be used: {why}"
                )
            }
            TlsError::Mismatch(certificate, key) => write!(
                f,
                "the key in `{key}` does not belong to the certificate in `{certificate}`"
            ),
            TlsError::KeyAlone => f.write_str("`client_key` needs `client_cert`"),
        }
    }
}

impl std::error::Error for TlsError {}

/// What the users of a class trust and show. The system's roots are read at the first handshake:
/// a run without TLS does not wait for them.
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
                Some(read_identity(&options.files, certificate, key.as_deref())?)
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

    /// A configuration of one user: shared trust, tickets of its own. Sharing them would make
    /// the handshakes of all users but the first unrealistically cheap.
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
            // No roots at all shows as an unknown issuer, with the hint that belongs to it.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots.add_parsable_certificates(self.extra.iter().cloned());
            let roots = Arc::new(roots);
            let webpki = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider);
            match (self.extra.as_slice(), webpki.build()) {
                ([_, ..], Ok(webpki)) => {
                    builder
                        .dangerous()
                        .with_custom_certificate_verifier(Arc::new(Vouched {
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
            // Those who ask for nothing get HTTP/1.1.
            Protocol::Http1 => Vec::new(),
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        config
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn named(path: &Path) -> Box<str> {
    path.display().to_string().into()
}

fn read(files: &Files, option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    files
        .read(path, LARGEST)
        .map_err(|error| TlsError::Unreadable(option, named(path), error.to_string().into()))
}

fn read_certificates(
    files: &Files,
    option: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (pem, _) = without_encrypted(&read(files, option, path)?);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(PemError::NoItemsFound) => Err(TlsError::NoCertificate(option, named(path))),
        Err(error) => Err(TlsError::Unreadable(option, named(path), damage(&error))),
    }
}

/// A file in PEM without its encrypted keys, and whether there were any. Those of the old format
/// (`Proc-Type: 4,ENCRYPTED`) have lines that are no base64, over which the parser stumbles; those
/// of PKCS#8 it passes over.
fn without_encrypted(pem: &[u8]) -> (Vec<u8>, bool) {
    let (mut kept, mut section) = (Vec::with_capacity(pem.len()), Vec::new());
    let mut has_encrypted = false;
    for line in pem.split_inclusive(|&byte| byte == b'\n') {
        section.extend_from_slice(line);
        if line.trim_ascii_start().starts_with(b"-----END ") {
            let text = String::from_utf8_lossy(&section);
            if text.contains("4,ENCRYPTED") || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY") {
                has_encrypted = true;
            } else {
                kept.extend_from_slice(&section);
            }
            section.clear();
        }
    }
    kept.extend_from_slice(&section);
    (kept, has_encrypted)
}

/// What is wrong with a file in PEM; the parser's own texts show bytes as Rust has them.
fn damage(error: &PemError) -> Box<str> {
    match error {
        PemError::MissingSectionEnd { end_marker } => {
            let marker = String::from_utf8_lossy(end_marker);
            format!(
                "a part of it does not end: `{}` is missing",
                marker.trim_end()
            )
            .into()
        }
        PemError::IllegalSectionStart { line } => {
            let line = String::from_utf8_lossy(line);
            format!("the line `{}` is damaged", line.trim_end().escape_debug()).into()
        }
        PemError::Base64Decode(_) => "what stands between BEGIN and END is not base64".into(),
        other => other.to_string().into(),
    }
}

/// The client's certificate with its chain, and its key, from the same file if it has none of
/// its own.
fn read_identity(
    files: &Files,
    certificate: &Path,
    key: Option<&Path>,
) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(files, "client_cert", certificate)?;
    let (option, path) = match key {
        Some(path) => ("client_key", path),
        None => ("client_cert", certificate),
    };
    let (pem, has_encrypted) = without_encrypted(&read(files, option, path)?);
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        PemError::NoItemsFound if has_encrypted => TlsError::Encrypted(option, named(path)),
        PemError::NoItemsFound => TlsError::NoKey(option, named(path)),
        other => TlsError::BadKey(option, named(path), damage(&other)),
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch(named(certificate), named(path)),
        other => TlsError::BadKey(option, named(path), other.to_string().into()),
    })
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
