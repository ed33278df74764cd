//! A script's values as the numbers, lengths and texts they stand for.
//!
//! One rule for time: seconds as a number, or text such as `"1m30s"`. The callers know what a value
//! is for.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, Map};

use crate::units;

/// A length of time: seconds, or text with its unit.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn duration(value: &Dynamic) -> Result<Duration, String> {
    if let Some(seconds) = number(value) {
        return units::duration_from_secs(seconds).map_err(|wrong| wrong.to_string());
    }
    match text(value) {
        Some(text) => units::parse_duration(&text).map_err(|wrong| wrong.to_string()),
        None => Err(format!(
            "a time is a number of seconds or text such as `\"1m30s\"`, not {}",
            kind(value)
        )),
    }
}

/// Any number.
pub(super) fn number(value: &Dynamic) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a script's numbers are small")]
    value
        .as_float()
        .ok()
        .or_else(|| value.as_int().ok().map(|whole| whole as f64))
        .or_else(|| value.read_lock::<i128>().map(|wide| *wide as f64))
}

/// A whole number.
pub(super) fn whole(value: &Dynamic) -> Option<i64> {
    value.as_int().ok()
}

/// Text.
pub(super) fn text(value: &Dynamic) -> Option<String> {
    value
        .read_lock::<rhai::ImmutableString>()
        .map(|text| text.to_string())
}

/// A value as text, as `print` shows it. Rhai's own way cannot print integers of more than 64 bits.
pub(super) fn shown(value: &Dynamic) -> String {
    if !has_wide(value) {
        return value.to_string();
    }
    let mut text = String::new();
    show(value, &mut text);
    text
}

fn has_wide(value: &Dynamic) -> bool {
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().any(has_wide);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.values().any(has_wide);
    }
    value.is::<i128>()
}

fn show(value: &Dynamic, text: &mut String) {
    // Writing to a text cannot fail.
    if let Some(wide) = value.read_lock::<i128>() {
        let _ = write!(text, "{}", *wide);
    } else if let Some(array) = value.read_lock::<Array>() {
        text.push('[');
        for (index, value) in array.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            show(value, text);
        }
        text.push(']');
    } else if let Some(map) = value.read_lock::<Map>() {
        text.push_str("#{");
        for (index, (name, value)) in map.iter().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{before}{name:?}: ");
            show(value, text);
        }
        text.push('}');
    } else {
        let _ = write!(text, "{value:?}");
    }
}

/// The name of a value's type, for people.
pub(super) fn kind(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "()" => "nothing `()`",
        "i64" => "a whole number",
        "i128" => "a whole number of more than 64 bits",
        "f64" => "a number",
        "bool" => "true or false",
        "string" => "text",
        "char" => "a single letter (text is written \"…\")",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a closure",
        crate::language::DATA_SOURCE => "a data source",
        "queue" => "a queue",
        "blob" => "bytes",
        _ => "something else",
    }
}

/// The name of a protocol other than HTTP.
pub(crate) fn protocol(value: &Dynamic) -> Result<Arc<str>, String> {
    let Some(text) = text(value) else {
        let kind = kind(value);
        return Err(format!("`type` is the name of a protocol, not {kind}"));
    };
    match text.as_str() {
        "" => Err("`type` is the name of a protocol, not empty".to_owned()),
        "http" | "group" | "total" => Err(format!(
            "`type` is the name of another protocol: `{text}` has its rows already"
        )),
        _ => Ok(text.into()),
    }
}
