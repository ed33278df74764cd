//! Servers whose own certificate is listed in `ca`: trusted as it is, whoever signed it.
//!
//! webpki only trusts authorities. It refuses what `openssl req -x509` makes, which calls itself an
//! authority, and a certificate whose issuer is not in the file; curl (which sets OpenSSL's
//! `X509_V_FLAG_PARTIAL_CHAIN`) and requests on Python 3.13 accept both. Everything else is left to
//! webpki.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// webpki's name for an authority's certificate presented by a server.
const AUTHORITY: &str = "CaUsedAsEndEntity";

/// Accepts what webpki accepts, and exactly the certificates listed.
#[derive(Debug)]
pub(crate) struct PartialChainVerifier {
    pub(crate) webpki: Arc<WebPkiServerVerifier>,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for PartialChainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            // webpki checks the time, then whether it is an authority's, its purpose, the issuer
            // and the name. Of the checks it did not reach, only the name is left for us, and the
            // purpose, which does not matter for an authority's certificate.
            Err(Error::InvalidCertificate(why))
                if (why == CertificateError::UnknownIssuer || is_authority(&why))
                    && self.certificates.iter().any(|it| it == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Whether it was refused for being an authority's certificate.
pub(super) fn is_authority(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(other) if other.0.to_string() == AUTHORITY)
}
