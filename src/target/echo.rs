//! Answers that show the request, so that a client can see what it sent.
//!
//! Owns how a request is shown as JSON, with forms and uploads parsed. `route` reads its body.

use std::collections::BTreeMap;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Version};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::reply::{self, Reply};
use super::route::{body, header};

/// Answers with the headers only.
pub(super) fn headers(request: &Request<Incoming>) -> Reply {
    reply::json(StatusCode::OK, &json!({ "headers": all_headers(request) }))
}

/// Answers with method, query and body.
pub(super) async fn echo(request: Request<Incoming>) -> Reply {
    let method = request.method().clone();
    let query = request.uri().query().unwrap_or("").to_owned();
    match body(request).await {
        Ok(body) => reply::json(
            StatusCode::OK,
            &json!({
                "method": method.as_str(),
                "query": query,
                "body": String::from_utf8_lossy(&body),
            }),
        ),
        Err(reply) => reply,
    }
}

/// Answers with the whole request, its body also parsed by its content type.
pub(super) async fn anything(request: Request<Incoming>) -> Reply {
    let uri = request.uri();
    let content_type = header(&request, &CONTENT_TYPE);
    let mut document = json!({
        "method": request.method().as_str(),
        "path": uri.path(),
        "query": fields(uri.query().unwrap_or("").as_bytes()),
        "version": version(request.version()),
        "headers": all_headers(&request),
        "json": null,
        "form": {},
        "files": [],
    });
    let body = match body(request).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    document["body"] = String::from_utf8_lossy(&body).into();
    let kind = content_type.split(';').next().unwrap_or("").trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => document["form"] = fields(&body),
        "multipart/form-data" => {
            let Some((form, files)) = boundary(&content_type).and_then(|it| parts(&body, it))
            else {
                return reply::error(StatusCode::BAD_REQUEST, "the multipart body is malformed");
            };
            document["form"] = form;
            document["files"] = files;
        }
        _ => document["json"] = serde_json::from_slice(&body).unwrap_or_default(),
    }
    reply::json(StatusCode::OK, &document)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// Headers by their names. HTTP/2 sends the host as `:authority`, which means the same.
fn all_headers(request: &Request<Incoming>) -> BTreeMap<&str, String> {
    let names = request.headers().keys();
    let mut headers: BTreeMap<_, _> = names
        .map(|name| (name.as_str(), header(request, name)))
        .collect();
    if let Some(authority) = request.uri().authority() {
        let host = headers.entry(HOST.as_str());
        host.or_insert_with(|| authority.to_string());
    }
    headers
}

/// Names and values; a repeated name has an array.
fn fields(encoded: &[u8]) -> Value {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        add(&mut fields, &name, value.into());
    }
    Value::Object(fields)
}

fn add(fields: &mut Map<String, Value>, name: &str, value: Value) {
    match fields.get_mut(name) {
        None => drop(fields.insert(name.to_owned(), value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// The value of a parameter such as `name="x"` in a header.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').skip(1).find_map(|parameter| {
        let (found, value) = parameter.trim().split_once('=')?;
        let value = value.trim().trim_matches('"');
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The fields and the files of a multipart body (RFC 7578); `None` if it is broken.
fn parts(body: &[u8], boundary: &str) -> Option<(Value, Value)> {
    let (mut form, mut files) = (Map::new(), Vec::new());
    let delimiter = format!("--{boundary}").into_bytes();
    let between = format!("\r\n--{boundary}").into_bytes();
    let (_, mut rest) = cut(body, &delimiter)?;
    while !rest.starts_with(b"--") {
        let (part, after) = cut(rest.strip_prefix(b"\r\n")?, &between)?;
        rest = after;
        let (head, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&[][..], content),
            None => cut(part, b"\r\n\r\n")?,
        };
        let head = String::from_utf8_lossy(head);
        let find = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then_some(value.trim())
            })
        };
        let disposition = find("content-disposition")?;
        let name = parameter(disposition, "name")?;
        let text = String::from_utf8_lossy(content);
        match parameter(disposition, "filename") {
            None => add(&mut form, name, text.into()),
            Some(filename) => files.push(json!({
                "name": name,
                "filename": filename,
                "content_type": find("content-type"),
                "length": content.len(),
                "content": text,
            })),
        }
    }
    Some((form.into(), files.into()))
}

/// What comes before and after the first `needle`.
fn cut<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut windows = bytes.windows(needle.len());
    let at = windows.position(|window| window == needle)?;
    Some((&bytes[..at], &bytes[at + needle.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_body_is_taken_apart() {
        let body = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
                    --b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\
                    content-type: text/plain\r\n\r\nline\r\n\r\nline\r\n--b--\r\n";
        let (form, files) = parts(body.as_bytes(), "b").unwrap();
        assert_eq!(form, json!({ "a": "1" }));
        let file = json!({
            "name": "f", "filename": "x.txt", "content_type": "text/plain",
            "length": 12, "content": "line\r\n\r\nline",
        });
        assert_eq!(files, json!([file]));
        for broken in ["", "--b", "--b\r\n\r\nx", "--b\r\nx: y\r\n\r\nz\r\n--b--"] {
            assert_eq!(parts(broken.as_bytes(), "b"), None, "{broken}");
        }
    }

    #[test]
    fn what_comes_twice_is_an_array() {
        assert_eq!(
            fields(b"a=1&b=2&a=3&a=4"),
            json!({ "a": ["1", "3", "4"], "b": "2" })
        );
        assert_eq!(
            boundary("multipart/form-data; boundary=\"x y\""),
            Some("x y")
        );
        assert_eq!(boundary("multipart/form-data"), None);
    }
}
