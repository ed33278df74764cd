//! Servers and proxies that mean harm, or only speak out of turn: where they may send us, what
//! they may fill, and what is said of them. Limits of one response are `bounds`'.

use tokio::net::UnixListener;
use tokio::sync::{Notify, Semaphore};

use super::super::{Error, Protocol, Proxy, UrlError};
use super::*;

/// A session of HTTP/2 by prior knowledge.
fn of_http2(options: Options) -> Session {
    Session::new(&client(Options {
        protocol: Protocol::Http2,
        ..options
    }))
}

/// Reads a client's preface and frames until a request has come.
async fn read_http2_request(stream: &mut TcpStream) {
    let mut read = Vec::new();
    loop {
        let mut frames = read.get(24..).unwrap_or_default();
        while let [a, b, c, kind, rest @ ..] = frames {
            if *kind == 1 {
                return;
            }
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            frames = rest.get(5 + length..).unwrap_or_default();
        }
        assert!(stream.read_buf(&mut read).await.unwrap() > 0);
    }
}

/// SETTINGS without any.
const GREETING: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// HEADERS of stream 1 that end it: `:status: 200`.
const ANSWER: [u8; 10] = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];

#[test]
fn a_redirect_leads_to_no_socket() {
    on_thread(async {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let host = path.display().to_string().replace('/', "%2F");
        let peer = Peer::answering(move |request| {
            let scheme = match request.contains("/upper") {
                true => "HTTP+UNIX",
                false => "http+unix",
            };
            let location = format!("location: {scheme}://{host}/containers/create\r\n");
            respond("307 Temporary Redirect", &location, "")
        })
        .await;
        let session = session();
        for path in ["/", "/upper"] {
            let exchange = session.send(peer.post(path, "body")).await;
            let error = exchange.result.as_ref().unwrap_err();
            let refused = UrlError::Redirected("http+unix".into());
            assert_eq!(error, &Error::BadUrl(refused));
            assert!(error.to_string().contains("not followed"), "{error}");
            assert_eq!((exchange.redirects, exchange.sent), (0, 4));
            assert_adds_up(&exchange);
        }
        let nobody = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
        assert!(nobody.is_err());
        // The redirect itself can be looked at.
        let mut request = peer.get("/");
        request.allow_redirects = false;
        assert!(session.send(request).await.result.is_ok());
    });
}

#[test]
fn a_url_that_is_too_long_for_a_proxy_is_a_failure_of_its_own() {
    on_thread(async {
        let proxy = Peer::answering(|request| {
            let (_, length) = request.split_once("/to/").unwrap_or_default();
            match length.split(' ').next().unwrap_or_default().parse() {
                Ok(length) => {
                    let location = format!("location: /{}\r\n", "x".repeat(length));
                    respond("302 Found", &location, "")
                }
                Err(_) => ok("x"),
            }
        })
        .await;
        let url = format!("http://{}", proxy.address);
        let session = Session::new(&client(Options {
            proxy: Some(Proxy::parse(&url).unwrap()),
            ..Options::default()
        }));
        let base = Base::parse("http://nobody.invalid").unwrap();
        let origin_length = "http://nobody.invalid".len();
        for length in [
            65_500, 65_512, 65_513, 65_514, 65_533, 65_534, 65_535, 80_000,
        ] {
            let fits = origin_length + length <= 65_534;
            let path = "/".to_owned() + &"x".repeat(length - 1);
            let direct = base.url(&path, &[]);
            assert_eq!(direct.is_ok(), length <= 65_534);
            let redirecting = base.url(&format!("/to/{}", length - 1), &[]).unwrap();
            for url in direct.into_iter().chain([redirecting]) {
                let exchange = session.send(Request::new(Method::GET, url)).await;
                match exchange.result {
                    Ok(_) => assert!(fits, "{length}"),
                    Err(error) => {
                        assert!(!fits, "{length}: {error}");
                        assert_eq!(error, Error::BadUrl(UrlError::TooLong));
                    }
                }
            }
        }
    });
}

/// Answers one request per connection, sends `rubbish` when notified, then notifies.
async fn speaking_out_of_turn(
    rubbish: &'static str,
    closes: bool,
    (go, said): (Rc<Notify>, Rc<Notify>),
) -> Peer {
    Peer::start(move |_, mut stream| {
        let (go, said) = (Rc::clone(&go), Rc::clone(&said));
        async move {
            read_request(&mut stream).await;
            stream.write_all(ok("x").as_bytes()).await.unwrap();
            go.notified().await;
            stream.write_all(rubbish.as_bytes()).await.unwrap();
            if !closes {
                said.notify_one();
                read_request(&mut stream).await;
            }
            drop(stream);
            said.notify_one();
        }
    })
    .await
}

#[test]
fn what_comes_before_a_request_is_no_answer_to_it() {
    on_thread(async {
        for (rubbish, closes) in [
            (
                "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n",
                true,
            ),
            (
                "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
                false,
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\ny", false),
            ("rubbish", true),
            ("\r\n", false),
        ] {
            for method in [Method::GET, Method::POST] {
                let (go, said) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
                let signs = (Rc::clone(&go), Rc::clone(&said));
                let peer = speaking_out_of_turn(rubbish, closes, signs).await;
                let session = session();
                session.send(peer.get("/")).await.result.unwrap();
                go.notify_one();
                said.notified().await;
                // The runtime looks at its sockets before a task that yielded goes on.
                tokio::task::yield_now().await;
                let mut request = peer.post("/", "data");
                request.method = method;
                let exchange = session.send(request).await;
                assert_eq!(body(&exchange), "x", "{rubbish:?}");
                assert_eq!((exchange.stale_retries, exchange.sent), (1, 4));
                assert_eq!(peer.accepted.get(), 2);
                assert_adds_up(&exchange);
            }
        }
    });
}

#[test]
fn a_new_connection_may_be_answered_before_it_asks() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            let busy = respond("503 Service Unavailable", "connection: close\r\n", "busy");
            stream.write_all(busy.as_bytes()).await.unwrap();
            read_request(&mut stream).await;
        })
        .await;
        let session = session();
        for _ in 0..4 {
            let exchange = session.send(peer.get("/")).await;
            assert_eq!(exchange.result.as_ref().unwrap().status(), 503);
            assert_eq!(
                (body(&exchange).as_str(), exchange.stale_retries),
                ("busy", 0)
            );
        }
    });
}

#[test]
fn what_follows_the_head_of_a_tunnel_is_the_targets() {
    on_thread(async {
        let heads = [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\n\r\n",
            "HTTP/1.0 200 OK\nx: y\n\n",
            "HTTP/1.1 103 Early Hints\nx: y\n\r\nHTTP/1.1 299 Fine\n\n",
        ];
        for head in heads {
            for at_once in [true, false] {
                let proxy = Peer::start(move |_, mut stream| async move {
                    read_request(&mut stream).await;
                    let all = [head.as_bytes(), &GREETING].concat();
                    for part in all.chunks(if at_once { all.len() } else { 1 }) {
                        stream.write_all(part).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    read_http2_request(&mut stream).await;
                    stream.write_all(&ANSWER).await.unwrap();
                    let _ = stream.read_buf(&mut Vec::new()).await;
                })
                .await;
                let url = format!("http://{}", proxy.address);
                let session = of_http2(Options {
                    proxy: Some(Proxy::parse(&url).unwrap()),
                    ..Options::default()
                });
                let base = Base::parse("http://nobody.invalid").unwrap();
                let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
                let exchange = session.send(request).await;
                assert_eq!(exchange.result.unwrap().status(), 200, "{head:?}");
            }
        }
    });
}

#[test]
fn a_rule_of_http2_that_is_broken_is_named() {
    on_thread(async {
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
        let cases: [(&[u8], &str); 5] = [
            // DATA of no stream; a frame of 16,385 bytes.
            (
                &[0, 0, 0, 0, 0, 0, 0, 0, 0],
                "broke the rules: PROTOCOL_ERROR (",
            ),
            (
                &[0, 0x40, 1, 0, 0, 0, 0, 0, 1],
                "broke the rules: FRAME_SIZE_ERROR (",
            ),
            // A window that overflows.
            (
                &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
                "broke the rules: FLOW_CONTROL_ERROR (",
            ),
            (&goaway, "server closed the connection: ENHANCE_YOUR_CALM"),
            (&[], "server closed the connection without a response"),
        ];
        for (answer, expected) in cases {
            let answer = answer.to_vec();
            let peer = Peer::start(move |_, mut stream| {
                let all = [&GREETING, answer.as_slice()].concat();
                let is_over = answer.is_empty();
                async move {
                    read_http2_request(&mut stream).await;
                    stream.write_all(&all).await.unwrap();
                    if !is_over {
                        while stream
                            .read_buf(&mut Vec::new())
                            .await
                            .is_ok_and(|it| it > 0)
                        {}
                    }
                }
            })
            .await;
            let session = of_http2(Options::default());
            let exchange = session.send(peer.get("/")).await;
            let error = exchange.result.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}, not {expected}");
        }
    });
}

#[test]
fn connections_of_http2_are_kept_for_so_many_origins() {
    on_thread(async {
        let session = of_http2(Options {
            concurrency: 3,
            ..Options::default()
        });
        let closed = Rc::new(Semaphore::new(0));
        let mut peers = Vec::new();
        for _ in 0..8 {
            let closing = Rc::clone(&closed);
            let peer = Peer::start(move |_, mut stream| {
                let closing = Rc::clone(&closing);
                async move {
                    stream.write_all(&GREETING).await.unwrap();
                    read_http2_request(&mut stream).await;
                    stream.write_all(&ANSWER).await.unwrap();
                    while stream
                        .read_buf(&mut Vec::new())
                        .await
                        .is_ok_and(|it| it > 0)
                    {}
                    closing.add_permits(1);
                }
            })
            .await;
            assert!(session.send(peer.get("/")).await.result.is_ok());
            peers.push(peer);
            let kept = session.state.borrow().as_ref().unwrap().shared.len();
            assert_eq!(kept, peers.len().min(3));
            if peers.len() > 3 {
                closed.acquire().await.unwrap().forget();
            }
        }
        session.close_idle();
        closed.acquire_many(3).await.unwrap().forget();
    });
}
