//! TLS between master and workers: 1.3 only.
//!
//! Owns whom each side trusts, and what went wrong with a handshake in words that name the option to
//! look at. Reading files is `certificates`', the bytes below are `guarded`'s.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConfig};

use crate::certificates::{
    OWN_AUTHORITY, PartialChainVerifier, UNKNOWN_ISSUER, in_words, provider, read_certificates,
    read_identity,
};
use crate::files::Files;

/// What gRPC is called in a handshake.
const ALPN: &[u8] = b"h2";

/// The files of a master's TLS.
#[derive(Clone, Debug)]
pub struct MasterTls {
    /// Its certificate, with those between it and its authority.
    pub certificate: PathBuf,
    /// The key of that.
    pub key: PathBuf,
    /// Who signs workers' certificates, if they need one.
    pub client_ca: Option<PathBuf>,
}

/// The files of a worker's TLS.
#[derive(Clone, Debug)]
pub struct WorkerTls {
    /// Who signs its master's certificate, or that certificate itself.
    pub ca: PathBuf,
    /// Its own certificate and its key, if it has one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

fn roots(option: &'static str, path: &Path) -> Result<Roots, String> {
    let certificates = read_certificates(&Files::default(), option, path);
    let certificates = certificates.map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates.iter().cloned());
    match added {
        0 => Err(format!(
            "`{option}` file `{}` has no certificate that can be read",
            path.display()
        )),
        _ => Ok(Roots {
            certificates,
            store: Arc::new(store),
        }),
    }
}

struct Roots {
    certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
    store: Arc<RootCertStore>,
}

fn identity(
    certificate: (&'static str, &Path),
    key: (&'static str, &Path),
) -> Result<SingleCertAndKey, String> {
    let identity = read_identity(&Files::default(), certificate, Some(key));
    Ok(identity.map_err(|error| error.to_string())?.into())
}

impl MasterTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them can't be used, and why.
    pub fn config(&self) -> Result<Arc<ServerConfig>, String> {
        let certificate = ("--cluster-tls-cert", self.certificate.as_path());
        let own = identity(certificate, ("--cluster-tls-key", &self.key))?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| error.to_string())?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = roots("--cluster-client-ca", path)?.store;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = verifier.build().map_err(|error| error.to_string())?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(own));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A worker connects a few times in its life.
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

impl WorkerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them can't be used, and why.
    pub fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let Roots {
            certificates,
            store,
        } = roots("--cluster-ca", &self.ca)?;
        let webpki = WebPkiServerVerifier::builder_with_provider(store, provider());
        let webpki = webpki.build().map_err(|error| error.to_string())?;
        let verifier = PartialChainVerifier {
            webpki,
            certificates,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = ("--cluster-cert", certificate.as_path());
                let own = identity(certificate, ("--cluster-key", key))?;
                builder.with_client_cert_resolver(Arc::new(own))
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The failure of TLS in an error, if it is one.
pub(super) fn failure(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Why a worker's handshake failed, as the worker says it.
pub(super) fn why_no_master(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => refused_certificate(why),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "it wants a certificate (--cluster-cert and --cluster-key)".to_owned()
            }
            AlertDescription::UnknownCA => {
                "it does not know who signed this worker's certificate (its --cluster-client-ca)"
                    .to_owned()
            }
            AlertDescription::CertificateExpired => {
                "this worker's certificate has expired for it (--cluster-cert)".to_owned()
            }
            AlertDescription::ProtocolVersion => "it does not speak TLS 1.3".to_owned(),
            other => format!("it refuses the TLS handshake: {other:?}"),
        },
        rustls::Error::PeerIncompatible(_) => "it does not speak TLS 1.3".to_owned(),
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn refused_certificate(why: &CertificateError) -> String {
    let what = match why {
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names = match &presented[..] {
                [] => "nobody by name".to_owned(),
                names => names
                    .iter()
                    .map(|name| named(name))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let expected = expected.to_str().into_owned();
            return format!("its certificate is for {names}, and --master-host is {expected}");
        }
        why => in_words(why),
    };
    not_accepted(what, "--cluster-ca")
}

/// Trusting an authority only helps if it is unknown; another one of the same name is unknown too.
fn not_accepted(what: &str, option: &str) -> String {
    let unknown = [
        UNKNOWN_ISSUER,
        OWN_AUTHORITY,
        in_words(&CertificateError::BadSignature),
    ];
    let hint = match unknown.contains(&what) {
        true => format!(" ({option} names the authority that signed it)"),
        false => String::new(),
    };
    format!("its certificate is not accepted: {what}{hint}")
}

/// `DnsName("a")` and `IpAddress(127.0.0.1)`, as the library has it, without its words.
fn named(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').to_owned()
}

/// Why a handshake with a worker failed, as the master says it.
pub(super) fn why_no_worker(error: &rustls::Error) -> String {
    match error {
        rustls::Error::NoCertificatesPresented => {
            "it shows no certificate (its --cluster-cert and --cluster-key)".to_owned()
        }
        rustls::Error::InvalidCertificate(why) => {
            not_accepted(in_words(why), "--cluster-client-ca")
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::UnknownCA => {
                "it does not know who signed this master's certificate (its --cluster-ca)"
                    .to_owned()
            }
            AlertDescription::CertificateExpired => {
                "this master's certificate has expired for it (--cluster-tls-cert)".to_owned()
            }
            AlertDescription::BadCertificate => {
                "it does not accept this master's certificate, such as for another name than its \
                 --master-host (--cluster-tls-cert)"
                    .to_owned()
            }
            other => format!("it ends the TLS handshake: {other:?}"),
        },
        rustls::Error::PeerIncompatible(_) => "it does not speak TLS 1.3".to_owned(),
        other => format!("its TLS handshake failed: {other}"),
    }
}
