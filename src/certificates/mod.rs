//! Certificates and keys of TLS, as files and as words.
//!
//! Owns reading them, what is wrong with their files, and why a certificate is not accepted. Whom a
//! client or server trusts, it decides itself.

mod partial_chain;
mod words;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::files::Files;
pub(crate) use partial_chain::PartialChainVerifier;
pub(crate) use words::{OWN_AUTHORITY, UNKNOWN_ISSUER, in_words};

/// The largest certificate or key file: all public authorities together take 300 KB.
const LARGEST: u64 = 16_000_000;

/// Why a certificate or key file can't be used. The first field names its option, the second its
/// path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// It can't be read: the reason.
    Unreadable(&'static str, Box<str>, Box<str>),
    /// It contains no certificate in PEM.
    NoCertificate(&'static str, Box<str>),
    /// It contains no private key in PEM.
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

/// What encrypts: ring, said outright, since a process-wide default could be set by any crate.
#[must_use]
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn named(path: &Path) -> Box<str> {
    path.display().to_string().into()
}

fn read(files: &Files, option: &'static str, path: &Path) -> Result<Bytes, TlsError> {
    files
        .read(path, LARGEST)
        .map_err(|error| TlsError::Unreadable(option, named(path), error.to_string().into()))
}

/// The certificates in a PEM file, one at least.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn read_certificates(
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

/// A PEM file without its encrypted keys, and whether there were any. The parser stumbles over keys
/// in the old format (`Proc-Type: 4,ENCRYPTED`), whose headers are not base64, and skips those in
/// PKCS#8.
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

/// What is wrong with a PEM file; the parser's own texts show bytes in Rust's debug format.
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

/// A certificate with its chain, and its key, each with the option that names its file; both from
/// the same file if no key file is given.
///
/// # Errors
/// What is wrong with which file.
pub(crate) fn read_identity(
    files: &Files,
    certificate: (&'static str, &Path),
    key: Option<(&'static str, &Path)>,
) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(files, certificate.0, certificate.1)?;
    let (option, path) = key.unwrap_or(certificate);
    let (pem, has_encrypted) = without_encrypted(&read(files, option, path)?);
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        PemError::NoItemsFound if has_encrypted => TlsError::Encrypted(option, named(path)),
        PemError::NoItemsFound => TlsError::NoKey(option, named(path)),
        other => TlsError::BadKey(option, named(path), damage(&other)),
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch(named(certificate.1), named(path)),
        other => TlsError::BadKey(option, named(path), other.to_string().into()),
    })
}
