//! The files of `--csv`, byte for byte, at any moment of a run.
//!
//! Owns their names and that no secret is in them; `output` makes their content.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;
use super::requests::Query;
use crate::control::RunView;
use crate::output::{CsvFile, csv};
use crate::screen::show::clean;

pub(super) async fn requests(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Response, Problem> {
    file(&shared, &query, CsvFile::Stats, "requests")
}

pub(super) async fn failures(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Response, Problem> {
    file(&shared, &query, CsvFile::Failures, "failures")
}

pub(super) async fn exceptions(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Response, Problem> {
    file(&shared, &query, CsvFile::Exceptions, "exceptions")
}

pub(super) async fn history(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Response, Problem> {
    file(&shared, &query, CsvFile::History, "requests_full_history")
}

fn file(shared: &Shared, query: &Query, which: CsvFile, what: &str) -> Result<Response, Problem> {
    let run = shared.some_run(query)?;
    let text = run.summary.as_deref().map(|summary| csv(summary, which));
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    // Line by line: whatever makes a text safe would replace the ends of lines.
    let lines = text
        .split_inclusive('\n')
        .map(|line| match line.strip_suffix("\n") {
            Some(line) => clean(line.trim_end_matches('\r')).into_owned() + ending(line),
            None => clean(line).into_owned(),
        });
    let mut response = lines.collect::<String>().into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    attach(headers, &file_name(&run, what, "csv"));
    Ok(response)
}

fn ending(line: &str) -> &'static str {
    if line.ends_with('\r') { "\r\n" } else { "\n" }
}

/// Has a browser save the response under this name.
pub(super) fn attach(headers: &mut HeaderMap, name: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
}

/// Such as `katydid_2026-11-27-10h05_coupon_shop-8080_requests.csv`: in local time, of characters
/// that every file system takes.
pub(super) fn file_name(run: &RunView, what: &str, ending: &str) -> String {
    let begun = run
        .summary
        .as_ref()
        .map_or(0, |summary| summary.epoch_unix_us);
    let begun = jiff::Timestamp::from_microsecond(begun).unwrap_or_default();
    let begun = begun.to_zoned(jiff::tz::TimeZone::system());
    let script = run.script.rsplit('/').next().unwrap_or_default();
    let script = script.strip_suffix(".rhai").unwrap_or(script);
    let host = run.host.split_once("://").map_or("", |(_, rest)| rest);
    let parts = [
        "katydid",
        &begun.strftime("%Y-%m-%d-%Hh%M").to_string(),
        script,
        host,
        what,
    ];
    let parts = parts.map(|part| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        part.trim_matches('/')
            .chars()
            .map(|c| if plain(c) { c } else { '-' })
            .collect::<String>()
    });
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    format!("{}.{ending}", parts.collect::<Vec<_>>().join("_"))
}
