//! Errors as clients see them: `application/problem+json` (RFC 9457).
//!
//! Owns which status an error of `control` has, and that no secret is in it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::forms::{Finding, findings, stage_word};
use crate::control::{AskError, Stage, WishError};
use crate::screen::show::clean;

/// An error, and what to do about it. Whatever it answers has changed nothing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Problem {
    status: u16,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    /// Seconds, for `Retry-After`.
    #[serde(skip)]
    retry_after: Option<u16>,
}

impl Problem {
    /// With this status; its standard reason is the title.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
            field: None,
            param: None,
            state: None,
            findings: Vec::new(),
            retry_after: None,
        }
    }

    /// A value that is wrong.
    pub(super) fn field(field: &str, detail: impl Into<String>) -> Problem {
        Problem {
            field: Some(field.into()),
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }

    /// With this hint.
    pub(super) fn hint(self, hint: impl Into<String>) -> Problem {
        Problem {
            hint: Some(hint.into().into()),
            ..self
        }
    }

    /// With the state that it is not possible in.
    pub(super) fn in_state(self, stage: &Stage) -> Problem {
        Problem {
            state: Some(stage_word(stage)),
            ..self
        }
    }

    /// To be tried again after so many seconds.
    pub(super) fn retry_after(self, seconds: u16) -> Problem {
        Problem {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// Whether users were to be set that a shape decides.
    pub(super) fn is_shaped(&self) -> bool {
        self.status() == StatusCode::CONFLICT && self.field.as_deref() == Some("users")
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<WishError> for Problem {
    fn from(error: WishError) -> Problem {
        Problem {
            field: error.field.map(Into::into),
            param: error.param.map(Into::into),
            hint: error.hint.map(|hint| clean(&hint).into()),
            ..Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                clean(&error.message).into_owned(),
            )
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Problem {
        let conflict = |detail: String| Problem::new(StatusCode::CONFLICT, detail);
        match error {
            AskError::Stage(stage) => {
                let word = stage_word(&stage);
                let detail = match stage.is_active() {
                    true => format!("not possible now: the run is {}", word.replace('_', " ")),
                    false => "not possible now: no run is under way".to_owned(),
                };
                Problem {
                    state: Some(word),
                    ..conflict(detail)
                }
            }
            AskError::OtherRun(number) => {
                conflict(format!("run {number} is under way, not this one"))
            }
            AskError::Wish(error) => error.into(),
            AskError::Script(script) => {
                let detail = match script.unreadable.as_str() {
                    "" => "the script has mistakes".to_owned(),
                    why => clean(why).into_owned(),
                };
                Problem {
                    findings: findings(&script),
                    ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
                }
            }
            AskError::Shaped => Problem {
                field: Some("users".into()),
                ..conflict("the script's shape decides how many users there are".to_owned())
            }
            .hint("edit the shape, or leave it with `use_shape: false`"),
            AskError::Run(refusal) => conflict(refusal.to_string()),
            AskError::Unable(why) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, clean(&why).into_owned())
            }
            AskError::Ending => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Katydid is ending"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            title: &'a str,
            #[serde(flatten)]
            problem: &'a Problem,
        }
        let body = Body {
            title: self.status().canonical_reason().unwrap_or("Error"),
            problem: &self,
        };
        let body = serde_json::to_vec(&body).expect("a problem is plain text");
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
