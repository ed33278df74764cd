//! A response: head, raw body, and the body decoded on demand.
//!
//! Whether its status is a success is for the caller to say.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, SET_COOKIE};
use hyper::http::Extensions;
use hyper::http::response::Parts;
use hyper::{HeaderMap, StatusCode, Version};

use super::body_buffer::ReceivedBody;
use super::charset::Charset;
use super::client::Client;
use super::decode::decode;
use super::failure::Error;
use super::memory::UNCOUNTED;
use super::streamed::StreamedBody;
use super::url::Url;

/// A response with its whole body, unless it is streamed. Dropping it leaves the memory of its
/// headers to the thread's next request.
pub struct Response {
    pub(super) client: Client,
    pub(super) status: StatusCode,
    /// Contains the reason phrase, if the server sent its own.
    pub(super) extensions: Extensions,
    pub(super) version: Version,
    /// `None` only while it is dropped: dropping an emptied map costs more than asking for it.
    headers: Option<HeaderMap>,
    /// Empty if it was not kept.
    pub(super) body: RefCell<Bytes>,
    pub(super) length: u64,
    pub(super) coming: Option<Box<StreamedBody>>,
    pub(super) url: Url,
}

impl Response {
    /// A response of which only the head has arrived. Boxed at once: a head is large, and each hand
    /// that it passes through would copy it.
    pub(super) fn begun(head: Parts, client: &Client, url: &Url) -> Box<Response> {
        Box::new(Response {
            client: client.clone(),
            status: head.status,
            extensions: head.extensions,
            version: head.version,
            headers: Some(head.headers),
            body: RefCell::default(),
            length: 0,
            coming: None,
            url: url.clone(),
        })
    }

    /// Adds the whole body.
    pub(super) fn keep(&mut self, read: ReceivedBody) {
        self.length = read.length;
        *self.body.get_mut() = read.body;
    }

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
            // hyper keeps it only if it differs from the canonical one.
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
        self.headers.as_ref().expect("it is not being dropped")
    }

    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: impl AsHeaderName) -> Option<&HeaderValue> {
        self.headers().get(name)
    }

    /// Names and values of the cookies that this response sets, without their attributes.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .filter_map(|text| {
                let pair = text.split(';').next().unwrap_or_default();
                let (name, value) = pair.split_once('=')?;
                Some((name.trim(), value.trim()))
            })
    }

    /// The body as transferred.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.body.borrow().clone()
    }

    /// The length of the body as transferred, kept or not.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether the body has content encodings or was not kept; otherwise [`body`](Response::body)
    /// needs no decoding.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        self.headers().contains_key(CONTENT_ENCODING) || self.is_discarded()
    }

    /// Drops a large body that can no longer be read by anyone.
    pub fn discard_body(&self) {
        if self.length > UNCOUNTED {
            self.body.take();
        }
    }

    fn is_discarded(&self) -> bool {
        self.length > 0 && self.body.borrow().is_empty()
    }

    /// The body with its content encodings undone; decoded at each call, shared if there are none.
    /// Yields to other tasks of the thread if it takes long.
    ///
    /// # Errors
    /// When the data is damaged, the encoding unknown, the result larger than `body_limit`, or
    /// the body was not kept.
    pub async fn decode_body(&self) -> Result<Bytes, Error> {
        if self.is_discarded() {
            return Err(Error::Body("it was not kept"));
        }
        let encodings = encodings(self.headers());
        let limit = self.client.options().body_limit;
        decode(&encodings, &self.body(), limit).await
    }

    /// Decodes the body as [`decode_body`](Response::decode_body) does, but without yielding.
    ///
    /// # Errors
    /// As [`decode_body`](Response::decode_body).
    pub fn decoded_body(&self) -> Result<Bytes, Error> {
        let mut decoding = pin!(self.decode_body());
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(decoded) = decoding.as_mut().poll(&mut cx) {
                return decoded;
            }
        }
    }

    /// The charset of its text.
    #[must_use]
    pub fn charset(&self) -> Charset {
        Charset::of(self.headers().get(CONTENT_TYPE))
    }

    /// The body of a streamed response, once; [`body`](Response::body) is empty then. Dropping it
    /// unread closes the connection, or resets the stream of HTTP/2.
    pub fn take_body(&mut self) -> Option<Box<StreamedBody>> {
        self.coming.take()
    }

    /// The URL of the last request, after redirects.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// The content encodings, in the order in which they were applied; those that change nothing are
/// left out.
pub(super) fn encodings(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    values
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"))
        .collect()
}

impl Drop for Response {
    fn drop(&mut self) {
        if let Some(headers) = self.headers.take() {
            self.client.give_map(headers);
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &self.url)
            .field("headers", self.headers())
            .field("body_length", &self.length)
            .finish_non_exhaustive()
    }
}
