//! Why a certificate is not accepted, in words that group well.
//!
//! Owns the texts: they name no host and no time.

use rustls::CertificateError;

use super::partial_chain::is_authority;

/// Nobody knows who signed it.
pub(crate) const UNKNOWN_ISSUER: &str = "its issuer is unknown";
/// It was not signed by anybody else.
pub(crate) const OWN_AUTHORITY: &str = "it is signed by itself, and not known";

/// Why a certificate was refused. rustls' own texts contain the time of the check, so no two would
/// group, and show webpki's errors in Rust's debug format.
#[must_use]
pub(crate) fn in_words(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::UnknownIssuer => UNKNOWN_ISSUER,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for a server"
        }
        CertificateError::BadEncoding => "it is damaged",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that is not known"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not supported"
        }
        other if is_authority(other) => OWN_AUTHORITY,
        CertificateError::Other(other) => match other.0.to_string().as_str() {
            "UnsupportedCertVersion" => "it is of an old version (X.509 v3 is needed)",
            "PathLenConstraintViolated" | "MaximumPathDepthExceeded" => {
                "there are more authorities above it than they allow"
            }
            "NameConstraintViolation" => "its authority may not vouch for that host",
            "EndEntityUsedAsCa" => "it is signed by a certificate that is no authority's",
            _ => "it breaks the rules for certificates",
        },
        _ => "it breaks the rules for certificates",
    }
}
