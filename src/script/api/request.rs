//! The options of a request, its `#{…}`.
//!
//! Owns reading them; `sending` sends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderValue};
use rhai::{Array, Blob, Dynamic, EvalAltResult, Map};

use super::fields::{FieldError, fields, header, pairs};
use super::headers;
use super::json;
use super::multipart;
use crate::http;
use crate::language;
use crate::script::load::class::credentials;
use crate::script::results::Result;
use crate::script::run::user::User;
use crate::script::value;

/// The options of one request.
pub(crate) struct RequestOptions {
    /// The row it counts under, if not its path.
    pub(crate) name: Option<String>,
    /// Query parameters, added to the path.
    pub(crate) params: Vec<(String, String)>,
    /// The only statuses that are right; empty for all below 400.
    pub(crate) expect: Vec<u16>,
    /// Whether redirects are followed, if the script says.
    pub(crate) allow_redirects: Option<bool>,
    /// Whether it enters the statistics.
    pub(crate) record: bool,
    /// The protocol that it counts as, if not HTTP.
    pub(crate) protocol: Option<Arc<str>>,
    headers: HeaderMap,
    body: Option<(Bytes, Option<HeaderValue>)>,
    timeout: Option<Duration>,
    cookies: Option<bool>,
    stream: bool,
}

impl RequestOptions {
    /// Reads the options of a request.
    ///
    /// Files are found beside the script `source`.
    pub(crate) fn read(options: &Map, user: &User, source: &str) -> Result<RequestOptions> {
        let mut asked = RequestOptions {
            name: None,
            params: Vec::new(),
            expect: Vec::new(),
            allow_redirects: None,
            record: true,
            protocol: None,
            headers: HeaderMap::new(),
            body: None,
            timeout: None,
            cookies: None,
            stream: false,
        };
        let mut has_parts = false;
        for (key, value) in options {
            if key == "multipart" {
                let (uploads, files) = (&user.thread.uploads, &user.generation.program.files);
                let body = multipart::body(value, uploads, files, source);
                let (body, content_type) = body.map_err(|wrong| format!("`multipart`: {wrong}"))?;
                asked.set_body(body, Some(content_type))?;
                has_parts = true;
            } else {
                asked.set(key, value)?;
            }
        }
        if has_parts && asked.headers.contains_key(CONTENT_TYPE) {
            return Err(
                "`multipart` makes its own `Content-Type`, which names the boundary: leave it out"
                    .into(),
            );
        }
        Ok(asked)
    }

    fn set(&mut self, key: &str, value: &Dynamic) -> Result<()> {
        let no = |what: &str| {
            let kind = value::kind(value);
            format!("the request option `{key}` is {what}, not {kind}")
        };
        let wrong = |what: &str| -> Box<EvalAltResult> { no(what).into() };
        let no_pairs = |bad: FieldError| bad.said(key, || no("a map"));
        match key {
            "name" => self.name = Some(value::text(value).ok_or_else(|| wrong("text"))?),
            "headers" => {
                let given = pairs(value).map_err(no_pairs)?;
                headers::within(&given)?;
                for (name, value) in given {
                    let (name, value) = header(&name, &value)?;
                    self.headers.append(name, value);
                }
            }
            "params" => self.params = fields(value).map_err(no_pairs)?,
            "json" => {
                self.set_body(
                    json::written(value)?.into(),
                    Some(HeaderValue::from_static("application/json")),
                )?;
            }
            "form" => {
                let fields = fields(value).map_err(no_pairs)?;
                let text = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(fields)
                    .finish();
                self.set_body(
                    text.into(),
                    Some(HeaderValue::from_static(
                        "application/x-www-form-urlencoded",
                    )),
                )?;
            }
            "body" => {
                let body = if let Some(bytes) = value.read_lock::<Blob>() {
                    Bytes::copy_from_slice(&bytes)
                } else {
                    value::text(value)
                        .ok_or_else(|| wrong("text or bytes"))?
                        .into()
                };
                self.set_body(body, None)?;
            }
            "auth" => {
                let (user, password) =
                    credentials(value).ok_or_else(|| wrong("`[\"user\", \"password\"]`"))?;
                self.headers
                    .insert(AUTHORIZATION, http::basic_auth(&user, &password));
            }
            "timeout" => self.timeout = Some(value::duration(value)?),
            "allow_redirects" => {
                let follow = value.as_bool().map_err(|_| wrong("true or false"))?;
                self.allow_redirects = Some(follow);
            }
            "stream" => {
                self.stream = value.as_bool().map_err(|_| wrong("true or false"))?;
            }
            "cookies" => {
                self.set_cookies(value)
                    .map_err(|bad| bad.said(key, || no("a map, true or false")))?;
                let cookies = self.headers.get(COOKIE);
                headers::check(1, cookies.map_or(0, HeaderValue::len))?;
            }
            "expect" => {
                self.expect = statuses(value)
                    .ok_or_else(|| wrong("a status such as 200, or an array of them"))?;
            }
            "record" => self.record = value.as_bool().map_err(|_| wrong("true or false"))?,
            "type" => self.protocol = Some(value::protocol(value)?),
            other => return Err(unknown(other).into()),
        }
        Ok(())
    }

    fn set_body(&mut self, body: Bytes, content_type: Option<HeaderValue>) -> Result<()> {
        if self.body.is_some() {
            return Err("a request has one body: `json`, `form`, `multipart` or `body`".into());
        }
        self.body = Some((body, content_type));
        Ok(())
    }

    /// `false` leaves the session's cookies out, a map sends these instead.
    fn set_cookies(&mut self, value: &Dynamic) -> Result<(), FieldError> {
        if let Ok(send) = value.as_bool() {
            self.cookies = Some(send);
            return Ok(());
        }
        let cookies: Vec<_> = pairs(value)?
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let header = header(COOKIE.as_str(), &cookies.join("; "));
        let (name, value) = header.map_err(FieldError::Value)?;
        self.headers.insert(name, value);
        Ok(())
    }

    /// Applies the options to the request.
    pub(crate) fn apply(&mut self, request: &mut http::Request) {
        request.headers = std::mem::take(&mut self.headers);
        if let Some((body, content_type)) = self.body.take() {
            request.body = body;
            if let Some(content_type) = content_type
                && !request.headers.contains_key(CONTENT_TYPE)
            {
                request.headers.insert(CONTENT_TYPE, content_type);
            }
        }
        request.timeout = self.timeout;
        request.stream = self.stream;
        if let Some(cookies) = self.cookies {
            request.cookies = cookies;
        }
    }
}

fn unknown(option: &str) -> String {
    match language::find(language::Kind::RequestOption, option) {
        Some(_) => format!("the request option `{option}` is not in this version of Katydid yet"),
        None => format!("a request has no option `{option}`"),
    }
}

fn statuses(value: &Dynamic) -> Option<Vec<u16>> {
    let one = |value: &Dynamic| {
        u16::try_from(value::whole(value)?)
            .ok()
            .filter(|status| (100..1_000).contains(status))
    };
    match value.read_lock::<Array>() {
        Some(array) => array.iter().map(one).collect(),
        None => Some(vec![one(value)?]),
    }
}
