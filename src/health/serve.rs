//! The thread that answers.
//!
//! Owns its socket and what a client may cost: one request a connection, few connections at a time,
//! and none for long.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use super::{Health, Question};
use crate::clock;

/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 16;

/// How long a client may take: probes wait less.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long accepting pauses when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers on this port of all addresses, on a thread that ends with the process; 0 takes a free
/// port. Returns where.
///
/// # Errors
/// When the port is taken, or there is no thread to be had.
pub fn serve(port: u16, health: Health) -> io::Result<SocketAddr> {
    // Takes IPv4 too; where a kernel has no IPv6, that alone.
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = thread::Builder::new().name("health".to_owned());
    thread.spawn(move || runtime.block_on(accept(listener, health)))?;
    Ok(address)
}

async fn accept(listener: TcpListener, health: Health) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(seat) = free.clone().acquire_owned().await {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let health = health.clone();
        tokio::spawn(async move {
            let _seat = seat;
            let service = service_fn(|request| {
                let response = respond(&health, &request);
                async { Ok::<_, Infallible>(response) }
            });
            let mut http = http1::Builder::new();
            http.keep_alive(false);
            let served = http.serve_connection(TokioIo::new(socket), service);
            // Whatever goes wrong with it concerns nobody else.
            let _ = tokio::time::timeout(PATIENCE, served).await;
        });
    }
}

fn respond(health: &Health, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let asked = Question::at(request.uri().path());
    let (status, text) = match asked {
        Some(question) => health.answer(question, clock::now()),
        None => (404, "there are /livez and /readyz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
