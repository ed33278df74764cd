//! Servers whose own certificate stands in `ca`: trusted as it is, whoever signed it.
//!
//! webpki trusts authorities alone. It refuses what `openssl req -x509` makes, which calls itself
//! an authority, and a certificate whose issuer is not in the file; curl (which sets OpenSSL's
//! `X509_V_FLAG_PARTIAL_CHAIN`) and requests on Python 3.13 accept both. All else, and all other
//! certificates, are webpki's business.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// What webpki calls the certificate of an authority that is shown as a server's.
pub(super) const AUTHORITY: &str = "CaUsedAsEndEntity";

/// Accepts what webpki does, and the very certificates that somebody vouches for.
#[derive(Debug)]
pub(super) struct Vouched {
    pub(super) webpki: Arc<WebPkiServerVerifier>,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Vouched {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match judged {
            // Its order is: the time, whether it is an authority's, its purpose, the issuer, the
            // name. So of what it did not come to, only the name is left to us, and the purpose
            // of a certificate that is an authority's anyway.
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

/// Whether it was refused as the certificate of an authority.
pub(super) fn is_authority(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(other) if other.0.to_string() == AUTHORITY)
}
