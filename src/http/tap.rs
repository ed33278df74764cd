//! Observing requests as they are sent and answered: for debugging, never under load.
//!
//! Owns what can be seen of each hop. The observer decides what to show and what to hide.

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode, Version};

use super::url::Url;

/// Sees each hop of each request, redirects and retries included.
pub trait Tap {
    /// A request is about to be sent, with all headers except those about its length.
    fn sends(&self, hop: &SentHop<'_>);

    /// The head of a response has arrived.
    fn answers(&self, hop: &AnsweredHop<'_>);
}

/// A request as it is sent.
#[derive(Debug)]
pub struct SentHop<'a> {
    /// The method.
    pub method: &'a Method,
    /// Where to.
    pub url: &'a Url,
    /// All headers except those about its length.
    pub headers: &'a HeaderMap,
    /// The body; empty for none.
    pub body: &'a Bytes,
}

/// The head of a response.
#[derive(Debug)]
pub struct AnsweredHop<'a> {
    /// The method of its request.
    pub method: &'a Method,
    /// The URL of its request.
    pub url: &'a Url,
    /// The version of HTTP of the response.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
}
