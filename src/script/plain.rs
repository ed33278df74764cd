//! A script's values as plain data, and back: what leaves the thread that made it.
//!
//! Closures, handles and the client do not leave; the error says which part of a value it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Array, Blob, Dynamic, ImmutableString, Map};

use super::value::kind;
use crate::data::Value;

/// How deep a value may be nested; responses may have 128.
const DEEPEST: usize = 128;

/// The value as plain data.
///
/// # Errors
/// Which part of it is none, such as ``` `.client` is something else, which stays with its user```.
pub(super) fn plain(value: &Dynamic) -> Result<Value, String> {
    plain_within(value, DEEPEST).map_err(|(path, why)| match path.as_str() {
        "" => why,
        _ => format!("`{path}` {why}"),
    })
}

/// Where in a value, and what is wrong there.
type Unconvertible = (String, String);

fn plain_within(value: &Dynamic, depth: usize) -> Result<Value, Unconvertible> {
    let here = |why: String| (String::new(), why);
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| here("is nested too deep".to_owned()))?;
    if value.is_unit() {
        return Ok(Value::Unit);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Int(number));
    }
    if let Some(number) = value.read_lock::<i128>() {
        return Ok(Value::Wide(*number));
    }
    if let Ok(number) = value.as_float() {
        return Ok(Value::Float(number));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(Value::Text(text.as_str().into()));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(Value::Text(letter.to_string().into()));
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(Value::Bytes(bytes.as_slice().into()));
    }
    if let Some(array) = value.read_lock::<Array>() {
        let values: Result<Vec<_>, Unconvertible> = array
            .iter()
            .enumerate()
            .map(|(index, value)| {
                plain_within(value, depth).map_err(|(path, why)| (format!("[{index}]{path}"), why))
            })
            .collect();
        return Ok(Value::Array(values?.into()));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let values: Result<BTreeMap<Arc<str>, Value>, Unconvertible> = map
            .iter()
            .map(|(key, value)| {
                let value = plain_within(value, depth)
                    .map_err(|(path, why)| (format!(".{key}{path}"), why))?;
                Ok((key.as_str().into(), value))
            })
            .collect();
        return Ok(Value::Map(Arc::new(values?)));
    }
    Err(here(format!(
        "is {}, which stays with its user",
        kind(value)
    )))
}

/// A value of a script made of plain data; containers are copied.
pub(super) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Unit => Dynamic::UNIT,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Wide(number) => Dynamic::from(*number),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => ImmutableString::from(&**text).into(),
        Value::Bytes(bytes) => Dynamic::from_blob(bytes.to_vec()),
        Value::Array(values) => Dynamic::from_array(values.iter().map(dynamic).collect()),
        Value::Map(values) => Dynamic::from_map(
            values
                .iter()
                .map(|(key, value)| (key.as_ref().into(), dynamic(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rhai::FnPtr;

    use super::*;

    #[test]
    fn data_survives_the_way_there_and_back() {
        let json = br#"{"a": [1, 18446744073709551615, 2.5, "x", null, true, {"b": []}]}"#;
        let value = crate::script::api::json::read(json).unwrap().unwrap().value;
        let plain = plain(&value).unwrap();
        assert_eq!(dynamic(&plain).to_string(), value.to_string());
        let bytes = Dynamic::from_blob(vec![1, 2]);
        assert_eq!(
            super::plain(&bytes),
            Ok(Value::Bytes([1, 2].as_slice().into()))
        );
    }

    #[test]
    fn a_function_inside_is_named() {
        let mut map = Map::new();
        let list = vec![Dynamic::UNIT, FnPtr::new("f").unwrap().into()];
        map.insert("list".into(), list.into());
        let wrong = plain(&map.into()).unwrap_err();
        assert_eq!(wrong, "`.list[1]` is a closure, which stays with its user");
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let mut value = Dynamic::UNIT;
        for _ in 0..200 {
            value = vec![value].into();
        }
        assert!(plain(&value).unwrap_err().ends_with("is nested too deep"));
    }
}
