//! Pausing the current run, and going on with it.
//!
//! Owns the answers; the desk does it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Shared;
use super::forms::stage_word;
use super::problem::Problem;
use crate::control::{AskError, Stage};

/// How long an answer waits for the view to show what was done.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn pause(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let result = shared.desk.pause().await;
    answer(&shared, result, true).await
}

pub(super) async fn resume(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let result = shared.desk.resume().await;
    answer(&shared, result, false).await
}

/// The state once it is as asked for, or the one in which that is not possible.
async fn answer(
    shared: &Shared,
    result: Result<(), AskError>,
    is_paused: bool,
) -> Result<Json<Value>, Problem> {
    let mut view = shared.desk.view();
    match result {
        Ok(()) => {}
        Err(error @ AskError::Run(_)) => {
            return Err(Problem::from(error).in_state(&view.borrow().stage));
        }
        Err(error) => return Err(error.into()),
    }
    let is_shown = |stage: &Stage| (*stage == Stage::Paused) == is_paused;
    let shown = view.wait_for(|view| is_shown(&view.stage));
    // Somebody else may have been faster with the next order.
    let _ = timeout(SHOWN_WITHIN, shown).await;
    let state = stage_word(&view.borrow().stage);
    Ok(Json(json!({ "state": state })))
}
