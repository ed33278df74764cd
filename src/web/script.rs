//! The text of a script that is, or was, in service.
//!
//! Owns its form on the wire; secrets have been taken out of the text when it was read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Shared;
use super::forms::findings;
use super::problem::Problem;
use super::requests::Query;
use crate::screen::show::clean;
use crate::script::File;

/// The files of a generation, or of the script as it was last read.
pub(super) async fn script(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.number("run")?;
    let Some(number) = query.number("generation")? else {
        let view = shared.view();
        let script = &view.script;
        let params = view.wish.params.iter().map(|(name, value)| {
            let is_secret = script.param(name).is_none_or(|param| param.secret);
            let value = if is_secret {
                "***".into()
            } else {
                clean(value)
            };
            json!({ "name": name, "value": value })
        });
        return Ok(Json(json!({
            "generation": 0,
            "files": files(&script.files),
            "findings": findings(script),
            "params": params.collect::<Vec<_>>(),
        })));
    };
    let run = shared.some_run(&query)?;
    let generation = run
        .generations
        .iter()
        .find(|made| u64::from(made.number) == number);
    let none = || {
        let detail = format!("the run has no generation {number}");
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let generation = generation.ok_or_else(none)?;
    let params = generation.params.iter();
    let params = params.map(|(name, value)| json!({ "name": name, "value": clean(value) }));
    Ok(Json(json!({
        "generation": generation.number,
        "files": files(&generation.files),
        "findings": [],
        "params": params.collect::<Vec<_>>(),
    })))
}

pub(super) fn files(files: &[File]) -> Vec<Value> {
    let form = |file: &File| json!({ "path": file.path, "text": file.text });
    files.iter().map(form).collect()
}
