//! docs/openapi.json, and whether an answer is what it says.
//!
//! Owns finding the schema of an answer: by method, path, status and kind of content.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::client::Reply;

pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// The path of the document that a path is of.
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let known = DOCUMENT["paths"].as_object().unwrap();
    if let Some((exact, _)) = known.get_key_value(path) {
        return Some(exact);
    }
    let (folder, last) = path.rsplit_once('/')?;
    let is_number = folder == "/api/v1/runs" && !last.is_empty();
    is_number.then_some("/api/v1/runs/{number}")
}

/// Fails unless the answer is one that the document describes.
pub(super) fn hold(method: &str, path: &str, reply: &Reply) {
    if method == "HEAD" {
        return;
    }
    let kind = reply.header("content-type").unwrap_or_default();
    let operation = template(path).and_then(|template| {
        let operation = DOCUMENT["paths"][template].get(method.to_lowercase())?;
        Some((template, operation))
    });
    let Some((template, operation)) = operation else {
        let is_of_the_page = path.starts_with("/assets/") || matches!(path, "/" | "/login");
        assert!(
            is_of_the_page || matches!(reply.status, 301 | 308 | 400 | 401 | 403 | 404 | 405 | 413),
            "{method} {path}: {} {}",
            reply.status,
            reply.text()
        );
        return;
    };
    let status = reply.status.to_string();
    let described = &operation["responses"][&status];
    assert!(
        described.is_object(),
        "{method} {path} answers {status}: {}",
        reply.text()
    );
    if matches!(reply.status, 204 | 304) {
        return;
    }
    let schema = &described["content"][kind]["schema"];
    assert!(schema.is_object(), "{method} {path} {status} is {kind}");
    if !kind.contains("json") {
        return;
    }
    let key = format!("{method} {template} {status} {kind}");
    let validator = {
        let mut all = VALIDATORS.lock().unwrap();
        let made = all
            .entry(key)
            .or_insert_with(|| Arc::new(validator(schema)));
        made.clone()
    };
    let value = reply.json();
    let wrong: Vec<_> = validator
        .iter_errors(&value)
        .map(|error| format!("{error} at {}", error.instance_path))
        .collect();
    assert!(
        wrong.is_empty(),
        "{method} {path} {status}: {}\n{value}",
        wrong.join("\n")
    );
}

fn validator(schema: &Value) -> Validator {
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": DOCUMENT["components"],
        "allOf": [schema],
    });
    jsonschema::validator_for(&whole).unwrap()
}

#[test]
fn an_answer_that_is_not_described_is_noticed() {
    let problem = &DOCUMENT["components"]["schemas"]["Problem"];
    let validator = validator(problem);
    let good = json!({ "title": "Conflict", "status": 409, "detail": "no", "state": "ready" });
    assert!(validator.is_valid(&good));
    for (field, value) in [
        ("state", json!("asleep")),
        ("status", json!(200)),
        ("more", json!(1)),
        ("detail", Value::Null),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
