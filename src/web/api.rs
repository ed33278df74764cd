//! Katydid's own API, `/api/v1`: looking and asking.
//!
//! docs/openapi.json describes it, and tests hold one against the other.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::forms::{Form, PreviewForm, findings, ratio_trees, ratios_of_run, stage_word};
use super::frames::{LogForm, RunHead, Wanted, closed_seconds, snapshot as whole};
use super::live::{Listener, poll, stream};
use super::problem::Problem;
use super::requests::{Body, Query};
use super::{Peer, Shared, figures, wishes};
use crate::control::{Looked, RunView, Stage, View, preview};
use crate::output::{self, RunInfo};
use crate::screen::journal;
use crate::screen::show::clean;
use crate::stats::LAG_LIMIT_US;

type Answer<T> = Result<T, Problem>;

/// What describes the API.
pub(super) const OPENAPI: &str = include_str!("../../docs/openapi.json");

/// The longest note, in characters.
const LONGEST_NOTE: usize = 200;

/// How long `wait=1` waits for the end of a run.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a reload waits for its edition to go into service.
const ADOPTION: Duration = Duration::from_secs(5);

impl Shared {
    pub(super) fn view(&self) -> Arc<View> {
        self.desk.view().borrow().clone()
    }

    /// The run that a query names, or the current or last one.
    pub(super) fn run(&self, query: &Query) -> Answer<Option<Arc<RunView>>> {
        let view = self.view();
        match query.number("run")? {
            None => Ok(view.run.clone()),
            Some(number) => find_run(&view, number).map(Some),
        }
    }

    /// As [`Shared::run`], but there must be one.
    pub(super) fn some_run(&self, query: &Query) -> Answer<Arc<RunView>> {
        let none = || Problem::new(StatusCode::NOT_FOUND, "there has been no run yet");
        self.run(query)?.ok_or_else(none)
    }
}

/// The run of that number, if it is kept.
pub(super) fn find_run(view: &View, number: u64) -> Answer<Arc<RunView>> {
    let current = view.run.iter();
    let mut all = current.chain(view.finished.iter().rev());
    let found = all.find(|run| u64::from(run.number) == number).cloned();
    let none = || Problem::new(StatusCode::NOT_FOUND, format!("there is no run {number}"));
    found.ok_or_else(none)
}

pub(super) async fn info(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let needs_token = shared.access.needs_token();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "instance": shared.instance,
        // Whoever is not logged in learns nothing of the run.
        "script": if needs_token { String::new() } else { shared.view().script.path.clone() },
        "is_read_only": shared.access.is_read_only(),
        "is_demo": shared.options.is_demo,
        "needs_token": needs_token,
        "has_ui": !shared.assets.is_empty(),
        "base_path": shared.options.base_path,
    }))
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub(super) async fn state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let view = shared.view();
    let run = view.run.as_deref();
    let summary = run.and_then(|run| run.summary.as_deref());
    let total = summary.map(|summary| &summary.total);
    let last = summary.and_then(|summary| {
        let second = closed_seconds(run?).checked_sub(1)?;
        summary.history.get(second)
    });
    Json(json!({
        "instance": shared.instance,
        "run": run.map(|run| run.number),
        "state": stage_word(&view.stage),
        "t": run.map_or(0, closed_seconds),
        "users": summary.map_or(0, |summary| summary.users.running),
        "asked": summary.map_or(0, |summary| summary.users.asked),
        "rps": total.map_or(0.0, |total| total.current_rps),
        "fail_ratio": total.map_or(0.0, |total| output::share(total.failures, total.requests)),
        "p95_us": total.map_or(0, |total| total.response.p95_us()),
        "generation": summary.and_then(|summary| summary.generations.last()).map_or(0, |it| it.n),
        "script_ok": view.script.is_ok,
        "is_generator_late": last.is_some_and(|second| second.lag_us > LAG_LIMIT_US),
    }))
}

pub(super) async fn form(State(shared): State<Arc<Shared>>) -> Json<Form> {
    Json(Form::of(&shared.view()))
}

pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    body: Body,
) -> Answer<Json<PreviewForm>> {
    let view = shared.view();
    let edit = wishes::from_json(&body.object()?, &[])?;
    let wish = edit.applied_to(&view.wish);
    let Some(declared) = &view.script.declared else {
        return Err(Problem::from(crate::control::AskError::Script(
            view.script.clone(),
        )));
    };
    let preview = preview(&wish, declared)?;
    Ok(Json(PreviewForm::of(&preview, &wish, &view.script)))
}

pub(super) async fn start(
    State(shared): State<Arc<Shared>>,
    body: Body,
) -> Answer<(StatusCode, Json<Value>)> {
    let edit = wishes::from_json(&body.object()?, &[])?;
    let run = shared.desk.start(edit).await?;
    Ok((StatusCode::CREATED, Json(json!({ "run": run }))))
}

pub(super) async fn runs(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let view = shared.view();
    let mut all: Vec<_> = view
        .finished
        .iter()
        .map(|run| RunHead::of(run, &view))
        .collect();
    if let Some(run) = view.run.as_ref().filter(|_| view.stage.is_active()) {
        all.push(RunHead::of(run, &view));
    }
    Json(json!({ "runs": all }))
}

pub(super) async fn run(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<String>,
) -> Answer<Response> {
    let view = shared.view();
    let wrong = || Problem::new(StatusCode::NOT_FOUND, "there is no such run");
    let number = number.parse().map_err(|_| wrong())?;
    let run = find_run(&view, number)?;
    let head = json!(RunHead::of(&run, &view));
    let document = document(&run);
    Ok(Json(json!({ "head": head, "document": document })).into_response())
}

/// The document of `--json`; `null` before the first second.
pub(super) fn document(run: &RunView) -> Value {
    let Some(summary) = &run.summary else {
        return Value::Null;
    };
    let text = output::document(&run_info(run), summary);
    let cleaned: Value = serde_json::from_str(&text).expect("the document is JSON");
    cleaned_strings(cleaned)
}

/// What outputs say of a run.
pub(super) fn run_info(run: &RunView) -> RunInfo {
    RunInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        script: run.script.clone(),
        host: run.host.clone(),
        seed: run.seed,
    }
}

/// Without secrets, wherever they may have got to.
fn cleaned_strings(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text).into_owned()),
        Value::Array(all) => all.into_iter().map(cleaned_strings).collect(),
        Value::Object(all) => {
            let all = all.into_iter();
            all.map(|(name, value)| (name, cleaned_strings(value)))
                .collect()
        }
        other => other,
    }
}

pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    body: Body,
) -> Answer<(StatusCode, Json<Value>)> {
    let object = body.object()?;
    let run = match object.get("run") {
        None | Some(Value::Null) => None,
        Some(run) => {
            let number = run.as_u64().and_then(|run| u32::try_from(run).ok());
            Some(number.ok_or_else(|| Problem::field("run", "the number of a run is expected"))?)
        }
    };
    let edit = wishes::from_json(&object, &["run"])?;
    let changed = shared.desk.change(run, edit).await?;
    let body = json!({ "done": changed.done, "is_reloading": changed.is_reloading });
    Ok((StatusCode::ACCEPTED, Json(body)))
}

pub(super) async fn stop(
    State(shared): State<Arc<Shared>>,
    query: Query,
    body: Body,
) -> Answer<(StatusCode, Json<Value>)> {
    let object = body.object()?;
    let now = match object.get("now") {
        None => false,
        Some(now) => {
            let now = now.as_bool();
            now.ok_or_else(|| Problem::field("now", "true or false is expected"))?
        }
    };
    if let Some(unknown) = object.keys().find(|key| *key != "now") {
        return Err(Problem::field(unknown, "there is no such field"));
    }
    let waits = query.flag("wait")?.unwrap_or(false);
    shared.desk.stop(now).await?;
    let is_over = waits && wait_for_end(&shared).await;
    let status = if is_over {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let state = stage_word(&shared.view().stage);
    Ok((status, Json(json!({ "state": state }))))
}

/// Whether the current run has ended within a minute.
pub(super) async fn wait_for_end(shared: &Shared) -> bool {
    let mut view = shared.desk.view();
    let ended = view.wait_for(|view| !view.stage.is_active());
    matches!(timeout(LONGEST_WAIT, ended).await, Ok(Ok(_)))
}

pub(super) async fn reset(State(shared): State<Arc<Shared>>) -> Answer<Json<Value>> {
    shared.desk.reset().await?;
    Ok(Json(json!({})))
}

pub(super) async fn note(State(shared): State<Arc<Shared>>, body: Body) -> Answer<Json<Value>> {
    let object = body.object()?;
    let text = object.get("text").and_then(Value::as_str).map(str::trim);
    let text = text.filter(|text| !text.is_empty() && text.chars().count() <= LONGEST_NOTE);
    let wrong = || {
        let detail = format!("a text of 1 to {LONGEST_NOTE} characters is expected");
        Problem::field("text", detail)
    };
    shared.desk.note(text.ok_or_else(wrong)?.to_owned()).await?;
    Ok(Json(json!({})))
}

/// Looks at the script's files as a signal does. An edition that goes into service within 5 s is
/// named.
pub(super) async fn reload(State(shared): State<Arc<Shared>>) -> Answer<Json<Value>> {
    let mut view = shared.desk.view();
    let generations = |view: &View| view.run.as_ref().map_or(0, |run| run.generations.len());
    let count = generations(&view.borrow());
    let looked = shared.desk.reload().await?;
    let now = view.borrow().clone();
    Ok(Json(match looked {
        Looked::Same => json!({ "outcome": "same" }),
        Looked::Broken => json!({ "outcome": "broken", "findings": findings(&now.script) }),
        Looked::Unreadable => {
            json!({ "outcome": "unreadable", "findings": findings(&now.script) })
        }
        Looked::Edited if !now.stage.is_active() => json!({ "outcome": "edited" }),
        Looked::Edited => {
            let adopted =
                view.wait_for(|view| generations(view) > count || !view.stage.is_active());
            let _ = timeout(ADOPTION, adopted).await;
            match generations(&view.borrow()) {
                generation if generation > count => {
                    json!({ "outcome": "edited", "generation": generation })
                }
                _ => json!({ "outcome": "edited" }),
            }
        }
    }))
}

pub(super) async fn snapshot(State(shared): State<Arc<Shared>>, query: Query) -> Answer<Response> {
    let run = shared.run(&query)?;
    let frame = whole(&shared.instance, &shared.view(), run.as_deref());
    Ok(Json(frame).into_response())
}

pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Query,
    headers: HeaderMap,
) -> Answer<Response> {
    let text = |name: &str| {
        let value = headers.get(name);
        value.and_then(|value: &HeaderValue| value.to_str().ok())
    };
    // A browser that comes again says what it had last.
    let last = text("last-event-id").and_then(|id| {
        let mut parts = id.rsplit('.');
        let seq = parts.next()?.parse().ok()?;
        let _run = parts.next();
        let instance = parts.next()?;
        (instance == shared.instance).then_some(seq)
    });
    let after = last.or(query.number("after")?);
    let listener = Listener {
        known: after.and_then(|seq| shared.told.at(seq)),
        wanted: Wanted {
            rows: query.flag("rows")?.unwrap_or(true),
            generations: query.flag("generations")?.unwrap_or(false),
            series: query.series()?,
        },
        // Tabs of one browser share its address and its name.
        browser: format!("{} {}", peer.ip(), text("user-agent").unwrap_or_default()),
    };
    let wants_stream = text("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    if wants_stream {
        return Ok(stream(&shared, listener));
    }
    Ok(poll(&shared, after, listener).await)
}

pub(super) async fn timeline(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Answer<Json<Value>> {
    let run = shared.some_run(&query)?;
    let (from, to) = (query.number("from")?, query.number("to")?);
    let window = from.unwrap_or(0)..to.unwrap_or(u64::MAX);
    let mut series = serde_json::Map::new();
    for id in query.series()? {
        let slots = run.summary.iter().flat_map(|summary| {
            let stretches = summary.timeline.stretches(id, window.clone());
            stretches
                .map(|stretch| figures::slot(&stretch))
                .collect::<Vec<_>>()
        });
        series.insert(id.to_string(), json!(slots.collect::<Vec<_>>()));
    }
    Ok(Json(json!({ "series": series })))
}

pub(super) async fn errors(State(shared): State<Arc<Shared>>, query: Query) -> Answer<Json<Value>> {
    let run = shared.run(&query)?;
    let summary = run.as_ref().and_then(|run| run.summary.as_deref());
    Ok(Json(
        json!({ "rows": summary.map(figures::errors).unwrap_or_default() }),
    ))
}

pub(super) async fn exceptions(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Answer<Json<Value>> {
    let run = shared.run(&query)?;
    let summary = run.as_ref().and_then(|run| run.summary.as_deref());
    Ok(Json(
        json!({ "rows": summary.map(figures::exceptions).unwrap_or_default() }),
    ))
}

pub(super) async fn checks(State(shared): State<Arc<Shared>>, query: Query) -> Answer<Json<Value>> {
    let run = shared.run(&query)?;
    let summary = run.as_ref().and_then(|run| run.summary.as_deref());
    Ok(Json(
        json!({ "rows": summary.map(figures::checks).unwrap_or_default() }),
    ))
}

pub(super) async fn logs(query: Query) -> Answer<Json<Value>> {
    let least = match query.get("level") {
        None | Some("info") => 0,
        Some("warn") => 1,
        Some("error") => 2,
        Some(_) => return Err(Problem::field("level", "it is info, warn or error")),
    };
    let lines = journal::after(query.number("after")?.unwrap_or(0));
    let lines = lines.into_iter().map(LogForm::of);
    let rank = |line: &LogForm| match line.level {
        "info" => 0,
        "warn" => 1,
        _ => 2,
    };
    let lines: Vec<_> = lines.filter(|line| rank(line) >= least).collect();
    Ok(Json(json!({ "lines": lines })))
}

pub(super) async fn ratio(State(shared): State<Arc<Shared>>, query: Query) -> Answer<Json<Value>> {
    if query.number("run")?.is_some() {
        let run = shared.some_run(&query)?;
        return Ok(Json(ratios_of_run(&run)));
    }
    Ok(Json(ratio_trees(&shared.view())))
}

pub(super) async fn login(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Body,
) -> Answer<Response> {
    let object = body.object()?;
    let token = object.get("token").and_then(Value::as_str);
    let token = token.ok_or_else(|| Problem::field("token", "a text is expected"))?;
    let cookie = shared.access.log_in(peer.ip(), token)?;
    Ok(with_cookie(&cookie))
}

pub(super) async fn logout(State(shared): State<Arc<Shared>>) -> Response {
    with_cookie(&shared.access.cookie(""))
}

fn with_cookie(cookie: &str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Whether users can be changed now; the words of a run that is not under way otherwise.
pub(super) fn is_running(view: &View) -> bool {
    view.stage.is_active() && !matches!(view.stage, Stage::Stopping(_))
}
