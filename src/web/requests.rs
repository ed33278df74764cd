//! Reading requests: bodies and queries, with errors in the API's own form.
//!
//! Owns their bounds; what fields mean is known to `wishes` and the handlers.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The longest body, in bytes.
pub(super) const LONGEST_BODY: usize = 64 << 10;

/// The body of a request.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Body).map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let detail = format!("a body has at most {LONGEST_BODY} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            _ => Problem::new(StatusCode::BAD_REQUEST, "the body cannot be read"),
        })
    }
}

impl Body {
    /// The object that it is; none is an empty one.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Problem> {
        if self.0.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.0) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "the body is JSON, but no object",
            )),
            Err(error) => {
                let detail = format!("the body is not JSON: {error}");
                Err(Problem::new(StatusCode::BAD_REQUEST, detail))
            }
        }
    }

    /// The fields of a form.
    pub(super) fn form(&self) -> Result<Vec<(String, String)>, Problem> {
        if std::str::from_utf8(&self.0).is_err() {
            let detail = "the body is not a form: it is not UTF-8";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        let pairs = url::form_urlencoded::parse(&self.0);
        Ok(pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect())
    }
}

/// The query of a request.
pub(super) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query, Self::Rejection> {
        Ok(Query::of(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    pub(super) fn of(query: &str) -> Query {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let owned = |text: Cow<'_, str>| text.into_owned();
        Query(
            pairs
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Yes or no, if it is given.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(_) => Err(Problem::field(name, "1 or 0 is expected")),
        }
    }

    /// A whole number, if it is given.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Problem::field(name, "a whole number from 0 is expected")),
        }
    }

    /// Numbers of rows, such as `3,7`.
    pub(super) fn series(&self) -> Result<Vec<u32>, Problem> {
        let Some(text) = self.get("series").filter(|text| !text.is_empty()) else {
            return Ok(Vec::new());
        };
        let all: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
        match all {
            Ok(all) if all.len() <= MOST_SERIES => Ok(all),
            Ok(_) => {
                let detail = format!("at most {MOST_SERIES} rows are possible");
                Err(Problem::field("series", detail))
            }
            Err(_) => Err(Problem::field(
                "series",
                "numbers of rows are expected, such as 3,7",
            )),
        }
    }
}

/// Rows on one chart.
const MOST_SERIES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_and_wrong_numbers_named() {
        let query = Query::of("from=3&series=1,2&now=1&name=a%20b");
        assert_eq!(query.number("from").unwrap(), Some(3));
        assert_eq!(query.number("to").unwrap(), None);
        assert_eq!(query.series().unwrap(), [1, 2]);
        assert_eq!(query.flag("now").unwrap(), Some(true));
        assert_eq!(query.flag("wait").unwrap(), None);
        assert_eq!(
            query.flag("from").unwrap_err().field.as_deref(),
            Some("from")
        );
        assert_eq!(query.get("name"), Some("a b"));
        let wrong = Query::of("from=-1&series=1,2,3,4,5,6,7");
        assert_eq!(
            wrong.number("from").unwrap_err().field.as_deref(),
            Some("from")
        );
        assert_eq!(wrong.series().unwrap_err().field.as_deref(), Some("series"));
    }
}
