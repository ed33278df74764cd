//! TLS: own authority, untrusted and wrong certificates, `insecure`, resumption per user.
//! A peer with certificates made for the test; what TLS itself does is rustls' business.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::super::Error;
use super::*;

struct SecurePeer {
    port: u16,
    /// The authority's certificate, in PEM.
    authority: tempfile::NamedTempFile,
    /// Handshakes, and how many of them resumed a session.
    handshakes: Rc<Cell<(u32, u32)>>,
}

/// Serves `x` over TLS with a certificate for `name`, signed by an authority of its own.
async fn secure_peer(name: &str) -> SecurePeer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let handshakes = Rc::new(Cell::new((0, 0)));
    let counter = Rc::clone(&handshakes);
    let peer = Peer::start(move |_, stream| {
        let (acceptor, counter) = (acceptor.clone(), Rc::clone(&counter));
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let kind = stream.get_ref().1.handshake_kind();
            let resumed = kind == Some(rustls::HandshakeKind::Resumed);
            let (all, before) = counter.get();
            counter.set((all + 1, before + u32::from(resumed)));
            let mut read = Vec::new();
            while stream
                .read_buf(&mut read)
                .await
                .is_ok_and(|length| length > 0)
            {
                if read.ends_with(b"\r\n\r\n") {
                    read.clear();
                    stream.write_all(ok("x").as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                }
            }
        }
    })
    .await;
    SecurePeer {
        port: peer.address.port(),
        authority: file,
        handshakes,
    }
}

impl SecurePeer {
    fn get(&self) -> Request {
        let base = Base::parse(&format!("https://127.0.0.1:{}", self.port)).unwrap();
        Request::new(Method::GET, base.url("/", &[]).unwrap())
    }

    fn trusting(&self) -> Client {
        client(Options {
            ca: Some(self.authority.path().into()),
            ..Options::default()
        })
    }
}

#[test]
fn an_own_authority_is_trusted_and_the_handshake_timed() {
    on_thread(async {
        let peer = secure_peer("127.0.0.1").await;
        let session = Session::new(&peer.trusting());
        for number in 0..3 {
            let exchange = session.send(peer.get()).await;
            assert_eq!(body(&exchange), "x");
            assert_eq!(
                exchange.phases.tls > 0,
                number == 0,
                "{:?}",
                exchange.phases
            );
            assert_adds_up(&exchange);
        }
        assert_eq!(peer.handshakes.get(), (1, 0));
    });
}

#[test]
fn certificates_that_are_not_accepted_say_why_and_what_to_do() {
    on_thread(async {
        let unknown = secure_peer("127.0.0.1").await;
        let exchange = session().send(unknown.get()).await;
        let error = exchange.result.as_ref().unwrap_err();
        assert_eq!(error, &Error::Certificate("its issuer is unknown".into()));
        assert_adds_up(&exchange);
        let other_name = secure_peer("other.example").await;
        let session = Session::new(&other_name.trusting());
        let exchange = session.send(other_name.get()).await;
        let error = exchange.result.as_ref().unwrap_err();
        assert_eq!(error, &Error::Certificate("it is for another host".into()));
        assert!(error.to_string().contains("`insecure: true`"));
    });
}

#[test]
fn insecure_accepts_any_certificate() {
    on_thread(async {
        let peer = secure_peer("other.example").await;
        let options = Options {
            insecure: true,
            ..Options::default()
        };
        let exchange = Session::new(&client(options)).send(peer.get()).await;
        assert_eq!(body(&exchange), "x");
    });
}

#[test]
fn sessions_are_resumed_by_the_same_user_only() {
    on_thread(async {
        let peer = secure_peer("127.0.0.1").await;
        let client = peer.trusting();
        let (one, other) = (Session::new(&client), Session::new(&client));
        for (session, expected) in [(&one, (1, 0)), (&one, (2, 1)), (&other, (3, 1))] {
            assert_eq!(body(&session.send(peer.get()).await), "x");
            session.close_idle();
            assert_eq!(peer.handshakes.get(), expected);
        }
    });
}

#[test]
fn a_server_without_tls_is_a_tls_error() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let mut read = Vec::new();
            let _ = stream.read_to_end(&mut read).await;
        })
        .await;
        let base = Base::parse(&format!("https://{}", peer.address)).unwrap();
        let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
        let exchange = session().send(request).await;
        assert!(
            matches!(exchange.result, Err(Error::Tls(_))),
            "{exchange:?}"
        );
    });
}
