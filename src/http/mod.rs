//! HTTP requests exactly as asked for, with truthful timings: connections, TLS, cookies, redirects,
//! bodies, decoding and seven timed phases.
//!
//! Knows no scripts and no statistics: the caller decides from the [`Exchange`] what counts as a
//! success and under which name it is recorded. Nothing here is `Send`: a [`Client`] and its
//! [`Session`]s belong to one thread.
//!
//! ```text
//! Session::send ─► an idle connection, or connect (dns, tcp, tls) ─► connection (hyper) or
//!        ▲                                                    multiplex (h2) ─► Exchange
//!        │                                                                   │
//!        └──────── redirect, stale keep-alive, retry ◄───────────────────────┘
//! ```

mod acquire;
mod body_buffer;
mod charset;
mod client;
mod connect;
mod connection;
mod cookies;
mod credentials;
mod decode;
mod decoder;
mod encoding;
mod exchange;
mod failure;
mod headers;
mod idle;
mod io;
mod memory;
mod multiplex;
mod origin;
mod progress;
mod proxy;
mod redirect;
mod refused;
mod request;
mod reread;
mod resolve;
mod response;
mod session;
mod slot;
mod state;
mod stream;
mod streamed;
mod tap;
#[cfg(test)]
mod tests;
mod timeline;
mod tls;
mod url;
mod wire;

pub use crate::certificates::TlsError;
pub use charset::Charset;
pub use client::{Client, Options, Protocol};
pub use credentials::without_credentials;
pub use exchange::Exchange;
pub use failure::{Error, Limit};
pub use memory::{Share as BodyShare, limit_bodies};
pub use origin::Origin;
pub use proxy::{Proxy, ProxyError};
pub use refused::{Reason, RefusedCookie};
pub use request::{Request, basic_auth};
pub use response::Response;
pub use session::Session;
pub use streamed::StreamedBody;
pub use tap::{AnsweredHop, SentHop, Tap};
pub use timeline::Phases;
pub use url::{Base, Url, UrlError, is_absolute};
