//! Proxies: requests passed on, tunnels, credentials, and what goes wrong on the way.
//! What a proxy's address may look like is tested beside its parser.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio_rustls::TlsAcceptor;

use super::super::{Error, Protocol, Proxy};
use super::authority::Authority;
use super::*;

/// A proxy that makes tunnels, and shows what it was asked to pass on.
async fn proxy() -> Peer {
    Peer::start(|_, mut stream| async move {
        while let Some(request) = read_request(&mut stream).await {
            let lower = request.to_lowercase();
            let Some(target) = request.strip_prefix("CONNECT ") else {
                let text = ok(&lower);
                stream.write_all(text.as_bytes()).await.unwrap();
                continue;
            };
            if !lower.contains("proxy-authorization: basic dtpw\r\n") {
                let refusal = respond("407 Proxy Authentication Required", "", "who are you?");
                stream.write_all(refusal.as_bytes()).await.unwrap();
                return;
            }
            let (target, _) = target.split_once(' ').unwrap();
            let Ok(mut target) = TcpStream::connect(target).await else {
                let refusal = respond("502 Bad Gateway", "", "");
                stream.write_all(refusal.as_bytes()).await.unwrap();
                return;
            };
            let agreed = b"HTTP/1.1 200 Connection established\r\n\r\n";
            stream.write_all(agreed).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut target).await;
            return;
        }
    })
    .await
}

fn through(proxy: &Peer, credentials: &str, options: Options) -> Session {
    let url = format!("http://{credentials}{}", proxy.address);
    Session::new(&client(Options {
        proxy: Some(Proxy::parse(&url).unwrap()),
        ..options
    }))
}

fn get(url: &str) -> Request {
    Request::new(
        Method::GET,
        Base::parse(url).unwrap().url("/a?b", &[]).unwrap(),
    )
}

#[test]
fn plain_requests_are_passed_on_by_their_whole_url() {
    on_thread(async {
        let proxy = proxy().await;
        let session = through(&proxy, "u:p@", Options::default());
        for _ in 0..2 {
            // The proxy looks for the host, not we.
            let exchange = session.send(get("http://nobody.invalid:81")).await;
            let shown = body(&exchange);
            assert!(
                shown.starts_with("get http://nobody.invalid:81/a?b http/1.1\r\n"),
                "{shown}"
            );
            assert!(shown.contains("\r\nhost: nobody.invalid:81\r\n"), "{shown}");
            assert!(
                shown.contains("\r\nproxy-authorization: basic dtpw\r\n"),
                "{shown}"
            );
            assert_adds_up(&exchange);
        }
        let mut request = get("http://nobody.invalid:81");
        request.method = Method::POST;
        request.body = "12345".into();
        assert_eq!(session.send(request).await.sent, 5);
        assert_eq!(proxy.accepted.get(), 1);
        // Another origin has a connection of its own.
        assert!(
            session
                .send(get("http://other.invalid"))
                .await
                .result
                .is_ok()
        );
        assert_eq!(proxy.accepted.get(), 2);
    });
}

#[test]
fn tls_goes_through_a_tunnel() {
    on_thread(async {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server("127.0.0.1", &[])));
        let target = Peer::start(move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut read = Vec::new();
                while stream
                    .read_buf(&mut read)
                    .await
                    .is_ok_and(|length| length > 0)
                {
                    if read.ends_with(b"\r\n\r\n") {
                        let text = ok(&String::from_utf8_lossy(&read));
                        read.clear();
                        stream.write_all(text.as_bytes()).await.unwrap();
                        stream.flush().await.unwrap();
                    }
                }
            }
        })
        .await;
        let proxy = proxy().await;
        let options = Options {
            ca: Some(authority.file().into()),
            ..Options::default()
        };
        let session = through(&proxy, "u:p@", options.clone());
        let url = format!("https://{}", target.address);
        for number in 0..2 {
            let exchange = session.send(get(&url)).await;
            let shown = body(&exchange);
            // The target sees a plain request, and nothing of the proxy.
            assert!(shown.starts_with("GET /a?b HTTP/1.1\r\n"), "{shown}");
            assert!(!shown.contains("proxy"), "{shown}");
            assert_eq!(exchange.phases.tls > 0, number == 0);
            assert_adds_up(&exchange);
        }
        assert_eq!((proxy.accepted.get(), target.accepted.get()), (1, 1));
        let exchange = through(&proxy, "", options).send(get(&url)).await;
        let error = exchange.result.as_ref().unwrap_err();
        let expected = Error::Tunnel(407, "Proxy Authentication Required".into());
        assert_eq!(error, &expected);
        assert!(error.to_string().contains("user:password@"), "{error}");
        assert_adds_up(&exchange);
    });
}

#[test]
fn http2_without_tls_takes_a_tunnel_too() {
    on_thread(async {
        let target = Peer::start(|_, stream| async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let response = hyper::Response::new(());
                respond.send_response(response, true).unwrap();
            }
        })
        .await;
        let proxy = proxy().await;
        let options = Options {
            protocol: Protocol::Http2,
            ..Options::default()
        };
        let session = through(&proxy, "u:p@", options);
        let exchange = session.send(target.get("/")).await;
        assert_eq!(exchange.result.unwrap().status(), 200);
        assert_eq!(target.accepted.get(), 1);
    });
}

#[test]
fn what_goes_wrong_at_the_proxy_is_told_as_such() {
    on_thread(async {
        let nobody = Peer {
            address: closed_port().await,
            accepted: Rc::default(),
        };
        let error = |session: Session, url: &'static str| async move {
            let exchange = session.send(get(url)).await;
            assert_adds_up(&exchange);
            exchange.result.unwrap_err().to_string()
        };
        let session = through(&nobody, "", Options::default());
        assert_eq!(
            error(session, "http://x.invalid").await,
            "proxy: connection refused"
        );
        let working = proxy().await;
        let session = through(&working, "u:p@", Options::default());
        assert_eq!(
            error(session, "https://127.0.0.1:1").await,
            "proxy refused the tunnel: 502 Bad Gateway"
        );
        let mute = Peer::start(|_, stream| async move { drop(stream) }).await;
        let session = through(&mute, "", Options::default());
        let found = error(session, "https://x.invalid").await;
        assert!(found.starts_with("proxy: "), "{found}");
    });
}

async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
