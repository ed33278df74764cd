//! What a request gives back to its script: the answer, and the verdict on it.
//!
//! The verdict stays open until the user's next request, sleep or wait, or the end of its task;
//! then the sample is recorded once, with the time measured when the response arrived.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Position,
};

use super::failure::Control;
use super::secret::Secrets;
use super::user::{Missed, User};
use crate::coroutine;
use crate::http::{self, Exchange, Phases};
use crate::stats::{Outcome, Recorder, Sample, SeriesId};

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// A response in a script's hands.
#[derive(Clone)]
pub(super) struct Response(pub(super) Rc<Answer>);

/// What became of one request, and what its script thinks of it.
pub(super) struct Answer {
    response: Option<http::Response>,
    error: Option<String>,
    phases: Phases,
    sample: Sample,
    pub(super) series: SeriesId,
    /// µs since the run began.
    pub(super) ended_us: u64,
    pub(super) missed: Option<Missed>,
    stale_retries: u32,
    /// Why the sample fails; `None` if it does not.
    failure: RefCell<Option<String>>,
    /// Where the request was made, and where its verdict was closed.
    made_at: Position,
    closed_by: Cell<Option<Position>>,
    text: OnceCell<ImmutableString>,
    json: OnceCell<Option<Dynamic>>,
}

impl Answer {
    pub(super) fn new(
        user: &User,
        series: SeriesId,
        name: &str,
        expect: &[u16],
        made_at: Position,
        exchange: Exchange,
    ) -> Answer {
        let thread = &user.thread;
        let start_us = thread.run_us(exchange.started);
        let ended_us = thread.run_us(exchange.ended);
        let first_byte = exchange
            .first_byte
            .map_or(0, |first| first.since(exchange.started));
        let (response, error) = match exchange.result {
            Ok(response) => (Some(response), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let failure = match &response {
            Some(response) => wrong_status(response, name, expect),
            None => error.clone(),
        };
        let sample = Sample::new(series, thread.generation.get(), Outcome::Success, start_us)
            .service_us(exchange.ended.since(exchange.started))
            .late_us(user.late_us.take())
            .first_byte_us(first_byte)
            .bytes(exchange.sent, exchange.received);
        Answer {
            response,
            error,
            phases: exchange.phases,
            sample,
            series,
            ended_us,
            missed: user.missed.take(),
            stale_retries: exchange.stale_retries,
            failure: RefCell::new(failure),
            made_at,
            closed_by: Cell::new(None),
            text: OnceCell::new(),
            json: OnceCell::new(),
        }
    }

    /// How the request counts, as things stand.
    pub(super) fn outcome(&self) -> Outcome {
        if self.failure.borrow().is_some() {
            Outcome::Failure
        } else {
            Outcome::Success
        }
    }

    /// Makes the sample a failure.
    pub(super) fn fail(&self, why: String) {
        *self.failure.borrow_mut() = Some(why);
    }

    /// No verdict is taken from now on; `by` is the place of the call that ended it.
    pub(super) fn close(&self, by: Position) {
        self.closed_by.set(Some(by));
    }

    /// Hides secrets in why the sample fails.
    pub(super) fn mask(&self, secrets: &Secrets) {
        if let Some(why) = &mut *self.failure.borrow_mut() {
            *why = secrets.mask(std::mem::take(why));
        }
    }

    /// Records the sample, once its verdict is closed.
    pub(super) fn record(&self, recorder: &mut Recorder) {
        recorder.record(self.sample.outcome(self.outcome()));
        if let Some(why) = &*self.failure.borrow() {
            recorder.error(self.series, self.ended_us, why);
        }
        for _ in 0..self.stale_retries {
            recorder.stale_retry();
        }
    }

    fn judge(&self, failure: Option<String>) -> Result<()> {
        if let Some(by) = self.closed_by.get() {
            let line = |position: Position| {
                position
                    .line()
                    .map_or(String::new(), |line| format!(" in line {line}"))
            };
            return Err(format!(
                "the verdict on the request{} came too late: it was closed{}",
                line(self.made_at),
                line(by)
            )
            .into());
        }
        *self.failure.borrow_mut() = failure;
        Ok(())
    }

    fn decoded(&self) -> Result<bytes::Bytes> {
        let Some(response) = &self.response else {
            return Ok(bytes::Bytes::new());
        };
        coroutine::on_thread_stack(|| response.decoded_body())
            .map_err(|_| Control::Cancelled)?
            .map_err(|error| error.to_string().into())
    }

    fn text(&self) -> Result<ImmutableString> {
        if let Some(text) = self.text.get() {
            return Ok(text.clone());
        }
        let text: ImmutableString = String::from_utf8_lossy(&self.decoded()?).as_ref().into();
        Ok(self.text.get_or_init(|| text).clone())
    }

    /// The body as JSON, parsed once; `None` if it is none. Nested deeper than 128 it is refused.
    fn json(&self) -> Result<Option<Dynamic>> {
        if let Some(json) = self.json.get() {
            return Ok(json.clone());
        }
        let body = self.decoded()?;
        let json = coroutine::on_thread_stack(|| serde_json::from_slice(&body).ok())
            .map_err(|_| Control::Cancelled)?;
        Ok(self.json.get_or_init(|| json).clone())
    }
}

/// Why a response is a failure by its status alone.
fn wrong_status(response: &http::Response, name: &str, expect: &[u16]) -> Option<String> {
    let status = response.status().as_u16();
    if expect.is_empty() {
        let whose = match status {
            ..400 => return None,
            400..500 => "Client",
            _ => "Server",
        };
        return Some(format!(
            "{status} {whose} Error: {} for url: {name}",
            response.reason()
        ));
    }
    if expect.contains(&status) {
        return None;
    }
    let expected: Vec<_> = expect.iter().map(u16::to_string).collect();
    Some(format!(
        "status {status}, expected {}",
        expected.join(" or ")
    ))
}

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Response>("response")
        .register_get("status", |r: &mut Response| r.status())
        .register_get("status_code", |r: &mut Response| r.status())
        .register_get("ok", |r: &mut Response| {
            r.0.response.is_some() && r.status() < 400
        })
        .register_get("reason", |r: &mut Response| {
            r.0.response
                .as_ref()
                .map_or(String::new(), |response| response.reason().into_owned())
        })
        .register_get("text", |r: &mut Response| r.0.text())
        .register_fn("text", |r: &mut Response| r.0.text())
        .register_get("bytes", |r: &mut Response| -> Result<Blob> {
            Ok(r.0.decoded()?.to_vec())
        })
        .register_get("headers", |r: &mut Response| r.headers())
        .register_fn("header", |r: &mut Response, name: &str| r.header(name))
        .register_get("cookies", |r: &mut Response| r.cookies())
        .register_get("url", |r: &mut Response| {
            r.0.response
                .as_ref()
                .map_or(String::new(), |response| response.url().to_string())
        })
        .register_get("elapsed", |r: &mut Response| seconds(r.0.phases.total()))
        .register_get("timings", |r: &mut Response| r.timings())
        .register_get("error", |r: &mut Response| {
            r.0.error.clone().map_or(Dynamic::UNIT, Dynamic::from)
        })
        .register_get("length", |r: &mut Response| {
            let length =
                r.0.response
                    .as_ref()
                    .map_or(0, |response| response.body().len());
            i64::try_from(length).unwrap_or(i64::MAX)
        })
        .register_fn("json", |r: &mut Response| -> Result<Dynamic> {
            r.0.json()?
                .ok_or_else(|| "the body of the response is not JSON".into())
        })
        .register_fn(
            "json",
            |r: &mut Response, pointer: &str| -> Result<Dynamic> {
                let json = r.0.json()?;
                Ok(json
                    .and_then(|json| pointed(&json, pointer))
                    .unwrap_or(Dynamic::UNIT))
            },
        )
        .register_fn("failure", |r: &mut Response, why: Dynamic| {
            r.0.judge(Some(why.to_string()))
        })
        .register_fn("success", |r: &mut Response| r.0.judge(None))
        .register_fn(
            "check",
            |r: &mut Response, name: &str, holds: bool| -> Result<bool> {
                if !holds {
                    r.0.judge(Some(format!("check failed: {name}")))?;
                }
                Ok(holds)
            },
        )
        .register_fn(
            "expect",
            |context: NativeCallContext, r: &mut Response, holds: bool, why: &str| {
                if holds {
                    return Ok(());
                }
                r.0.judge(Some(why.to_owned()))?;
                Err(User::of(&context)?.end(Control::Unexpected))
            },
        );
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of one request")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

impl Response {
    fn status(&self) -> i64 {
        self.0
            .response
            .as_ref()
            .map_or(0, |response| i64::from(response.status().as_u16()))
    }

    fn header(&self, name: &str) -> Dynamic {
        let value = self
            .0
            .response
            .as_ref()
            .and_then(|response| response.header(name));
        value.map_or(Dynamic::UNIT, |value| {
            String::from_utf8_lossy(value.as_bytes())
                .into_owned()
                .into()
        })
    }

    /// All headers; those of one name are joined by `, `.
    fn headers(&self) -> Map {
        let mut headers = Map::new();
        let Some(response) = &self.0.response else {
            return headers;
        };
        for name in response.headers().keys() {
            let values: Vec<_> = response
                .headers()
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            headers.insert(name.as_str().into(), values.join(", ").into());
        }
        headers
    }

    fn cookies(&self) -> Map {
        let Some(response) = &self.0.response else {
            return Map::new();
        };
        let cookies = response.cookies();
        cookies
            .map(|(name, value)| (name.into(), value.to_owned().into()))
            .collect()
    }

    fn timings(&self) -> Map {
        let phases = &self.0.phases;
        [
            ("blocked", phases.blocked),
            ("dns", phases.dns),
            ("connect", phases.connect),
            ("tls", phases.tls),
            ("send", phases.send),
            ("wait", phases.wait),
            ("receive", phases.receive),
        ]
        .into_iter()
        .map(|(name, us)| (name.into(), seconds(u64::from(us)).into()))
        .collect()
    }
}

/// What a JSON pointer (RFC 6901) leads to.
fn pointed(json: &Dynamic, pointer: &str) -> Option<Dynamic> {
    let mut value = json.clone();
    if pointer.is_empty() {
        return Some(value);
    }
    for token in pointer.strip_prefix('/')?.split('/') {
        let token = token.replace("~1", "/").replace("~0", "~");
        let next = if let Some(map) = value.read_lock::<Map>() {
            map.get(token.as_str()).cloned()
        } else if let Some(array) = value.read_lock::<Array>() {
            array.get(token.parse::<usize>().ok()?).cloned()
        } else {
            None
        };
        value = next?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_pointers_follow_rfc_6901() {
        let json: Dynamic =
            serde_json::from_str(r#"{"a": [1, {"b/c": "x", "m~n": 2}], "": 3}"#).unwrap();
        let at = |pointer| pointed(&json, pointer).map(|value| value.to_string());
        assert_eq!(at("/a/0").as_deref(), Some("1"));
        assert_eq!(at("/a/1/b~1c").as_deref(), Some("x"));
        assert_eq!(at("/a/1/m~0n").as_deref(), Some("2"));
        assert_eq!(at("/").as_deref(), Some("3"));
        for absent in ["/a/2", "/b", "/a/x", "/a/0/b", "a"] {
            assert_eq!(at(absent), None, "{absent}");
        }
        assert!(pointed(&json, "").is_some_and(|whole| whole.is_map()));
    }
}
