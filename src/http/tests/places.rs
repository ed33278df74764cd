//! Where a server can be besides an IPv4 address: IPv6, Unix sockets.
//! Names of both kinds are tested where they are connected to.

use tokio::net::UnixListener;

use super::super::Protocol;
use super::*;

#[test]
fn an_ipv6_address_is_a_host() {
    on_thread(async {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                while let Some(request) = read_request(&mut stream).await {
                    stream.write_all(ok(&request).as_bytes()).await.unwrap();
                }
            }
        });
        let session = session();
        let base = Base::parse(&format!("http://[::1]:{port}/base")).unwrap();
        let request = Request::new(Method::GET, base.url("/x", &[]).unwrap());
        let exchange = session.send(request).await;
        let shown = body(&exchange);
        assert!(shown.starts_with("GET /base/x HTTP/1.1\r\n"), "{shown}");
        assert!(
            shown.contains(&format!("host: [::1]:{port}\r\n")),
            "{shown}"
        );
        assert_adds_up(&exchange);
    });
}

#[test]
fn a_unix_socket_is_a_host() {
    on_thread(async {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let accepted = Rc::new(Cell::new(0));
        let counter = Rc::clone(&accepted);
        spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.set(counter.get() + 1);
                spawn_local(async move {
                    let mut read = Vec::new();
                    while stream
                        .read_buf(&mut read)
                        .await
                        .is_ok_and(|length| length > 0)
                    {
                        if read.ends_with(b"\r\n\r\n") {
                            let request = String::from_utf8(std::mem::take(&mut read)).unwrap();
                            let text = match request.contains("/moved ") {
                                true => respond(
                                    "302 Found",
                                    "location: /to\r\nset-cookie: a=1; path=/\r\n",
                                    "",
                                ),
                                false => ok(&request),
                            };
                            stream.write_all(text.as_bytes()).await.unwrap();
                        }
                    }
                });
            }
        });
        let host = path.display().to_string().replace('/', "%2F");
        let base = Base::parse(&format!("http+unix://{host}/base")).unwrap();
        assert_eq!(base.origin.to_string(), format!("http+unix://{host}"));
        assert_eq!(base.origin.socket(), Some(path.as_path()));
        let session = session();
        let get = |path: &str| Request::new(Method::GET, base.url(path, &[]).unwrap());
        for _ in 0..2 {
            let exchange = session.send(get("/x?y=1")).await;
            let shown = body(&exchange);
            assert!(shown.starts_with("GET /base/x?y=1 HTTP/1.1\r\n"), "{shown}");
            assert!(shown.contains("host: localhost\r\n"), "{shown}");
            assert_eq!((exchange.phases.dns, exchange.phases.tls), (0, 0));
            assert_adds_up(&exchange);
        }
        // A redirect stays at the socket, and cookies do too.
        let shown = body(&session.send(get("/moved")).await);
        assert!(shown.starts_with("GET /to HTTP/1.1\r\n"), "{shown}");
        assert!(shown.contains("cookie: a=1\r\n"), "{shown}");
        assert_eq!(accepted.get(), 1);
        // Absolute URLs of a request may name one too.
        let elsewhere = Base::parse("http://x.invalid").unwrap();
        let url = elsewhere
            .url(&format!("http+unix://{host}/z"), &[])
            .unwrap();
        assert!(body(&session.send(Request::new(Method::GET, url)).await).starts_with("GET /z "));
        std::fs::remove_file(&path).unwrap();
        session.close_idle();
        let exchange = session.send(get("/")).await;
        assert_eq!(exchange.result.unwrap_err().to_string(), "entity not found");
    });
}

#[test]
fn what_is_no_socket_says_how_one_is_written() {
    for wrong in [
        "http+unix:///run/app.sock",
        "http+unix://%2Frun%2Fapp.sock:80",
    ] {
        let error = Base::parse(wrong).unwrap_err().to_string();
        assert!(error.contains("its slashes as `%2F`"), "{error}");
    }
}

#[test]
fn http2_works_over_a_socket() {
    on_thread(async {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        spawn_local(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert_eq!(request.uri(), "http://localhost/");
                let response = hyper::Response::new(());
                respond.send_response(response, true).unwrap();
            }
        });
        let options = Options {
            protocol: Protocol::Http2,
            ..Options::default()
        };
        let host = path.display().to_string().replace('/', "%2F");
        let base = Base::parse(&format!("http+unix://{host}")).unwrap();
        let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
        let exchange = Session::new(&client(options)).send(request).await;
        assert_eq!(exchange.result.unwrap().status(), 200);
    });
}
