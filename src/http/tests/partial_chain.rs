//! Certificates of servers that stand in `ca` themselves, and keys with a
//! password. What else is accepted or refused is tested in `secure`.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;

use super::super::{Error, TlsError};
use super::authority::Authority;
use super::secure::{SecurePeer, peer_of};
use super::*;

/// A certificate that calls itself an authority and is signed by its own key.
struct Own {
    pem: String,
    config: ServerConfig,
}

fn own(name: &str, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Own {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    served(&params.self_signed(key).unwrap(), key)
}

fn served(certificate: &Certificate, key: &KeyPair) -> Own {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Own {
        pem: certificate.pem(),
        config,
    }
}

async fn serving(own: &Own) -> SecurePeer {
    peer_of(Authority::new(), own.config.clone()).await
}

/// A server's certificate from an unknown authority.
fn issued(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Own {
    let authority = CertifiedIssuer::self_signed(
        {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let name = "an authority nobody knows";
            params.distinguished_name.push(DnType::CommonName, name);
            params
        },
        KeyPair::generate().unwrap(),
    )
    .unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    served(&params.signed_by(&key, &authority).unwrap(), &key)
}

/// The result of a request by a client that trusts the certificates in the file.
async fn asked(peer: &SecurePeer, trusted: &str) -> Result<String, Error> {
    let folder = TempDir::new().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, trusted).unwrap();
    let options = Options {
        ca: Some(ca),
        ..Options::default()
    };
    let exchange = Session::new(&client(options)).send(peer.get()).await;
    match &exchange.result {
        Ok(_) => Ok(body(&exchange)),
        Err(error) => Err(error.clone()),
    }
}

#[test]
fn a_certificate_in_ca_is_the_servers_own() {
    on_thread(async {
        let key = KeyPair::generate().unwrap();
        let right = own("127.0.0.1", &key, |_| {});
        let peer = serving(&right).await;
        assert_eq!(asked(&peer, &right.pem).await.as_deref(), Ok("x"));
        // Among others, too.
        let other = own("127.0.0.1", &KeyPair::generate().unwrap(), |_| {});
        let both = format!("{}{}", other.pem, right.pem);
        assert_eq!(asked(&peer, &both).await.as_deref(), Ok("x"));
    });
}

#[test]
fn only_the_very_certificate_is_vouched_for() {
    on_thread(async {
        let key = KeyPair::generate().unwrap();
        let right = own("127.0.0.1", &key, |_| {});
        let unknown = Error::Certificate("it is signed by itself, and not known".into());
        // An unknown one, that of another server, and a different one with the same name and key.
        let peer = serving(&right).await;
        let stranger = own("127.0.0.1", &KeyPair::generate().unwrap(), |_| {});
        let twin = own("127.0.0.1", &key, |params| {
            params.serial_number = Some(7_u64.into());
        });
        for trusted in [&stranger, &twin] {
            assert_eq!(asked(&peer, &trusted.pem).await, Err(unknown.clone()));
        }
        let exchange = session().send(peer.get()).await;
        assert_eq!(exchange.result.as_ref().unwrap_err(), &unknown);
        assert!(unknown.to_string().contains("`ca: \"file.pem\"`"));
        // Its name and its time count as ever.
        let elsewhere = own("other.example", &key, |_| {});
        let early = own("127.0.0.1", &key, |params| {
            params.not_before = date_time_ymd(4000, 1, 1);
        });
        let late = own("127.0.0.1", &key, |params| {
            params.not_after = date_time_ymd(2020, 1, 1);
        });
        for (own, why) in [
            (elsewhere, "it is for another host"),
            (early, "it is not valid yet"),
            (late, "it has expired"),
        ] {
            let refused = asked(&serving(&own).await, &own.pem).await;
            assert_eq!(refused, Err(Error::Certificate(why.into())));
        }
    });
}

#[test]
fn a_certificate_in_ca_needs_no_authority() {
    on_thread(async {
        let right = issued("127.0.0.1", |_| {});
        let peer = serving(&right).await;
        assert_eq!(asked(&peer, &right.pem).await.as_deref(), Ok("x"));
        let unknown = asked(&peer, &issued("127.0.0.1", |_| {}).pem).await;
        assert_eq!(
            unknown,
            Err(Error::Certificate("its issuer is unknown".into()))
        );
        let elsewhere = issued("other.example", |_| {});
        let late = issued("127.0.0.1", |params| {
            params.not_after = date_time_ymd(2020, 1, 1);
        });
        let of_a_client = issued("127.0.0.1", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        for (own, why) in [
            (elsewhere, "it is for another host"),
            (late, "it has expired"),
            (of_a_client, "it is not for a server"),
        ] {
            let refused = asked(&serving(&own).await, &own.pem).await;
            assert_eq!(refused, Err(Error::Certificate(why.into())));
        }
    });
}

#[test]
fn whoever_shows_a_certificate_must_have_its_key() {
    on_thread(async {
        let right = own("127.0.0.1", &KeyPair::generate().unwrap(), |_| {});
        let thief = KeyPair::generate().unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let stolen = rustls::sign::CertifiedKey::new(
            vec![rustls::pki_types::pem::PemObject::from_pem_slice(right.pem.as_bytes()).unwrap()],
            provider
                .key_provider
                .load_private_key(PrivateKeyDer::try_from(thief.serialize_der()).unwrap())
                .unwrap(),
        );
        let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = ServerConfig::builder_with_provider(Arc::new(provider.clone()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&resolver) as _);
            let peer = peer_of(Authority::new(), config).await;
            let refused = asked(&peer, &right.pem).await;
            assert!(
                matches!(&refused, Err(Error::Tls(_) | Error::Certificate(_))),
                "{refused:?}"
            );
        }
    });
}

#[test]
fn keys_with_a_password_are_named() {
    let authority = Authority::new();
    let identity = authority.identity();
    let write = |name: &str, content: &str| {
        let path = identity.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
               DEK-Info: AES-128-CBC,0A1B\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let new = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (number, key) in [old, new].into_iter().enumerate() {
        let certificate = write("client.pem", &identity.certificate);
        let apart = write(&format!("{number}.key"), key);
        let together = write(
            &format!("{number}.pem"),
            &format!("{key}{}", identity.certificate),
        );
        for (client_cert, client_key, option, path) in [
            (&certificate, Some(apart.clone()), "client_key", &apart),
            (&together, None, "client_cert", &together),
        ] {
            let options = Options {
                client_cert: Some(client_cert.clone()),
                client_key,
                ..Options::default()
            };
            let named = path.display().to_string();
            let error = options.check().unwrap_err();
            assert_eq!(error, TlsError::Encrypted(option, named.into()));
            assert!(error.to_string().contains("without a password"), "{error}");
        }
    }
}
