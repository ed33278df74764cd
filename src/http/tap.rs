//! Looking on while requests are sent and answered: for debugging, never under load.
//!
//! Owns what can be seen of each hop. What is shown of it, and hidden, is the looker's business.

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode, Version};

use super::url::Url;

/// Sees each hop of each request: redirects, repetitions and all.
pub trait Tap {
    /// A request is about to be sent, with all its headers but those of its length.
    fn sends(&self, hop: &SentHop<'_>);

    /// The head of an answer has come.
    fn answers(&self, hop: &AnsweredHop<'_>);
}

/// A request as it is sent.
#[derive(Debug)]
pub struct SentHop<'a> {
    /// The method.
    pub method: &'a Method,
    /// Where to.
    pub url: &'a Url,
    /// All headers but those of its length.
    pub headers: &'a HeaderMap,
    /// The body; empty for none.
    pub body: &'a Bytes,
}

/// The head of an answer.
#[derive(Debug)]
pub struct AnsweredHop<'a> {
    /// The method of its request.
    pub method: &'a Method,
    /// What its request went to.
    pub url: &'a Url,
    /// The version of HTTP it was answered with.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
}
