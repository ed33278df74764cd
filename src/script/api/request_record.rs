//! The outcome of one request: its response, or why there is none, and how it counts.
//!
//! `run/verdict` says how long its script may judge it, `response` what a script can read of it.

use std::cell::OnceCell;
use std::rc::Rc;

use hyper::Method;
use rhai::{ImmutableString, Position};
use scraper::Html;

use super::sent::Sent;
use super::stream::{self, Streaming};
use super::{html, json};
use crate::coroutine::{self, NotAwaited};
use crate::data::NotJson;
use crate::http::{self, Charset, Exchange, Phases};
use crate::script::api::channel::Client;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::measurement::{Details, Measurement};
use crate::script::run::observer::{Event, Tracer};
use crate::script::run::user::User;
use crate::script::run::verdict::Verdict;
use crate::stats::SeriesId;

/// How much to show of a body that is not JSON.
const SHOWN_CHARS: usize = 250;

/// The outcome of one request.
pub(crate) struct RequestRecord {
    pub(crate) response: Option<Box<http::Response>>,
    error: Option<String>,
    phases: Phases,
    /// What was sent, if the script uses it.
    pub(crate) sent: Option<Box<Sent>>,
    /// How it enters the statistics; `None` if it does not.
    measurement: Option<Measurement>,
    /// Its body, if that is streamed.
    pub(crate) streaming: Option<Box<Streaming>>,
    /// The script's verdict on it.
    pub(crate) verdict: Verdict,
    /// Its row in the reports, if there is an observer.
    row: OnceCell<String>,
    text: OnceCell<ImmutableString>,
    json: OnceCell<Result<json::Read, NotJson>>,
    html: OnceCell<Result<Box<Html>, String>>,
}

/// How a request is judged and counted, from its options.
pub(crate) struct Counting {
    /// Where it counts; `None` for nowhere.
    pub(crate) series: Option<SeriesId>,
    /// Its row, if that is not its path.
    pub(crate) name: Option<String>,
    /// The only statuses that are right; empty for all below 400.
    pub(crate) expect: Vec<u16>,
}

impl Counting {
    /// Method and name, as in the reports.
    pub(crate) fn row(&self, method: &Method, path: &str) -> String {
        format!("{method} {}", self.name.as_deref().unwrap_or(path))
    }
}

impl RequestRecord {
    /// The outcome of a request with that method and path. Tells the observer.
    pub(crate) fn of(
        client: &Client,
        (method, path): (&Method, &str),
        counting: &Counting,
        made_at: Position,
        sent: Option<Box<Sent>>,
        exchange: Exchange,
    ) -> Rc<RequestRecord> {
        let user = &client.user;
        client.tell_refused_cookie();
        let answer = Rc::new(RequestRecord::new(
            client, path, counting, made_at, sent, exchange,
        ));
        if let Some(tracer) = &user.thread.tracer {
            answer.show(tracer, counting.row(method, path));
        }
        if answer.streaming.is_some() {
            user.keep_stream(&answer);
        }
        answer
    }

    fn new(
        client: &Client,
        path: &str,
        counting: &Counting,
        made_at: Position,
        sent: Option<Box<Sent>>,
        mut exchange: Exchange,
    ) -> RequestRecord {
        let user = &client.user;
        let streaming = stream::begun(&mut exchange, client);
        let measurement = counting.series.map(|series| {
            let (started, ended) = (exchange.started, exchange.ended);
            let mut measured = Measurement::of(user, series, started, ended).of_request(user);
            let first_byte_us = exchange.first_byte.map_or(0, |first| first.since(started));
            let sample = measured.sample.first_byte_us(first_byte_us);
            measured.sample = sample.bytes(exchange.sent, exchange.received);
            measured.stale_retries = exchange.stale_retries;
            measured
        });
        let (response, error) = match exchange.result {
            Ok(response) => (Some(response), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let failure = match &response {
            Some(response) => {
                let name = counting.name.as_deref().unwrap_or(path);
                wrong_status(response, name, &counting.expect)
            }
            None => error.clone(),
        };
        RequestRecord {
            response,
            error,
            phases: exchange.phases,
            sent,
            measurement,
            streaming,
            verdict: Verdict::open(made_at, failure),
            row: OnceCell::new(),
            text: OnceCell::new(),
            json: OnceCell::new(),
            html: OnceCell::new(),
        }
    }

    /// Tells the observer, and notes the row for later events.
    fn show(&self, tracer: &Tracer, row: String) {
        let row = self.row.get_or_init(|| tracer.mask(row)).clone();
        let body = match (&self.response, &self.error) {
            // The body comes while the script reads it.
            (Some(_), _) if self.streaming.is_some() => Ok(bytes::Bytes::new()),
            (Some(_), _) => match self.decoded() {
                // Shown as the script reads it.
                Ok(body) => Ok(tracer.hide(&self.charset().transcoded(body))),
                Err(error) => Err(error.to_string()),
            },
            (None, error) => Err(error.clone().unwrap_or_default()),
        };
        tracer.tell(Event::Over {
            row,
            phases: self.phases,
            body,
        });
    }

    /// Tells the observer what has been read of its body since the last time.
    pub(crate) fn tell_read(&self, tracer: &Tracer) {
        let seen = self.streaming.as_ref().and_then(|it| it.take_seen());
        let Some((body, whole)) = seen else { return };
        let (body, whole) = tracer.hide_beginning(body, whole);
        tracer.tell(Event::Read {
            row: self.row.get().cloned().unwrap_or_default(),
            phases: self.phases(),
            body,
            whole,
        });
    }

    /// Tells the observer the verdict.
    pub(crate) fn judged(&self) -> Event {
        Event::Judged {
            row: self.row.get().cloned().unwrap_or_default(),
            failure: self.verdict.failure().clone(),
        }
    }

    /// Why there is no response, or not all of it.
    pub(crate) fn error(&self) -> Option<String> {
        let error = self.error.clone();
        error.or_else(|| self.streaming.as_ref()?.error())
    }

    /// Where its time went, as far as it was read.
    pub(crate) fn phases(&self) -> Phases {
        match &self.streaming {
            None => self.phases,
            Some(streaming) => streaming.phases(self.phases),
        }
    }

    /// Body bytes received, as they were transferred.
    pub(crate) fn length(&self) -> u64 {
        match (&self.streaming, &self.response) {
            (Some(streaming), _) => streaming.received(),
            (None, Some(response)) => response.length(),
            (None, None) => 0,
        }
    }

    /// Records the sample, now that its verdict is closed, if it is to count.
    pub(crate) fn record(&self, user: &Rc<User>) {
        let Some(measurement) = &self.measurement else {
            return;
        };
        let streamed = self.streaming.as_ref().map(|it| it.measured(measurement));
        let measurement = streamed.as_ref().unwrap_or(measurement);
        let details = || Details {
            row: user.thread.record(|recorder| {
                let key = recorder.key(measurement.sample.series());
                [key.kind.as_str(), &*key.method, &*key.name].map(ImmutableString::from)
            }),
            url: self.response.as_ref().map(|it| it.url().to_string()),
            status: self.status(),
            length: self.length(),
        };
        measurement.record_request(user, self.verdict.failure().as_deref(), details);
    }

    pub(crate) fn status(&self) -> u16 {
        let response = self.response.as_ref();
        response.map_or(0, |response| response.status().as_u16())
    }

    pub(crate) fn decoded(&self) -> Result<bytes::Bytes> {
        if let Some(streaming) = &self.streaming {
            return streaming.rest(self);
        }
        let Some(response) = &self.response else {
            return Ok(bytes::Bytes::new());
        };
        if !response.is_encoded() {
            return Ok(response.body());
        }
        let decoded = match coroutine::await_in(response.decode_body()) {
            // A listener cannot give way to other users.
            Err(NotAwaited::Outside) => coroutine::on_thread_stack(|| response.decoded_body()),
            decoded => decoded,
        };
        decoded
            .map_err(|_| Control::Cancelled)?
            .map_err(|error| error.to_string().into())
    }

    /// Drops a large body once no script holds the response, since the verdict may stay open for
    /// long.
    pub(crate) fn is_let_go(&self) {
        if let Some(response) = &self.response {
            response.discard_body();
        }
    }

    pub(crate) fn text(&self) -> Result<ImmutableString> {
        if let Some(text) = self.text.get() {
            return Ok(text.clone());
        }
        let text: ImmutableString = self.charset().decode(&self.decoded()?).as_ref().into();
        Ok(self.text.get_or_init(|| text).clone())
    }

    /// Bytes of its body, as transferred and as read, about.
    pub(crate) fn held_bytes(&self) -> usize {
        let body = self.response.as_ref().map_or(0, |body| body.body().len());
        let text = self.text.get().map_or(0, |text| text.len());
        body + text
    }

    /// What its text is in.
    pub(crate) fn charset(&self) -> Charset {
        match &self.response {
            Some(response) => response.charset(),
            None => Charset::default(),
        }
    }

    fn read_json(&self, body: &[u8]) -> Result<Result<json::Read, NotJson>> {
        let read = json::read(body)?;
        if read.is_err()
            && let Some(text) = self.charset().json(body)
        {
            return json::read(text.as_bytes());
        }
        Ok(read)
    }

    /// The body as JSON, parsed once, or why it is not JSON. Nesting deeper than 128 is refused.
    pub(crate) fn json(&self) -> Result<Result<json::Read, NotJson>> {
        if let Some(json) = self.json.get() {
            return Ok(json.clone());
        }
        let body = self.decoded()?;
        let json = self.read_json(&body)?;
        Ok(self.json.get_or_init(|| json).clone())
    }

    /// The body as HTML, parsed once.
    ///
    /// # Errors
    /// Those of reading the body, that the page is too much work, and when the user is cancelled.
    pub(crate) fn html(&self) -> Result<&Html> {
        if self.html.get().is_none() {
            let page = html::parsed(&self.text()?)?;
            // Only its user reads the response, and that user has been waiting here.
            let _ = self.html.set(page);
        }
        match self.html.get() {
            Some(Ok(page)) => Ok(page),
            Some(Err(wrong)) => Err(wrong.as_str().into()),
            None => Err(Control::Cancelled.into()),
        }
    }

    /// Reads a body that has to be JSON. An empty one gives `()`; anything else gives `()` too and
    /// fails the request, unless it has failed already.
    pub(crate) fn expect_json(&self) -> Result<()> {
        let body = match self.decoded() {
            Ok(body) => body,
            Err(error) if coroutine::is_leaving() => return Err(error),
            Err(error) => return self.refuse_json(&error.to_string(), ""),
        };
        if body.is_empty() {
            let _ = self.json.set(Ok(json::Read::default()));
            return Ok(());
        }
        match self.read_json(&body)? {
            Ok(read) => {
                let _ = self.json.set(Ok(read));
                Ok(())
            }
            Err(error) => self.refuse_json(&error.to_string(), &self.charset().decode(&body)),
        }
    }

    fn refuse_json(&self, error: &str, body: &str) -> Result<()> {
        let _ = self.json.set(Ok(json::Read::default()));
        self.verdict.fail_if_open(|| {
            let shown: String = body.chars().take(SHOWN_CHARS).collect();
            let status = self.status();
            format!(
                "Could not parse response as JSON. {shown}, response code {status}, error {error}"
            )
        });
        Ok(())
    }
}

/// Why its status alone makes a response a failure.
fn wrong_status(response: &http::Response, name: &str, expect: &[u16]) -> Option<String> {
    let status = response.status().as_u16();
    if expect.is_empty() {
        let whose = match status {
            ..400 => return None,
            400..500 => "Client",
            _ => "Server",
        };
        return Some(format!(
            "{status} {whose} Error: {} for url: {name}",
            response.reason()
        ));
    }
    if expect.contains(&status) {
        return None;
    }
    let expected: Vec<_> = expect.iter().map(u16::to_string).collect();
    Some(format!(
        "status {status}, expected {}",
        expected.join(" or ")
    ))
}
