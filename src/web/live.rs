//! The stream of frames: server-sent events, or one frame at a time for clients that poll.
//!
//! A stream holds only the newest state: what a slow client has missed is not kept for it. It ends
//! when its client reads nothing for 30 s, and its connection with it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame as BodyFrame;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use super::frames::{Known, Wanted, closed_seconds, frame};
use super::problem::Problem;
use crate::control::{Exit, View};
use crate::screen::journal;

/// Streams of one browser: the others of its tabs poll, or its six connections would be used up.
const MOST_OF_BROWSER: usize = 3;

/// Streams of all browsers.
const MOST_STREAMS: usize = 64;

/// A client that reads nothing for so long has gone.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two events of a stream.
const AT_LEAST: Duration = Duration::from_millis(100);

/// Without an event for so long, a comment shows that the stream is alive.
const QUIET: Duration = Duration::from_secs(2);

/// How long a client that polls waits for something new.
const POLL: Duration = Duration::from_millis(1_200);

/// How many streams each browser has.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<String, usize>>);

/// One of them, given back when dropped.
pub(super) struct Seat {
    shared: Arc<Shared>,
    browser: String,
}

impl Streams {
    fn take(shared: &Arc<Shared>, browser: &str) -> Option<Seat> {
        let mut all = shared
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_browser = all.get(browser).copied().unwrap_or_default();
        if of_browser >= MOST_OF_BROWSER || all.values().sum::<usize>() >= MOST_STREAMS {
            return None;
        }
        *all.entry(browser.to_owned()).or_default() += 1;
        Some(Seat {
            shared: shared.clone(),
            browser: browser.to_owned(),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self
            .shared
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.browser) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.browser);
            }
        }
    }
}

/// A body that a task writes.
struct Written(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Written {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|bytes| bytes.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}

/// What a client asks of the stream.
pub(super) struct Listener {
    pub(super) known: Option<Known>,
    pub(super) wanted: Wanted,
    pub(super) browser: String,
}

/// A stream of events; 503 when there are too many.
pub(super) fn stream(shared: &Arc<Shared>, listener: Listener) -> Response {
    let Some(seat) = Streams::take(shared, &listener.browser) else {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams: poll");
        return problem.retry_after(1).into_response();
    };
    // One frame waits in the socket and one here; whatever is older is replaced by the newest.
    let (events, written) = mpsc::channel(1);
    tokio::spawn(write(seat, listener, events));
    let body = Body::new(UnsyncBoxBody::new(Written(written)));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    // Proxies that would collect events before they pass them on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

async fn write(seat: Seat, listener: Listener, events: mpsc::Sender<Bytes>) {
    let shared = &seat.shared;
    let mut view = shared.desk.view();
    let mut log = journal::latest();
    let mut known = listener.known;
    let mut next = Instant::now();
    loop {
        let now = view.borrow_and_update().clone();
        log.borrow_and_update();
        let text = match now.exit {
            Some(exit) => ending(exit),
            None => event(shared, &now, &mut known, &listener.wanted),
        };
        if !send(&events, text).await || now.exit.is_some() {
            return;
        }
        next = (next + AT_LEAST).max(Instant::now());
        sleep_until(next).await;
        loop {
            let news = tokio::select! {
                changed = view.changed() => changed.is_ok(),
                changed = log.changed() => changed.is_ok(),
                () = events.closed() => return,
                () = tokio::time::sleep(QUIET) => {
                    if !send(&events, ":\n\n".to_owned()).await {
                        return;
                    }
                    continue;
                }
            };
            if !news {
                return;
            }
            break;
        }
    }
}

async fn send(events: &mpsc::Sender<Bytes>, text: String) -> bool {
    let sent = timeout(PATIENCE, events.send(Bytes::from(text))).await;
    matches!(sent, Ok(Ok(())))
}

/// The next event for a client, which then knows what is in it.
fn event(shared: &Shared, view: &View, known: &mut Option<Known>, wanted: &Wanted) -> String {
    let run = view.run.as_deref();
    let number = run.map(|run| run.number);
    let id = format!("{}.{}.{}", shared.instance, number.unwrap_or(0), view.seq);
    if known.is_some_and(|known| known.run != number) {
        // Of another run it knows nothing: it fetches a snapshot.
        *known = Some(Known::all(run));
        return format!("event: resync\nid: {id}\ndata: {{}}\n\n");
    }
    let is_new_second =
        run.is_some_and(|run| known.is_none_or(|known| closed_seconds(run) != known.t));
    let log = known.map_or_else(|| *journal::latest().borrow(), |known| known.log);
    let frame = frame(&shared.instance, view, run, *known, wanted);
    *known = Some(Known {
        // Lines that came meanwhile are for the next event.
        log: frame.last_line().unwrap_or(log),
        ..Known::all(run)
    });
    let kind = if is_new_second { "frame" } else { "now" };
    let data = serde_json::to_string(&frame).expect("a frame is plain data");
    format!("event: {kind}\nid: {id}\ndata: {data}\n\n")
}

/// What was told with each of the latest views, so that a client that comes again is told the rest.
#[derive(Default)]
pub(super) struct Told(Mutex<VecDeque<(u64, Known)>>);

/// Views that are remembered: some minutes of a run.
const MOST_TOLD: usize = 1_000;

impl Told {
    /// Remembers every view from now on.
    pub(super) async fn keep(shared: Arc<Shared>) {
        let mut view = shared.desk.view();
        let mut log = 0;
        loop {
            let (seq, known) = {
                let now = view.borrow_and_update();
                (now.seq, Known::all(now.run.as_deref()))
            };
            // A client may have had this view before the latest lines: it has those before it.
            shared.told.add(seq, Known { log, ..known });
            log = known.log;
            if view.changed().await.is_err() {
                return;
            }
        }
    }

    fn add(&self, seq: u64, known: Known) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push_back((seq, known));
        if told.len() > MOST_TOLD {
            told.pop_front();
        }
    }

    /// What a client knows that has had the view `seq`; `None` if that is too long ago.
    pub(super) fn at(&self, seq: u64) -> Option<Known> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = told.partition_point(|(known, _)| *known <= seq);
        Some(told.get(after.checked_sub(1)?)?.1)
    }
}

fn ending(exit: Exit) -> String {
    let code = exit.code();
    format!(
        "event: end\ndata: {{\"text\":\"ended with exit code {code}\",\"exit_code\":{code}}}\n\n"
    )
}

/// One frame, as soon as there is something after `seq`.
pub(super) async fn poll(shared: &Arc<Shared>, after: Option<u64>, listener: Listener) -> Response {
    let mut view = shared.desk.view();
    if let Some(after) = after {
        let is_newer = view.wait_for(|view| view.seq > after || view.exit.is_some());
        let _ = timeout(POLL, is_newer).await;
    }
    let now = view.borrow().clone();
    let known = listener.known;
    let run = now.run.as_deref();
    // Of another run it knows nothing.
    let known = known.filter(|known| known.run == run.map(|run| run.number));
    let frame = frame(&shared.instance, &now, run, known, &listener.wanted);
    axum::Json(frame).into_response()
}
