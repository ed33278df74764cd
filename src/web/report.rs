//! The report: one HTML file with the figures in it and the same charts as the page, which needs no
//! server and no network.
//!
//! Owns what goes into the file, and how much of it: a day's run must still be a file that can be
//! sent around.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::Shared;
use super::api::document;
use super::assets::{self, Asset, REPORT_POLICY};
use super::downloads::{attach, file_name};
use super::figures;
use super::forms::ratios_of_run;
use super::frames::snapshot;
use super::problem::Problem;
use super::requests::Query;
use super::script::files;
use crate::control::{RunView, View};
use crate::stats::Summary;

/// The page that a report's data are put into.
const SHELL: &str = "report.html";

/// Where the data go in it.
const DATA_MARK: &str = "{{katydid-run}}";

/// Most bytes of the histories of names, before compression and base64.
const MOST_HISTORY: usize = 3_500_000;

/// `/stats/report`, `/api/v1/report`.
pub(super) async fn report(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Response, Problem> {
    let run = shared.some_run(&query)?;
    let view = shared.view();
    let look = Look {
        with_script: query.flag("script")?.unwrap_or(false),
        theme: theme(&query)?,
    };
    let is_download = query.flag("download")?.unwrap_or(false);
    let instance = shared.instance.clone();
    // Compressing takes up to some 100 ms: streams go on meanwhile.
    let named = run.clone();
    let shell = assets::find(shared.assets, SHELL);
    let make = move || page(shell, &instance, &view, &run, look);
    let made = tokio::task::spawn_blocking(make).await;
    let failed = || {
        let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "the report could not be made")
    };
    let html = made.map_err(|_| failed())?;
    let mut response = html.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    if shell.is_some() {
        let policy = HeaderName::from_static("content-security-policy");
        headers.insert(policy, HeaderValue::from_static(REPORT_POLICY));
    }
    if is_download {
        attach(headers, &file_name(&named, "report", "html"));
    }
    Ok(response)
}

/// What a reader may choose of a report.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    /// Whether the script's text is in it.
    with_script: bool,
    /// `light` or `dark`, whatever the system is.
    theme: Option<&'static str>,
}

fn theme(query: &Query) -> Result<Option<&'static str>, Problem> {
    match query.get("theme") {
        None | Some("") => Ok(None),
        Some("light") => Ok(Some("light")),
        Some("dark") => Ok(Some("dark")),
        Some(_) => Err(Problem::field("theme", "it is light or dark")),
    }
}

/// The file's content; plain without a shell to put it in.
fn page(shell: Option<&Asset>, instance: &str, view: &View, run: &RunView, look: Look) -> String {
    let Some(shell) = shell else {
        return plain(run);
    };
    let shell = std::str::from_utf8(shell.plain).expect("the build made it of text");
    let mut snapshot = json!(snapshot(instance, view, Some(run)));
    // The form and the log belong to the process, not to the run.
    if let Some(snapshot) = snapshot.as_object_mut() {
        snapshot.remove("form");
        snapshot.insert("log".to_owned(), json!([]));
    }
    let scripts = if look.with_script {
        scripts(run)
    } else {
        Value::Null
    };
    let data = json!({
        "snapshot": snapshot,
        "series": run.summary.as_deref().map(histories).unwrap_or_default(),
        "document": document(run),
        "scripts": scripts,
        "ratio": ratios_of_run(run),
        "theme": look.theme,
    });
    let text = serde_json::to_vec(&data).expect("plain data");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let written = packed.write_all(&text).and_then(|()| packed.finish());
    let packed = written.expect("writing to memory does not fail");
    // base64 has no character that could end the element.
    shell.replacen(DATA_MARK, &BASE64_STANDARD.encode(packed), 1)
}

/// The stretches of each name: so long that all names have room. Of very many names the busiest.
fn histories(summary: &Summary) -> serde_json::Map<String, Value> {
    let timeline = summary.timeline.thinned(MOST_HISTORY);
    let mut rows: Vec<_> = figures::all_rows(summary).skip(1).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.requests));
    let mut left = MOST_HISTORY;
    let mut all = serde_json::Map::new();
    for row in rows {
        let stretches: Vec<_> = timeline.stretches(row.id, 0..u64::MAX).collect();
        let bytes: usize = stretches.iter().map(|it| it.bytes.len()).sum();
        if bytes > left {
            break;
        }
        left -= bytes;
        let slots: Vec<_> = stretches.iter().map(figures::slot).collect();
        all.insert(row.id.to_string(), json!(slots));
    }
    all
}

fn scripts(run: &RunView) -> Value {
    let all = run
        .generations
        .iter()
        .map(|made| json!({ "generation": made.number, "files": files(&made.files) }));
    all.collect()
}

/// Without the page's shell: the document, readable.
fn plain(run: &RunView) -> String {
    let text = serde_json::to_string_pretty(&document(run)).expect("plain data");
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Katydid</title>\n<p>This Katydid was \
         built without npm, so its reports have no charts. What was measured:\n<pre>{text}</pre>\n"
    )
}

/// Writes the report of a finished run to a file.
#[derive(Debug)]
pub(crate) struct Html {
    path: PathBuf,
}

impl Html {
    /// Writes to `path`; `{u}`, `{r}` and `{t}` in it become users, rate and run time, as in Locust.
    #[must_use]
    pub(crate) fn new(path: &Path) -> Html {
        Html {
            path: path.to_owned(),
        }
    }

    /// Where it goes.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the report of that run; the file is complete or not there.
    ///
    /// # Errors
    /// Why it can't be written.
    pub(crate) fn write(&self, view: &View, run: &Arc<RunView>) -> io::Result<()> {
        let shell = assets::find(assets::built(), SHELL);
        let html = page(shell, "", view, run, Look::default());
        if let Some(folder) = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder)?;
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        fs::write(&beside, html)?;
        fs::rename(&beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{ScriptView, Stage, Wish};
    use crate::stats::{Collector, Kind, Limits, Outcome, Recorder, Sample};

    /// What a report may weigh: it is sent around by mail.
    const MOST_BYTES: usize = 5_000_000;

    /// Numbers that look like chance (SplitMix64), as shares of one.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }

        /// Microseconds around `median`, log-normal with a σ of 0.5, as services answer.
        fn time_us(&mut self, median: f64) -> u64 {
            let normal =
                (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos();
            (median * (0.5 * normal).exp()) as u64
        }
    }

    /// A run of so many names and seconds, each name with `rate` requests in each of them.
    fn ran(names: u32, seconds: u64, rate: u64) -> Arc<Summary> {
        let mut collector = Collector::new(Limits::default());
        let mut recorder = Recorder::new(0, Limits::default());
        let mut chance = Chance(1);
        let series: Vec<_> = (0..names)
            .map(|n| recorder.series(&Kind::Http, "GET", &format!("/products/{n}/[id]/reviews")))
            .collect();
        for second in 0..seconds {
            for (n, series) in series.iter().enumerate() {
                for _ in 0..rate {
                    let time = chance.time_us(5_000.0 + 500.0 * n as f64);
                    let start = second * 1_000_000 + (chance.next() * 900_000.0) as u64;
                    let sample = Sample::new(*series, 1, Outcome::Success, start);
                    recorder.record(sample.service_us(time).bytes(200, 5_000));
                    if recorder.is_full() {
                        collector.absorb(recorder.take(None));
                    }
                }
            }
            collector.absorb(recorder.take(None));
            collector.tick((second + 1) * 1_000_000);
        }
        collector.end(seconds * 1_000_000);
        collector.summary(seconds * 1_000_000)
    }

    fn view_of(summary: Arc<Summary>) -> (View, Arc<RunView>) {
        let run = Arc::new(RunView {
            number: 1,
            label: String::new(),
            script: "shop.rhai".to_owned(),
            host: "http://shop:8080".to_owned(),
            seed: 1,
            ends: None,
            is_shaped: false,
            summary: Some(summary),
            generations: Vec::new(),
            waits_for: 0,
            why: None,
        });
        let view = View {
            seq: 1,
            stage: Stage::Ready,
            run: Some(run.clone()),
            finished: Arc::default(),
            script: Arc::new(ScriptView::default()),
            wish: Arc::new(Wish::default()),
            exit: None,
        };
        (view, run)
    }

    /// An hour of a hundred names has 360,000 histograms, one a second and name, here of one request
    /// each.
    #[test]
    fn an_hour_of_a_hundred_names_is_a_file_that_can_be_mailed() {
        let summary = ran(100, 3_600, 1);
        let (view, run) = view_of(summary.clone());
        let shell = assets::find(assets::built(), SHELL);
        let html = page(shell, "", &view, &run, Look::default());
        assert!(html.len() < MOST_BYTES, "{} bytes", html.len());
        let kept = histories(&summary);
        assert_eq!(kept.len(), 100, "each name keeps its history");
        let slots = kept["1"].as_array().expect("a list of slots");
        let longest = slots.iter().filter_map(|slot| slot[1].as_u64()).max();
        assert!(longest <= Some(8), "{longest:?} s in one slot");
    }
}
