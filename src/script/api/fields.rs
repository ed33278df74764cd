//! Names and values that a script gives to be sent: headers, cookies, query parameters, forms.
//!
//! Owns which values are sent as text, and that an array repeats its name where names may repeat.
//! The callers encode them.

use hyper::header::{HeaderName, HeaderValue};
use rhai::{Array, Dynamic, Map};

use crate::script::value;

/// Why a value cannot be read as names and values.
pub(crate) enum FieldError {
    /// It is neither a map nor an array of pairs.
    Shape,
    /// The value of this name cannot be sent: what it is.
    Value(String),
}

impl FieldError {
    /// The message for the option `of`; `shape` gives the one for [`FieldError::Shape`].
    pub(crate) fn said(self, of: &str, shape: impl FnOnce() -> String) -> String {
        match self {
            FieldError::Shape => shape(),
            FieldError::Value(what) => format!("`{of}`: {what}"),
        }
    }
}

/// Checks a header of a script.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        format!("the header `{name}` may not contain line breaks or control letters")
    })?;
    Ok((header, value))
}

/// The value of a header as text: UTF-8, else each byte is a letter of Latin-1, as HTTP had it
/// first.
pub(crate) fn header_text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect(),
    }
}

/// What a value is sent as, if it is text, a number, true or false.
pub(crate) fn sendable(value: &Dynamic) -> Option<String> {
    let is_plain = value.is_string()
        || value.is_int()
        || value.is_float()
        || value.is_bool()
        || value.is_char()
        || value.is::<i128>();
    is_plain.then(|| value::shown(value))
}

/// Names with a value each, in a map or, where order or repetition matters, in an array of pairs.
/// What is `()` is left out.
pub(crate) fn pairs(value: &Dynamic) -> Result<Vec<(String, String)>, FieldError> {
    read(value, |all, name, value| {
        push(all, name, value, "text or a number is sent")
    })
}

/// Like [`pairs`], for a form or a query: each element of an array is sent under its name, as HTML
/// forms and requests do.
pub(crate) fn fields(value: &Dynamic) -> Result<Vec<(String, String)>, FieldError> {
    const HOW: &str = "text, numbers and arrays of them are sent: make text of it with `to_json`, \
                       or send all as `json`";
    read(value, |all, name, value| match value.read_lock::<Array>() {
        Some(values) => values
            .iter()
            .try_for_each(|value| push(all, name, value, HOW)),
        None => push(all, name, value, HOW),
    })
}

type Pairs = Vec<(String, String)>;

fn push(all: &mut Pairs, name: &str, value: &Dynamic, how: &str) -> Result<(), FieldError> {
    if value.is_unit() {
        return Ok(());
    }
    let Some(text) = sendable(value) else {
        let kind = value::kind(value);
        return Err(FieldError::Value(format!(
            "`{name}` has {kind} in it; {how}"
        )));
    };
    all.push((name.to_owned(), text));
    Ok(())
}

fn read(
    value: &Dynamic,
    add: impl Fn(&mut Pairs, &str, &Dynamic) -> Result<(), FieldError>,
) -> Result<Pairs, FieldError> {
    let mut all = Vec::new();
    if let Some(map) = value.read_lock::<Map>() {
        for (name, value) in map.iter() {
            add(&mut all, name, value)?;
        }
        return Ok(all);
    }
    let array = value.read_lock::<Array>().ok_or(FieldError::Shape)?;
    for pair in array.iter() {
        let pair = pair.read_lock::<Array>();
        let Some([name, value]) = pair.as_deref().map(Vec::as_slice) else {
            return Err(FieldError::Shape);
        };
        let name = sendable(name).ok_or(FieldError::Shape)?;
        add(&mut all, &name, value)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use rhai::{Blob, Engine, FnPtr};

    use super::*;

    fn shown(read: Result<Pairs, FieldError>) -> String {
        match read {
            Ok(pairs) => {
                let pairs: Vec<_> = pairs
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                pairs.join("&")
            }
            Err(wrong) => wrong.said("form", || "shape".to_owned()),
        }
    }

    #[test]
    fn arrays_repeat_their_name_where_names_may_repeat() {
        let engine = Engine::new();
        let value = |script: &str| engine.eval_expression::<Dynamic>(script).unwrap();
        let ids = value(r#"#{ a: [1, "x", (), 2.5], b: true, c: (), d: [] }"#);
        assert_eq!(shown(fields(&ids)), "a=1&a=x&a=2.5&b=true");
        assert_eq!(
            shown(fields(&value(r#"[["b", [1, 2]], ["a", 'c']]"#))),
            "b=1&b=2&a=c"
        );
        assert_eq!(shown(pairs(&value("#{ a: 1, b: () }"))), "a=1");
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let engine = Engine::new();
        let value = |script: &str| engine.eval_expression::<Dynamic>(script).unwrap();
        let how = "; text, numbers and arrays of them are sent: make text of it with `to_json`, or \
                   send all as `json`";
        let with = |what: Dynamic| {
            let mut map = Map::new();
            map.insert("q".into(), what);
            shown(fields(&map.into()))
        };
        assert_eq!(
            with(value("#{ a: 1 }")),
            format!("`form`: `q` has a map in it{how}")
        );
        assert_eq!(
            with(value("[[1]]")),
            format!("`form`: `q` has an array in it{how}")
        );
        let closure = FnPtr::new("f").unwrap().into();
        assert_eq!(
            with(closure),
            format!("`form`: `q` has a closure in it{how}")
        );
        let bytes = Dynamic::from_blob(Blob::new());
        assert_eq!(with(bytes), format!("`form`: `q` has bytes in it{how}"));
        assert_eq!(
            shown(pairs(&value("#{ a: [1] }"))),
            "`form`: `a` has an array in it; text or a number is sent"
        );
        for no_shape in ["1", "[1]", "[[1]]", "[[[], 1]]"] {
            assert_eq!(shown(pairs(&value(no_shape))), "shape", "{no_shape}");
        }
    }
}
