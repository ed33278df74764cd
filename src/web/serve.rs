//! The thread that serves: sockets, TLS, and what every request passes.
//!
//! Owns the limits on connections and the headers of every response; `access` decides who may ask.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::access::{Access, Rules};
use super::assets::{self, Asset};
use super::live::{PATIENCE, Streams, Told};
use super::{Options, Peer, Shared, router};
use crate::control::DeskHandle;
use crate::random;

/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 256;

/// How long a client may take for the head of a request, or for its side of TLS.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last events may take to reach browsers when the process ends.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// How long accepting pauses when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the system holds for a client that does not read; by itself it would go up to 4 MB.
const SEND_BUFFER: usize = 256 << 10;

/// Nicer to everything else than the load threads are.
const NICE: i32 = 10;

/// The header of every response: scripts and styles of the page alone, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' \
                      blob: data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Why the UI can't be served.
#[derive(Debug)]
pub(crate) enum WebError {
    /// The address can't be listened on.
    Listen(SocketAddr, io::Error),
    /// The certificate or the key can't be used.
    Tls(String),
    /// The thread can't be started.
    Thread(io::Error),
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebError::Listen(address, error) => {
                write!(f, "cannot serve the web UI on {address}: {error}")
            }
            WebError::Tls(why) => write!(f, "cannot serve the web UI by TLS: {why}"),
            WebError::Thread(error) => write!(f, "cannot start the thread of the web UI: {error}"),
        }
    }
}

impl WebError {
    /// What to do about it.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            WebError::Listen(_, error) if error.kind() == io::ErrorKind::AddrInUse => Some(
                "another program listens there: choose a port by `--web-port N` (0 takes a free \
                 one), or start without the UI by `--headless`",
            ),
            WebError::Listen(..) => Some("choose an address of this machine by `--web-host`"),
            WebError::Tls(_) | WebError::Thread(_) => None,
        }
    }
}

impl std::error::Error for WebError {}

/// The running server. It ends when this is dropped.
pub(crate) struct Server {
    link: String,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// What to open in a browser; has the token in it, if there is one.
    #[must_use]
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    /// Lets the last events reach browsers, and ends.
    pub(crate) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It fails only by a panic, which has been reported.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Serves the UI on a thread of its own.
///
/// # Errors
/// When the address, the certificate or the thread is not to be had.
pub(crate) fn start(options: Options, desk: DeskHandle) -> Result<Server, WebError> {
    start_with(assets::built(), options, desk)
}

/// Serves the UI with these files as its page.
fn start_with(
    assets: &'static [Asset],
    mut options: Options,
    desk: DeskHandle,
) -> Result<Server, WebError> {
    let listeners = match listen(options.host, options.port) {
        Err(WebError::Listen(_, error))
            if options.may_move && error.kind() == io::ErrorKind::AddrInUse =>
        {
            listen(options.host, 0)?
        }
        listeners => listeners?,
    };
    let port = listeners[0].1.port();
    let is_loopback = listeners
        .iter()
        .all(|(_, address)| address.ip().is_loopback());
    if !is_loopback && options.token.is_none() {
        options.token = Some(random_text());
    }
    let acceptor = match &options.tls {
        Some((certificates, key)) => {
            let config = super::tls::config(certificates, key).map_err(WebError::Tls)?;
            Some(TlsAcceptor::from(config))
        }
        None => None,
    };
    let link = link(&options, listeners[0].1);
    let access = Access::new(Rules {
        token: options.token.clone(),
        port,
        base_path: options.base_path.clone(),
        is_loopback,
        is_read_only: options.is_read_only,
        is_tls: acceptor.is_some(),
        origins: options.origins.clone(),
    });
    let shared = Arc::new(Shared {
        desk,
        access,
        instance: random_text(),
        options,
        streams: Streams::default(),
        told: Told::default(),
        assets,
    });
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(WebError::Thread)?;
    let thread = thread::Builder::new()
        .name("web".to_owned())
        .spawn(move || {
            // Where it may not be nicer, it is as nice as the others.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
            runtime.block_on(run(listeners, acceptor, shared, stopped));
        })
        .map_err(WebError::Thread)?;
    Ok(Server {
        link,
        stop,
        thread: Some(thread),
    })
}

type Listening = (std::net::TcpListener, SocketAddr);

/// The sockets; for loopback one of each family, as far as the machine has them.
fn listen(host: Option<IpAddr>, port: u16) -> Result<Vec<Listening>, WebError> {
    let first = SocketAddr::new(host.unwrap_or(Ipv4Addr::LOCALHOST.into()), port);
    let mut all = vec![bind(first).map_err(|error| WebError::Listen(first, error))?];
    if host.is_none() {
        let second = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), all[0].1.port());
        match bind(second) {
            Ok(listening) => all.push(listening),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port != 0 => {
                return Err(WebError::Listen(second, error));
            }
            // Without IPv6, or with the port taken there, one is enough.
            Err(_) => {}
        }
    }
    Ok(all)
}

fn bind(address: SocketAddr) -> io::Result<Listening> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// 128 random bits, as text.
fn random_text() -> String {
    match random::bytes::<16>() {
        Ok(bytes) => BASE64_URL_SAFE_NO_PAD.encode(bytes),
        Err(error) => panic!("the system has no random numbers: {error}"),
    }
}

fn link(options: &Options, address: SocketAddr) -> String {
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let (port, path) = (address.port(), &options.base_path);
    let token = options
        .token
        .as_ref()
        .map(|token| format!("/#token={token}"));
    format!(
        "{scheme}://{host}:{port}{path}{}",
        token.unwrap_or_default()
    )
}

async fn run(
    listeners: Vec<Listening>,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let router = router(&shared);
    tokio::spawn(Told::keep(shared));
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    for (listener, _) in listeners {
        let Ok(listener) = TcpListener::from_std(listener) else {
            continue;
        };
        tokio::spawn(accept(
            listener,
            router.clone(),
            acceptor.clone(),
            free.clone(),
        ));
    }
    let _ = stopped.wait_for(|stopped| *stopped).await;
    // Streams have the end in their queues; connections end with the runtime.
    tokio::time::sleep(LAST_WORDS).await;
}

async fn accept(
    listener: TcpListener,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    free: Arc<Semaphore>,
) {
    loop {
        let Ok(seat) = free.clone().acquire_owned().await else {
            return;
        };
        let Ok((socket, peer)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, acceptor) = (router.clone(), acceptor.clone());
        tokio::spawn(async move {
            let _seat = seat;
            serve(socket, peer, router, acceptor).await;
        });
    }
}

/// Serves one connection; whatever goes wrong with it concerns nobody else.
async fn serve(socket: TcpStream, peer: SocketAddr, router: Router, acceptor: Option<TlsAcceptor>) {
    let _ = socket.set_nodelay(true);
    // Where these are not to be had, a client that does not read costs more, and nothing else.
    let options = SockRef::from(&socket);
    let _ = options.set_send_buffer_size(SEND_BUFFER);
    let _ = options.set_tcp_user_timeout(Some(PATIENCE));
    let router = router.layer(axum::Extension(Peer(peer)));
    let service = TowerToHyperService::new(router);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    match acceptor {
        None => {
            let _ = http.serve_connection(TokioIo::new(socket), service).await;
        }
        Some(acceptor) => {
            let shaken = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(socket)).await;
            if let Ok(Ok(socket)) = shaken {
                let _ = http.serve_connection(TokioIo::new(socket), service).await;
            }
        }
    }
}

/// What every request passes before its handler, and every response after it.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let whole = request.uri().path();
    let path = whole
        .strip_prefix(shared.options.base_path.as_str())
        .unwrap_or(whole);
    let path = if path.is_empty() { "/" } else { path };
    let is_asset = path.starts_with("/assets/");
    let checked = shared
        .access
        .check(request.method(), request.uri(), request.headers(), path);
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let is_ok = response.status().is_success();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    let keep = match is_asset && is_ok {
        true => "public, max-age=31536000, immutable",
        false => "no-store",
    };
    set(header::CACHE_CONTROL, keep);
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::control::{
        self, CheckInput, Control, Desk, DeskEvent, Happening, Interrupts, ScriptSource, Wish,
    };
    use crate::script::Bundle;

    fn get(port: u16, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        all
    }

    /// A desk that has had a run of three samples.
    async fn desk() -> Desk {
        let text = r#"user("U", #{ t: task(|| {
            record(#{ type: "x", name: "<r>", response_time: 1 });
        }) });"#;
        let bundle = Bundle::from_text("script.rhai", text);
        let checked = control::evaluate(bundle.clone(), &CheckInput::default());
        let control = Control::new(Interrupts::listen(|| 0).unwrap());
        let wish = Wish {
            iterations: Some(Some(3)),
            threads: Some(1),
            ..Wish::default()
        };
        let source = ScriptSource::Text(bundle);
        let mut desk = Desk::new(control, source, wish, &checked, |_| {});
        desk.begin(checked).await.unwrap();
        loop {
            if let DeskEvent::Happening(Happening::Finished(_)) = desk.next().await {
                return desk;
            }
        }
    }

    #[test]
    fn without_a_page_everything_else_is_served() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        let desk = runtime.block_on(desk());
        let server = start_with(&[], Options::default(), desk.handle()).unwrap();
        let port = server.link().rsplit_once(':').unwrap().1.parse().unwrap();
        let page = get(port, "/");
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("without its web UI"));
        assert!(page.contains("content-security-policy: default-src 'none'"));
        // What it leads to is there.
        let links: Vec<_> = page
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(links.len(), 4, "{page}");
        for link in links {
            let answer = get(port, &format!("/{link}"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{link}: {answer}");
        }
        assert!(get(port, "/assets/main.js").starts_with("HTTP/1.1 404"));
        assert!(get(port, "/api/v1/info").contains("\"has_ui\":false"));
        assert!(get(port, "/api/v1/state").contains("\"state\":\"stopped\""));
        let report = get(port, "/stats/report");
        assert!(report.contains("its reports have no charts"), "{report}");
        assert!(
            report.contains("\"requests\": 3") && report.contains("&lt;r>"),
            "{report}"
        );
        assert!(
            !report.contains("<r>") && !report.contains("<script"),
            "{report}"
        );
        server.close();
    }
}
