//! What a script can read of a response, and how it judges it.
//!
//! Owns the members of responses. `request_record` holds what they read; `verdict` says when
//! judging ends.

use std::rc::Rc;

use rhai::{Array, Blob, Dynamic, Engine, Map, NativeCallContext};

use super::fields::header_text;
use super::json::Changed;
use super::request_record::RequestRecord;
use super::sent;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::user::User;
use crate::script::value;

/// A response as a script holds it.
#[derive(Clone)]
pub(crate) struct Response(pub(crate) Rc<RequestRecord>);

impl Drop for Response {
    fn drop(&mut self) {
        // While the verdict is open its user has the other one.
        if Rc::strong_count(&self.0) == 2 && self.0.verdict.is_open() {
            self.0.is_let_go();
        }
    }
}

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
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
        .register_get("request", |r: &mut Response| -> Result<Map> {
            let sent = r.0.sent.as_ref();
            sent.map(|sent| sent.map())
                .ok_or_else(|| "what was sent is kept only where a script reads `.request`".into())
        })
        .register_get("elapsed", |r: &mut Response| seconds(r.0.phases().total()))
        .register_get("timings", |r: &mut Response| r.timings())
        .register_get("error", |r: &mut Response| {
            r.0.error().map_or(Dynamic::UNIT, Dynamic::from)
        })
        .register_get("length", |r: &mut Response| {
            i64::try_from(r.0.length()).unwrap_or(i64::MAX)
        })
        .register_fn(
            "json",
            |context: NativeCallContext, r: &mut Response| -> Result<Dynamic> {
                let read = r.0.json()?;
                let read =
                    read.map_err(|error| format!("the body of the response is not JSON: {error}"))?;
                tell_changed(&context, read.changed);
                Ok(read.value)
            },
        )
        .register_fn(
            "json",
            |context: NativeCallContext, r: &mut Response, pointer: &str| -> Result<Dynamic> {
                let Ok(read) = r.0.json()? else {
                    return Ok(Dynamic::UNIT);
                };
                tell_changed(&context, read.changed);
                Ok(pointed(&read.value, pointer).unwrap_or(Dynamic::UNIT))
            },
        )
        .register_fn("failure", |r: &mut Response, why: Dynamic| {
            r.0.verdict.judge(Some(value::shown(&why)))
        })
        .register_fn("success", |r: &mut Response| r.0.verdict.judge(None))
        .register_fn(
            "check",
            |context: NativeCallContext,
             r: &mut Response,
             name: &str,
             holds: bool|
             -> Result<bool> {
                if !holds {
                    let why = format!("check failed: {name}");
                    r.0.verdict.judge(Some(why))?;
                }
                let user = User::of(&context)?;
                user.thread.record(|recorder| recorder.check(name, holds));
                Ok(holds)
            },
        )
        .register_fn(
            "expect",
            |context: NativeCallContext, r: &mut Response, holds: bool, why: &str| {
                if holds {
                    return Ok(());
                }
                r.0.verdict.judge(Some(why.to_owned()))?;
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
        i64::from(self.0.status())
    }

    fn header(&self, name: &str) -> Dynamic {
        let value = self
            .0
            .response
            .as_ref()
            .and_then(|response| response.header(name));
        value.map_or(Dynamic::UNIT, |value| header_text(value).into())
    }

    /// All headers; those of one name are joined by `, `.
    fn headers(&self) -> Map {
        let response = self.0.response.as_ref();
        response.map_or_else(Map::new, |response| sent::joined(response.headers()))
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
        let phases = self.0.phases();
        phases
            .each()
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

/// Warns, once a run, of what is not as a JSON text has it.
pub(crate) fn tell_changed(context: &NativeCallContext, changed: Changed) {
    if changed == Changed::default() {
        return;
    }
    // At the top level there is no user yet that would send it on.
    let Ok(user) = User::of(context) else { return };
    for (once, what) in changed.each() {
        let file = context.call_source().unwrap_or_default();
        let line = context.call_position().line();
        let place = line.map_or(file.to_owned(), |line| format!("{file}:{line}"));
        let who = user.described();
        user.thread.warn_once(once, who, place, what.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_pointers_follow_rfc_6901() {
        let json = br#"{"a": [1, {"b/c": "x", "m~n": 2}], "": 3}"#;
        let json = super::super::json::read(json).unwrap().unwrap().value;
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
