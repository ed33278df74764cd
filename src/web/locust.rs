//! Locust's endpoints, with its parameters and shapes, so that scripts written for its API work.
//!
//! Times are ms. Unlike Locust's, lists are complete, a wrong value is named, and what is refused has
//! changed nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::api::{is_running, wait_for_end};
use super::forms::ratio_trees;
use super::problem::Problem;
use super::requests::Body;
use super::{Shared, wishes};
use crate::control::{AskError, Edit, Stage, View};
use crate::output;
use crate::screen::journal::{self, LogLine};
use crate::screen::show::clean;
use crate::script::Level;
use crate::stats::{ErrorRow, Row, Summary, WorkerRow, WorkerState};

/// Lines of the log that Locust gives.
const LOG_LINES: usize = 500;

/// Starts a run, or changes the current one.
pub(super) async fn swarm(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    match swarming(&shared, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => {
            let host = host_of(&shared.view());
            let message = locusts_words(&problem);
            let body = json!({ "success": false, "message": message, "host": host });
            (problem.status(), Json(body)).into_response()
        }
    }
}

async fn swarming(shared: &Shared, body: &Body) -> Result<Value, Problem> {
    let view = shared.view();
    let pairs = body.form()?;
    let declared = view.script.declared.as_deref();
    let params: Vec<&str> = declared
        .iter()
        .flat_map(|declared| declared.params.iter().map(|param| param.name.as_str()))
        .collect();
    let is_shaped = declared.is_some_and(|declared| declared.shape.is_some());
    let has = |field: &str| pairs.iter().any(|(name, _)| name == field);
    let has_users = has("user_count") && has("spawn_rate");
    if !is_shaped && !has_users {
        let detail = "Missing user_count or spawn_rate from /swarm request";
        let field = if has("user_count") {
            "spawn_rate"
        } else {
            "user_count"
        };
        return Err(Problem::field(field, detail));
    }
    let edit = wishes::from_form(&pairs, &params)?;
    let (classes, run_time) = (edit.classes.clone(), edit.run_time);
    if is_running(&view) {
        // Locust's form always has all fields: what is as it was is no change.
        shared.desk.change(None, differing(edit, &view)).await?;
    } else {
        shared.desk.start(edit).await?;
    }
    let view = shared.view();
    let message = match view.run.as_ref().is_some_and(|run| run.is_shaped) {
        true => "Swarming started using shape class 'Script'",
        false => "Swarming started",
    };
    let mut answer = json!({ "success": true, "message": message, "host": host_of(&view) });
    if let Some(Some(run_time)) = run_time {
        answer["run_time"] = run_time.as_secs().into();
    }
    if let Some(mut classes) = classes {
        classes.sort();
        answer["user_classes"] = classes.into();
    }
    Ok(answer)
}

/// Only what differs from what the current run was asked.
fn differing(mut edit: Edit, view: &View) -> Edit {
    let wish = &view.wish;
    let host = view.run.as_ref().map(|run| run.host.clone());
    if edit
        .host
        .as_ref()
        .is_some_and(|new| *new == wish.host || *new == host || new.is_none())
    {
        edit.host = None;
    }
    if edit
        .classes
        .as_ref()
        .is_some_and(|new| *new == wish.selection.classes)
    {
        edit.classes = None;
    }
    if edit
        .run_time
        .is_some_and(|new| Some(new) == wish.run_time || new.is_none())
    {
        edit.run_time = None;
    }
    edit.params.retain(|param| !wish.params.contains(param));
    let is_shaped = view.run.as_ref().is_some_and(|run| run.is_shaped);
    edit.use_shape = edit.use_shape.filter(|uses| *uses != is_shaped);
    edit
}

/// In Locust's own words, where it has some.
fn locusts_words(problem: &Problem) -> String {
    match problem.field.as_deref() {
        Some("run_time") => {
            "Valid run_time formats are : 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc.".to_owned()
        }
        _ if problem.is_shaped() => {
            "There is an ongoing shape test running. Editing is disabled".to_owned()
        }
        Some(field) if !problem.detail.starts_with("Missing") => {
            format!("{field}: {}", problem.detail)
        }
        _ => problem.detail.clone(),
    }
}

fn host_of(view: &View) -> Option<String> {
    let of_run = view.run.as_ref().map(|run| run.host.clone());
    let host = of_run
        .filter(|host| !host.is_empty())
        .or_else(|| view.wish.host.clone());
    host.map(|host| clean(&host).into_owned())
}

/// Stops the run, and answers when it has stopped.
pub(super) async fn stop(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    match shared.desk.stop(false).await {
        // Locust stops what does not run as well.
        Ok(()) | Err(AskError::Stage(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let is_over = wait_for_end(&shared).await;
    let message = if is_over {
        "Test stopped"
    } else {
        "Test is stopping"
    };
    Ok(Json(json!({ "success": is_over, "message": message })))
}

/// Sets the figures to zero.
pub(super) async fn reset(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    match shared.desk.reset().await {
        Ok(()) | Err(AskError::Stage(_)) => Ok("ok"),
        Err(error) => Err(error.into()),
    }
}

/// All figures.
pub(super) async fn requests(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let view = shared.view();
    let state = match view.stage {
        Stage::Ready => "ready",
        Stage::Starting | Stage::SettingUp | Stage::Spawning => "spawning",
        Stage::Running | Stage::Paused => "running",
        Stage::Stopping(_) => "stopping",
        Stage::Stopped(_) => "stopped",
    };
    let run = view.run.as_deref();
    let Some(summary) = run.and_then(|run| run.summary.as_deref()) else {
        return Json(json!({
            "stats": [], "errors": [], "current_rps": 0.0, "current_fail_per_sec": 0.0,
            "total_rps": 0.0, "total_fail_per_sec": 0.0, "fail_ratio": 0.0,
            "current_response_time_percentiles": current(None),
            "state": state, "user_count": 0,
        }));
    };
    let total = &summary.total;
    let rows = summary.requests.iter().chain([total]);
    let mut answer = json!({
        "stats": rows.map(entry).collect::<Vec<_>>(),
        "errors": summary.errors.iter().map(|row| error(row, summary)).collect::<Vec<_>>(),
        "current_rps": total.current_rps,
        "current_fail_per_sec": total.current_failures_per_s,
        "total_rps": total.rps,
        "total_fail_per_sec": total.failures_per_s,
        "fail_ratio": output::share(total.failures, total.requests),
        "current_response_time_percentiles": current(Some(total)),
        "state": state,
        "user_count": summary.users.running,
    });
    if !summary.workers.is_empty() {
        answer["workers"] = workers(summary);
        answer["worker_count"] = workers_there(summary).into();
    }
    Json(answer)
}

/// Workers in Locust's words; who has left is none.
fn workers(summary: &Summary) -> Value {
    let rows = summary.workers.iter();
    let rows = rows.filter(|row| row.state != WorkerState::Left);
    let worker = |row: &WorkerRow| {
        let state = match row.state {
            WorkerState::Ready => "ready",
            WorkerState::Running | WorkerState::Late => "running",
            _ => "missing",
        };
        json!({
            "id": worker_id(row),
            "state": state,
            "user_count": row.users,
            "cpu_usage": row.machine.cpu * 100.0,
            "memory_usage": row.machine.rss_bytes,
        })
    };
    rows.map(worker).collect()
}

/// A worker's name and number, as Locust has the name and a random number.
fn worker_id(row: &WorkerRow) -> String {
    format!("{}_{}", clean(&row.name.host), row.name.number)
}

fn workers_there(summary: &Summary) -> usize {
    let rows = summary.workers.iter();
    let is_there = |state| {
        use WorkerState::{Late, Ready, Running};
        matches!(state, Ready | Running | Late)
    };
    rows.filter(|row| is_there(row.state)).count()
}

fn current(total: Option<&Row>) -> Value {
    let times = total
        .map(|total| total.current)
        .filter(|times| times.count > 0);
    json!({
        "response_time_percentile_0.5": times.map(|times| output::ms(times.p50_us())),
        "response_time_percentile_0.95": times.map(|times| output::ms(times.p95_us())),
    })
}

fn entry(row: &Row) -> Value {
    let response = &row.response;
    json!({
        "method": clean(&row.key.method),
        "name": clean(&row.key.name),
        "num_requests": row.requests,
        "num_failures": row.failures,
        "min_response_time": output::ms(response.min_us),
        "max_response_time": output::ms(response.max_us),
        "current_rps": row.current_rps,
        "current_fail_per_sec": row.current_failures_per_s,
        "avg_response_time": output::mean_ms(response.mean_us),
        "median_response_time": output::ms(response.p50_us()),
        "total_rps": row.rps,
        "total_fail_per_sec": row.failures_per_s,
        "response_time_percentile_0.95": output::ms(response.p95_us()),
        "response_time_percentile_0.99": output::ms(response.p99_us()),
        "avg_content_length": output::share(row.received, row.requests),
    })
}

fn error(row: &ErrorRow, summary: &Summary) -> Value {
    let at_s = |us: u64| {
        let us = summary.epoch_unix_us.saturating_add_unsigned(us);
        jiff::Timestamp::from_microsecond(us).map_or(0.0, |at| at.as_duration().as_secs_f64())
    };
    json!({
        "name": clean(&row.name),
        "method": clean(&row.method),
        "error": clean(&row.error),
        "occurrences": row.count,
        "first_seen": at_s(row.first_us),
        "last_seen": at_s(row.last_us),
    })
}

/// Exceptions of the script.
pub(super) async fn exceptions(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let view = shared.view();
    let summary = view.run.as_ref().and_then(|run| run.summary.clone());
    let rows = summary.iter().flat_map(|summary| summary.exceptions.iter());
    let rows = rows.map(|row| {
        let lines = output::traceback(row);
        let traceback: Vec<String> = lines.map(|line| clean(line).into_owned()).collect();
        json!({
            "count": row.count,
            "msg": clean(&row.message),
            "traceback": traceback.join("\n"),
            "nodes": "local",
        })
    });
    Json(json!({ "exceptions": rows.collect::<Vec<_>>() }))
}

/// The shares of tasks.
pub(super) async fn tasks(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(ratio_trees(&shared.view()))
}

/// The latest lines of the log, as they are on stderr.
pub(super) async fn logs(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let lines = journal::after(0);
    let latest = &lines[lines.len().saturating_sub(LOG_LINES)..];
    let shown = |line: &LogLine| {
        let level = match line.level {
            Level::Info => "INFO",
            Level::Warn => "WARNING",
            Level::Error => "ERROR",
        };
        let at = jiff::Timestamp::from_microsecond(line.at_unix_us).unwrap_or_default();
        let at = at.to_zoned(jiff::tz::TimeZone::system());
        format!(
            "[{}] {level} {}",
            at.strftime("%Y-%m-%d %H:%M:%S%.3f"),
            line.text
        )
    };
    let view = shared.view();
    let summary = view.run.as_ref().and_then(|run| run.summary.clone());
    let rows = summary.iter().flat_map(|summary| summary.workers.iter());
    let mut workers = Map::new();
    for row in rows {
        let own = format!("{} ", row.name);
        let of_it = latest.iter().filter(|line| line.text.starts_with(&own));
        let of_it: Vec<String> = of_it.map(shown).collect();
        if !of_it.is_empty() {
            workers.insert(worker_id(row), of_it.into());
        }
    }
    let all: Vec<String> = latest.iter().map(shown).collect();
    Json(json!({ "master": all, "workers": workers }))
}

/// How many workers are there.
pub(super) async fn worker_count(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let view = shared.view();
    let summary = view.run.as_ref().and_then(|run| run.summary.clone());
    let count = summary.map_or(0, |summary| workers_there(&summary));
    Json(json!({ "worker_count": count }))
}

/// Sets attributes of a class, as `--config-users` does.
pub(super) async fn user(
    State(shared): State<Arc<Shared>>,
    body: Body,
) -> Result<(StatusCode, Json<Map<String, Value>>), Problem> {
    let object = body.object()?;
    let name = object.get("user_class_name").and_then(Value::as_str);
    if name.is_none() {
        return Err(Problem::field(
            "user_class_name",
            "the name of a user class is expected",
        ));
    }
    let edit = Edit {
        config_users: vec![Value::Object(object).to_string()],
        ..Edit::default()
    };
    shared.desk.configure(edit).await?;
    Ok((StatusCode::CREATED, Json(Map::new())))
}
