//! From what a client sends to an [`Edit`]: JSON, or a form as Locust's clients send it.
//!
//! Owns the names of fields and what they may hold. A field that is wrong is named.

use std::time::Duration;

use serde_json::{Map, Value};

use super::problem::Problem;
use crate::control::Edit;
use crate::units::{self, Rate};

/// The longest text of any field, in characters.
const LONGEST: usize = 2_000;

/// What a JSON object asks for. `also` names fields that the caller reads itself.
pub(super) fn from_json(object: &Map<String, Value>, also: &[&str]) -> Result<Edit, Problem> {
    let mut edit = Edit::default();
    for (field, value) in object {
        if also.contains(&field.as_str()) {
            continue;
        }
        within(field, value.as_str().unwrap_or_default())?;
        match field.as_str() {
            "users" => edit.users = Some(users(field, value)?),
            "spawn_rate" => edit.spawn_rate = Some(rate(field, value)?),
            "run_time" => edit.run_time = Some(optional(value, |value| length(field, value))?),
            "iterations" => edit.iterations = Some(optional(value, |value| count(field, value))?),
            "host" => edit.host = Some(optional(value, |value| text(field, value))?),
            "params" => edit.params = params(field, value)?,
            "classes" => edit.classes = Some(texts(field, value)?),
            "tags" => edit.tags = Some(texts(field, value)?),
            "exclude_tags" => edit.exclude_tags = Some(texts(field, value)?),
            "use_shape" => {
                let uses = value.as_bool();
                let uses = uses.ok_or_else(|| Problem::field(field, "true or false is expected"));
                edit.use_shape = Some(uses?);
            }
            "stop_timeout" => {
                edit.stop_timeout = Some(optional(value, |value| length(field, value))?);
            }
            "seed" => edit.seed = Some(optional(value, |value| whole(field, value))?),
            "label" => edit.label = Some(text(field, value)?),
            unknown => return Err(unknown_field(unknown, FIELDS)),
        }
    }
    Ok(edit)
}

const FIELDS: &[&str] = &[
    "users",
    "spawn_rate",
    "run_time",
    "iterations",
    "host",
    "params",
    "classes",
    "tags",
    "exclude_tags",
    "use_shape",
    "stop_timeout",
    "seed",
    "label",
];

/// The fields of Locust's form, besides the script's parameters.
const FORM_FIELDS: &[&str] = &[
    "user_count",
    "spawn_rate",
    "host",
    "run_time",
    "profile",
    "user_classes",
    "shape_class",
    "iterations",
    "tags",
    "exclude_tags",
    "stop_timeout",
];

/// What Locust's form asks for; `params` are the names of the script's parameters.
pub(super) fn from_form(pairs: &[(String, String)], params: &[&str]) -> Result<Edit, Problem> {
    let mut edit = Edit::default();
    for (field, value) in pairs {
        let json = Value::String(value.clone());
        let given = (!value.trim().is_empty()).then_some(&json);
        match field.as_str() {
            "user_count" => edit.users = Some(users(field, &json)?),
            "spawn_rate" => edit.spawn_rate = Some(rate(field, &json)?),
            "host" => edit.host = Some(given.map(|json| text(field, json)).transpose()?),
            "run_time" => edit.run_time = Some(given.map(|json| length(field, json)).transpose()?),
            "profile" => edit.label = Some(text(field, &json)?),
            "user_classes" => edit
                .classes
                .get_or_insert_default()
                .push(text(field, &json)?),
            "shape_class" => {
                edit.use_shape = Some(match value.as_str() {
                    "Default" => false,
                    "Script" => true,
                    _ => {
                        let problem = Problem::field(field, "there is no such shape");
                        return Err(problem.hint("it is `Default` or `Script`"));
                    }
                });
            }
            "iterations" => {
                edit.iterations = Some(given.map(|json| count(field, json)).transpose()?);
            }
            "tags" => edit.tags = Some(words(value)),
            "exclude_tags" => edit.exclude_tags = Some(words(value)),
            "stop_timeout" => {
                edit.stop_timeout = Some(given.map(|json| length(field, json)).transpose()?);
            }
            name if params.contains(&name) => {
                edit.params.push((name.to_owned(), text(name, &json)?))
            }
            unknown => {
                let known: Vec<_> = FORM_FIELDS.iter().chain(params).copied().collect();
                return Err(unknown_field(unknown, &known));
            }
        }
    }
    Ok(edit)
}

fn words(text: &str) -> Vec<String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn unknown_field(field: &str, known: &[&str]) -> Problem {
    let shown: String = field.chars().take(80).collect();
    let problem = Problem::field(&shown, format!("there is no field `{shown}`"));
    let known = known.iter().copied();
    problem.hint(crate::scenario::names::hint(field, known, "there are"))
}

/// `null` and an empty text stand for nothing.
fn optional<T>(
    value: &Value,
    read: impl FnOnce(&Value) -> Result<T, Problem>,
) -> Result<Option<T>, Problem> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        value => read(value).map(Some),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
    .filter(|number: &f64| number.is_finite())
}

fn whole(field: &str, value: &Value) -> Result<u64, Problem> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| Problem::field(field, "a whole number from 0 is expected"))
}

fn users(field: &str, value: &Value) -> Result<u32, Problem> {
    let users = whole(field, value)?;
    u32::try_from(users).map_err(|_| Problem::field(field, "so many users are not possible"))
}

fn count(field: &str, value: &Value) -> Result<u64, Problem> {
    match whole(field, value)? {
        0 => Err(Problem::field(field, "a whole number from 1 is expected")),
        count => Ok(count),
    }
}

fn rate(field: &str, value: &Value) -> Result<Rate, Problem> {
    let wrong = || {
        Problem::field(
            field,
            "a number above 0 is expected: users started a second",
        )
    };
    let per_sec = number(value).ok_or_else(wrong)?;
    let rate = Rate::from_per_sec(per_sec).map_err(|_| wrong())?;
    let slow = |invalid: units::Invalid| Problem::field(field, invalid.problem());
    rate.of_users(&format!("{per_sec:?}")).map_err(slow)
}

fn length(field: &str, value: &Value) -> Result<Duration, Problem> {
    let length = match value {
        Value::String(text) => units::parse_duration(text.trim()).ok(),
        other => other
            .as_f64()
            .and_then(|seconds| units::duration_from_secs(seconds).ok()),
    };
    length.ok_or_else(|| {
        let problem = Problem::field(field, "a length of time is expected");
        problem.hint("such as 20, 20s, 3m, 2h, 1h20m")
    })
}

fn text(field: &str, value: &Value) -> Result<String, Problem> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => return Err(Problem::field(field, "a text is expected")),
    };
    within(field, &text)?;
    Ok(text)
}

fn within(field: &str, text: &str) -> Result<(), Problem> {
    if text.chars().nth(LONGEST).is_some() {
        let detail = format!("at most {LONGEST} characters are expected");
        return Err(Problem::field(field, detail));
    }
    Ok(())
}

fn texts(field: &str, value: &Value) -> Result<Vec<String>, Problem> {
    let list = value.as_array();
    let list = list.ok_or_else(|| Problem::field(field, "a list of texts is expected"))?;
    list.iter().map(|value| text(field, value)).collect()
}

fn params(field: &str, value: &Value) -> Result<Vec<(String, String)>, Problem> {
    let object = value.as_object();
    let object = object.ok_or_else(|| Problem::field(field, "values by name are expected"))?;
    let pairs = object
        .iter()
        .map(|(name, value)| Ok((name.clone(), text(name, value)?)));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Edit, Problem> {
        let value: Value = serde_json::from_str(text).unwrap();
        from_json(value.as_object().unwrap(), &["run"])
    }

    #[test]
    fn fields_of_an_object_become_an_edit() {
        let edit = json(
            r#"{"users": 100, "spawn_rate": "2.5", "run_time": "1m30s", "host": "", "run": 1,
                "params": {"language": "ko", "size": 3}, "iterations": null, "classes": ["A"]}"#,
        )
        .unwrap();
        assert_eq!(edit.users, Some(100));
        assert_eq!(edit.spawn_rate.map(Rate::per_sec), Some(2.5));
        assert_eq!(edit.run_time, Some(Some(Duration::from_secs(90))));
        assert_eq!((edit.host, edit.iterations), (Some(None), Some(None)));
        let params = [("language", "ko"), ("size", "3")];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(edit.params, params);
        assert_eq!(edit.classes, Some(vec!["A".to_owned()]));
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (text, field) in [
            (r#"{"users": "abc"}"#, "users"),
            (r#"{"users": -1}"#, "users"),
            (r#"{"users": 1e10}"#, "users"),
            (r#"{"users": 5000000000}"#, "users"),
            (r#"{"spawn_rate": 0}"#, "spawn_rate"),
            (r#"{"spawn_rate": null}"#, "spawn_rate"),
            (r#"{"run_time": "fast"}"#, "run_time"),
            (r#"{"iterations": 0}"#, "iterations"),
            (r#"{"classes": "A"}"#, "classes"),
            (r#"{"use_shape": 1}"#, "use_shape"),
            (r#"{"uers": 1}"#, "uers"),
            (
                &format!(r#"{{"stop_timeout": "{}"}}"#, "0".repeat(2_001)),
                "stop_timeout",
            ),
            (&format!(r#"{{"label": "{}"}}"#, "é".repeat(2_001)), "label"),
        ] {
            let problem = json(text).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some(field), "{text}");
        }
    }

    #[test]
    fn locusts_form_is_understood() {
        let pairs = [
            ("user_count", "5"),
            ("spawn_rate", "1"),
            ("host", ""),
            ("user_classes", "A"),
            ("user_classes", "B"),
            ("language", "ko"),
            ("shape_class", "Default"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let edit = from_form(&pairs, &["language"]).unwrap();
        assert_eq!((edit.users, edit.host), (Some(5), Some(None)));
        assert_eq!(edit.classes, Some(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(edit.params, [("language".to_owned(), "ko".to_owned())]);
        assert_eq!(edit.use_shape, Some(false));
        let problem = from_form(&pairs, &[]).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("language"));
    }
}
