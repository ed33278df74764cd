//! The page and its parts, as the build has made them from `web/`.
//!
//! A build without npm has a plain page in their place, which says what is missing.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;

/// A file of the page.
pub(super) struct Asset {
    /// Such as `assets/main-1A2B3C.js`.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) etag: &'static str,
    pub(super) plain: &'static [u8],
    pub(super) gzip: &'static [u8],
    pub(super) brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page's files, as the build made them; none if it made none.
pub(super) fn built() -> &'static [Asset] {
    ASSETS
}

/// In place of a page that was not built.
const NO_PAGE: &str = include_str!("no_page.html");

/// The file at a path.
pub(super) fn find(all: &'static [Asset], path: &str) -> Option<&'static Asset> {
    all.iter().find(|asset| asset.path == path)
}

/// The page itself.
pub(super) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match find(shared.assets, "index.html") {
        Some(asset) => deliver(asset, &headers),
        None => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            ([(header::CONTENT_TYPE, html)], NO_PAGE).into_response()
        }
    }
}

/// A part of the page.
pub(super) async fn asset(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match find(shared.assets, &format!("assets/{path}")) {
        Some(asset) => deliver(asset, &headers),
        None => Problem::new(StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}

/// From the base path to the page below it, whose addresses are relative.
pub(super) async fn redirect(State(shared): State<Arc<Shared>>) -> Response {
    let to = format!("{}/", shared.options.base_path);
    axum::response::Redirect::permanent(&to).into_response()
}

fn deliver(asset: &Asset, headers: &HeaderMap) -> Response {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if text(header::IF_NONE_MATCH) == Some(asset.etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let accepted = text(header::ACCEPT_ENCODING).unwrap_or_default();
    let accepts = |coding: &str| {
        accepted.split(',').any(|one| {
            let (name, weight) = one.split_once(';').unwrap_or((one, ""));
            name.trim() == coding && weight.replace(' ', "") != "q=0"
        })
    };
    let (body, coding) = if accepts("br") {
        (asset.brotli, Some("br"))
    } else if accepts("gzip") {
        (asset.gzip, Some("gzip"))
    } else {
        (asset.plain, None)
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let mut set = |name, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, asset.content_type);
    set(header::ETAG, asset.etag);
    set(header::VARY, "accept-encoding");
    if let Some(coding) = coding {
        set(header::CONTENT_ENCODING, coding);
    }
    response
}
