//! A response: head, raw body, and the body decoded on demand.
//!
//! Whether its status is a success is for the caller to say.

use std::borrow::Cow;
use std::fmt;
use std::mem;

use bytes::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{AsHeaderName, CONTENT_ENCODING, HeaderValue, SET_COOKIE};
use hyper::http::Extensions;
use hyper::{HeaderMap, StatusCode, Version};

use super::client::Client;
use super::decode::decode;
use super::failure::Error;
use super::streamed::StreamedBody;
use super::url::Url;

/// A response with its whole body, unless it was to be streamed. Dropping it gives the memory of its headers to the next
/// request of the thread.
pub struct Response {
    pub(super) client: Client,
    pub(super) status: StatusCode,
    /// With the reason phrase, if the server has one of its own.
    pub(super) extensions: Extensions,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) coming: Option<Box<StreamedBody>>,
    pub(super) url: Url,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase as the server wrote it.
    #[must_use]
    pub fn reason(&self) -> Cow<'_, str> {
        match self.extensions.get::<ReasonPhrase>() {
            Some(reason) => String::from_utf8_lossy(reason.as_bytes()),
            // hyper keeps only those that differ from the canonical one.
            None => Cow::Borrowed(self.status.canonical_reason().unwrap_or_default()),
        }
    }

    /// The version of HTTP in the status line.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: impl AsHeaderName) -> Option<&HeaderValue> {
        self.headers.get(name)
    }

    /// Names and values of the cookies that this response sets, without their attributes.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .filter_map(|text| {
                let pair = text.split(';').next().unwrap_or_default();
                let (name, value) = pair.split_once('=')?;
                Some((name.trim(), value.trim()))
            })
    }

    /// The body as it was transferred.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body with its content encodings undone; decoded anew at each call, shared if there
    /// are none.
    ///
    /// # Errors
    /// When the data is damaged, the encoding unknown, or the result larger than `body_limit`.
    pub fn decoded_body(&self) -> Result<Bytes, Error> {
        decode(
            encodings(&self.headers).into_iter(),
            &self.body,
            self.client.options().body_limit,
        )
    }

    /// The body of a request with `stream`, once; [`body`](Response::body) is empty then.
    /// Dropping it unread closes the connection, or resets the stream of HTTP/2.
    pub fn take_body(&mut self) -> Option<Box<StreamedBody>> {
        self.coming.take()
    }

    /// The URL of the last request, after redirects.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// The content encodings, in the order in which they were applied.
pub(super) fn encodings(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    values
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .collect()
}

impl Drop for Response {
    fn drop(&mut self) {
        self.client.give_map(mem::take(&mut self.headers));
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}
