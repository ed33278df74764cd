//! The web UI's server: the page, the API, and Locust's endpoints.
//!
//! Owns HTTP, on a thread of its own that is nice to the load threads: it reads views and asks the
//! desk, and holds up neither. What is shown is decided by `control`; how it looks, in `web/` at the
//! top of the repository.
//!
//! ```text
//! Desk ─► watch<Arc<View>> ─► frames ─► live (streams, polls) ─► browsers
//! Desk ◄─ DeskHandle ◄─ api, locust ◄─ access (hosts, origins, tokens) ◄┘
//! ```

mod access;
mod api;
mod assets;
mod command_line;
mod compare;
mod downloads;
mod figures;
mod forms;
mod frames;
mod live;
mod locust;
mod pausing;
mod problem;
mod report;
mod requests;
mod routes;
mod script;
mod serve;
mod tls;
mod wishes;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;

use self::access::Access;
use self::assets::Asset;
use self::live::{Streams, Told};
use self::problem::Problem;
use crate::control::DeskHandle;

pub(crate) use report::Html;
pub(crate) use serve::{Server, start};

/// How the UI is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Where to listen; empty for the port on this machine's loopback addresses.
    pub(crate) host: Option<std::net::IpAddr>,
    /// The port; 0 takes a free one.
    pub(crate) port: u16,
    /// Takes a free one, too, if another program listens on that port.
    pub(crate) may_move: bool,
    /// Everything lies below it; empty or such as `/katydid`.
    pub(crate) base_path: String,
    /// What must be shown; made if it is needed and missing.
    pub(crate) token: Option<String>,
    /// Origins of proxies that rewrite `Host`.
    pub(crate) origins: Vec<String>,
    /// Every change is refused.
    pub(crate) is_read_only: bool,
    /// Certificates and key, each a PEM file.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// It shows the coupon shop of Katydid's own.
    pub(crate) is_demo: bool,
}

/// What all handlers share.
struct Shared {
    desk: DeskHandle,
    access: Access,
    /// Names the process: another one that answers at the same address has another.
    instance: String,
    options: Options,
    streams: Streams,
    told: Told,
    assets: &'static [Asset],
}

/// All routes, below the base path.
fn router(shared: &Arc<Shared>) -> Router {
    // The page itself comes below: nested, `/` would be the base path without its slash.
    let routes = routes::all()
        .into_iter()
        .filter(|(_, path, _)| *path != "/");
    let routes = routes.fold(Router::new(), |all, (_, path, route)| {
        all.route(path, route)
    });
    let base = shared.options.base_path.as_str();
    let router = match base {
        "" => routes.route("/", get(assets::page)),
        base => Router::new()
            .nest(base, routes)
            .route(base, get(assets::redirect))
            .route(&format!("{base}/"), get(assets::page)),
    };
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
        })
        .layer(DefaultBodyLimit::max(requests::LONGEST_BODY))
        .layer(middleware::from_fn_with_state(shared.clone(), serve::guard))
        .with_state(shared.clone())
}

/// The address of a client.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);
