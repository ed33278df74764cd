//! TLS: own authority, untrusted and wrong certificates, `insecure`, resumption per user.
//! A peer with certificates made for the test; what TLS itself does is rustls' business.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::super::{Error, TlsError};
use super::authority::Authority;
use super::*;

pub(super) struct SecurePeer {
    port: u16,
    authority: Authority,
    /// Handshakes, and how many of them resumed a session.
    handshakes: Rc<Cell<(u32, u32)>>,
}

/// Serves `x` over TLS with a certificate for `name`, signed by an authority of its own.
async fn secure_peer(name: &str) -> SecurePeer {
    let authority = Authority::new();
    let config = authority.server(name, &[]);
    peer_of(authority, config).await
}

pub(super) async fn peer_of(authority: Authority, config: ServerConfig) -> SecurePeer {
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
        authority,
        handshakes,
    }
}

impl SecurePeer {
    pub(super) fn get(&self) -> Request {
        let base = Base::parse(&format!("https://127.0.0.1:{}", self.port)).unwrap();
        Request::new(Method::GET, base.url("/", &[]).unwrap())
    }

    fn trusting(&self) -> Client {
        client(Options {
            ca: Some(self.authority.file().into()),
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

#[test]
fn a_client_shows_its_certificate_where_it_is_asked_for() {
    on_thread(async {
        let authority = Authority::new();
        let config = authority.strict_server("127.0.0.1");
        let identity = authority.identity();
        let peer = peer_of(authority, config).await;
        let file = |name: &str, content: &str| {
            let path = identity.folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let anonymous = Options {
            ca: Some(peer.authority.file().into()),
            ..Options::default()
        };
        let apart = Options {
            client_cert: Some(file("client.pem", &identity.certificate)),
            client_key: Some(file("client.key", &identity.key)),
            ..anonymous.clone()
        };
        let both = format!("{}{}", identity.key, identity.certificate);
        let together = Options {
            client_cert: Some(file("both.pem", &both)),
            ..anonymous.clone()
        };
        for options in [apart, together] {
            let exchange = Session::new(&client(options)).send(peer.get()).await;
            assert_eq!(body(&exchange), "x");
        }
        let exchange = Session::new(&client(anonymous)).send(peer.get()).await;
        let error = exchange.result.unwrap_err().to_string();
        assert!(error.contains("give one with `client_cert`"), "{error}");
    });
}

#[test]
fn files_that_are_no_identity_say_why() {
    let authority = Authority::new();
    let (identity, other) = (authority.identity(), authority.identity());
    let file = |name: &str, content: &str| {
        let path = identity.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Some(path)
    };
    let certificate = file("client.pem", &identity.certificate);
    let named = |path: &Option<std::path::PathBuf>| -> Box<str> {
        path.as_ref().unwrap().display().to_string().into()
    };
    let checked = |client_cert: &Option<_>, client_key: &Option<_>| {
        let options = Options {
            client_cert: client_cert.clone(),
            client_key: client_key.clone(),
            ..Options::default()
        };
        options.check()
    };
    let right = file("client.key", &identity.key);
    assert_eq!(checked(&certificate, &right), Ok(()));
    let key = file("other.key", &other.key);
    assert_eq!(
        checked(&certificate, &key),
        Err(TlsError::Mismatch(named(&certificate), named(&key)))
    );
    assert_eq!(
        checked(&certificate, &None),
        Err(TlsError::NoKey("client_cert", named(&certificate)))
    );
    assert_eq!(checked(&None, &key), Err(TlsError::KeyAlone));
    let empty = file("empty.pem", "");
    assert_eq!(
        checked(&empty, &None),
        Err(TlsError::NoCertificate("client_cert", named(&empty)))
    );
    let missing = Some(identity.folder.path().join("missing.pem"));
    let error = checked(&certificate, &missing).unwrap_err().to_string();
    assert!(
        error.starts_with("`client_key` file `") && error.contains("No such file"),
        "{error}"
    );
}
