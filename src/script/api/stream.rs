//! Bodies that are read as they come: `stream: true`, and line by line for every response.
//!
//! Owns reading and what is measured meanwhile. The sample's time ends with the last byte that
//! the script waited for: at the head of the response if it read nothing, at the end of the body
//! if it read all. Reading after the verdict is closed does not count.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use rhai::{Engine, ImmutableString};

use super::request_record::RequestRecord;
use super::response::Response;
use crate::clock::Micros;
use crate::coroutine::{self, NotAwaited};
use crate::http::{BodyShare, Charset, Error, Exchange, Phases, StreamedBody};
use crate::script::api::channel::{Channel, Client};
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::measurement::Measurement;
use crate::script::run::observer::Tracer;

/// The body of a response that is still arriving.
pub(crate) struct Streaming {
    channel: Rc<Channel>,
    /// `None` during a wait for it, and after its end.
    body: Cell<Option<Box<StreamedBody>>>,
    /// Read, but not yet taken.
    read: RefCell<Lines>,
    /// What both of them hold of the memory for bodies.
    share: RefCell<BodyShare>,
    /// What was left when the script asked for all of it.
    rest: OnceCell<Bytes>,
    /// Why it broke off.
    error: RefCell<Option<String>>,
    progress: Cell<Progress>,
    /// The observer, and what was read since it was last told.
    tracer: Option<Rc<Tracer>>,
    seen: RefCell<Seen>,
    /// The moments of the request's start and of the head.
    started: Micros,
    head: Micros,
}

/// A part of a body, for the observer.
#[derive(Default)]
struct Seen {
    /// Its beginning, because it may be endless.
    bytes: BytesMut,
    whole: usize,
}

/// How far it has come while the verdict was open.
#[derive(Clone, Copy)]
struct Progress {
    at: Micros,
    received: u64,
}

/// The body of an exchange that is not over, taken out of it.
pub(crate) fn begun(exchange: &mut Exchange, client: &Client) -> Option<Box<Streaming>> {
    let body = exchange.result.as_mut().ok()?.take_body()?;
    Some(Box::new(Streaming::new(client, body, exchange)))
}

/// Bytes to be split into lines.
#[derive(Default)]
struct Lines {
    bytes: BytesMut,
    /// How many leading bytes are known to have no line break.
    searched: usize,
    charset: Charset,
    /// The first line was taken, the only one that may begin with a byte order mark.
    is_begun: bool,
}

impl Lines {
    /// The next whole line, without its end.
    fn next(&mut self) -> Option<ImmutableString> {
        let found = self.bytes[self.searched..]
            .iter()
            .position(|&byte| byte == b'\n');
        let Some(at) = found else {
            self.searched = self.bytes.len();
            return None;
        };
        let line = self.bytes.split_to(self.searched + at + 1);
        self.searched = 0;
        let line = &line[..line.len() - 1];
        Some(self.text(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// What follows the last line break.
    fn last(&mut self) -> Option<ImmutableString> {
        self.searched = 0;
        let line = std::mem::take(&mut self.bytes);
        (!line.is_empty()).then(|| self.text(&line))
    }

    fn text(&mut self, line: &[u8]) -> ImmutableString {
        let text = match std::mem::replace(&mut self.is_begun, true) {
            true => self.charset.decode_part(line),
            false => self.charset.decode(line),
        };
        text.as_ref().into()
    }
}

impl Streaming {
    fn new(client: &Client, body: Box<StreamedBody>, exchange: &Exchange) -> Streaming {
        let head = exchange.ended;
        Streaming {
            tracer: client.user.thread.tracer.clone(),
            seen: RefCell::default(),
            channel: Rc::clone(&client.channel),
            body: Cell::new(Some(body)),
            read: RefCell::new(Lines {
                charset: exchange
                    .result
                    .as_ref()
                    .map_or_else(|_| Charset::default(), |response| response.charset()),
                ..Lines::default()
            }),
            share: RefCell::default(),
            rest: OnceCell::new(),
            error: RefCell::default(),
            progress: Cell::new(Progress {
                at: head,
                received: 0,
            }),
            started: exchange.started,
            head,
        }
    }

    /// What was measured up to the head, with the body as far as it was read.
    pub(crate) fn measured(&self, head: &Measurement) -> Measurement {
        let Progress { at, received } = self.progress.get();
        let mut measured = *head;
        measured.sample = head.sample.read_on(at.since(self.started), received);
        measured
    }

    /// How long the body took, as far as it was read, after its head.
    fn reading_us(&self) -> u64 {
        self.progress.get().at.since(self.head)
    }

    /// The phases with the body's part.
    pub(crate) fn phases(&self, head: Phases) -> Phases {
        let reading_us = u32::try_from(self.reading_us()).unwrap_or(u32::MAX);
        Phases {
            receive: head.receive.saturating_add(reading_us),
            ..head
        }
    }

    pub(crate) fn error(&self) -> Option<String> {
        self.error.borrow().clone()
    }

    /// Body bytes received while the verdict was open.
    pub(crate) fn received(&self) -> u64 {
        self.progress.get().received
    }

    /// Stops reading: the connection is closed, unless the body had ended.
    pub(crate) fn abandon(&self) {
        self.body.take();
    }

    fn see(&self, tracer: &Tracer, piece: &[u8]) {
        let mut seen = self.seen.borrow_mut();
        let room = tracer.kept_of_stream().saturating_sub(seen.bytes.len());
        seen.bytes
            .extend_from_slice(&piece[..piece.len().min(room)]);
        seen.whole += piece.len();
    }

    /// The beginning of what was read since the last look, and how much that was; `None` for
    /// nothing.
    pub(crate) fn take_seen(&self) -> Option<(Bytes, usize)> {
        let Seen { bytes, whole } = self.seen.take();
        (whole > 0).then(|| (bytes.freeze(), whole))
    }

    /// Reserves memory for so many bytes, within the limit for one body and that for all.
    fn make_room(&self, bytes: u64) -> Result<(), Error> {
        let limit = self.channel.session.client().options().body_limit;
        if bytes > limit {
            return Err(Error::TooLarge(limit));
        }
        self.share.borrow_mut().grow_to(bytes)
    }

    /// Waits for the next piece of the body; `None` at its end, even a premature one.
    fn read(&self, answer: &RequestRecord) -> Result<Option<Bytes>> {
        let Some(mut body) = self.body.take() else {
            return Ok(None);
        };
        let session = &self.channel.session;
        let waited = coroutine::await_in(async {
            let piece = body.next(session).await;
            (body, piece)
        });
        let (body, piece) = match waited {
            Ok(waited) => waited,
            Err(NotAwaited::Cancelled) => return Err(Control::Cancelled.into()),
            Err(NotAwaited::Outside) => {
                return Err("a body can only be read where its user may wait: in a task".into());
            }
        };
        if answer.verdict.is_open() {
            self.progress.set(Progress {
                at: body.last_byte().unwrap_or(self.head),
                received: body.received(),
            });
        }
        match piece {
            Ok(Some(piece)) => {
                if let Some(tracer) = &self.tracer {
                    self.see(tracer, &piece);
                    if !answer.verdict.is_open() {
                        // No verdict will come, before which it could be shown.
                        answer.tell_read(tracer);
                    }
                }
                self.body.set(Some(body));
                return Ok(Some(piece));
            }
            Ok(None) => {}
            Err(error) => self.fail(answer, &error),
        }
        Ok(None)
    }

    fn fail(&self, answer: &RequestRecord, error: &Error) {
        self.abandon();
        let error = error.to_string();
        answer.verdict.fail_if_open(|| error.clone());
        *self.error.borrow_mut() = Some(error);
    }

    fn next_line(&self, answer: &RequestRecord) -> Result<Option<ImmutableString>> {
        loop {
            if let Some(line) = self.read.borrow_mut().next() {
                return Ok(Some(line));
            }
            let length = self.read.borrow().bytes.len() as u64;
            if let Err(error) = self.make_room(length) {
                self.fail(answer, &error);
                *self.read.borrow_mut() = Lines::default();
                return Ok(None);
            }
            match self.read(answer)? {
                Some(piece) => self.read.borrow_mut().bytes.extend_from_slice(&piece),
                None => return Ok(self.read.borrow_mut().last()),
            }
        }
    }

    /// All that has not been taken as lines; waits for the end of the body.
    pub(crate) fn rest(&self, answer: &RequestRecord) -> Result<Bytes> {
        if let Some(rest) = self.rest.get() {
            return Ok(rest.clone());
        }
        let mut rest = std::mem::take(&mut *self.read.borrow_mut()).bytes;
        while let Some(piece) = self.read(answer)? {
            if let Err(error) = self.make_room((rest.len() + piece.len()) as u64) {
                self.fail(answer, &error);
                break;
            }
            rest.extend_from_slice(&piece);
        }
        Ok(self.rest.get_or_init(|| rest.freeze()).clone())
    }
}

/// The result of `r.lines()`, for `for line in …`, each step of which may wait.
#[derive(Clone)]
struct LinesOf(Response);

/// The lines of one `for`.
struct LineReader {
    response: Response,
    source: Source,
}

enum Source {
    /// Not asked yet.
    New,
    /// A body that is all there, and how far it was read.
    Whole(Lines),
    Streamed,
    Ended,
}

impl LineReader {
    fn step(&mut self) -> Result<Option<ImmutableString>> {
        loop {
            let answer = &self.response.0;
            match &mut self.source {
                Source::New => {
                    self.source = match &answer.streaming {
                        Some(streaming)
                            if streaming.rest.get().is_none() && answer.charset().has_lines() =>
                        {
                            Source::Streamed
                        }
                        _ => {
                            // A `for` without a body passes over an error.
                            let decoded = answer.decoded().inspect_err(|error| {
                                answer.verdict.fail_if_open(|| error.to_string());
                            })?;
                            Source::Whole(Lines {
                                bytes: answer.charset().transcoded(decoded).into(),
                                ..Lines::default()
                            })
                        }
                    };
                }
                Source::Whole(lines) => return Ok(lines.next().or_else(|| lines.last())),
                Source::Streamed => {
                    let streaming = answer.streaming.as_ref();
                    return streaming.map_or(Ok(None), |streaming| streaming.next_line(answer));
                }
                Source::Ended => return Ok(None),
            }
        }
    }
}

impl Iterator for LineReader {
    type Item = Result<ImmutableString>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.step().transpose();
        // Rhai's loop without a body goes on after an error.
        if !matches!(line, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        line
    }
}

impl IntoIterator for LinesOf {
    type Item = Result<ImmutableString>;
    type IntoIter = LineReader;

    fn into_iter(self) -> LineReader {
        LineReader {
            response: self.0,
            source: Source::New,
        }
    }
}

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<LinesOf>("lines")
        .register_iterator_result::<LinesOf, ImmutableString>()
        .register_fn("lines", |r: &mut Response| LinesOf(r.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for piece in pieces {
            lines.bytes.extend_from_slice(piece.as_bytes());
            while let Some(line) = lines.next() {
                all.push(line.to_string());
            }
        }
        all.extend(lines.last().map(|line| line.to_string()));
        all
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        assert_eq!(lines(&["a\nb\r\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(lines(&["a", "\nb\r", "\n", "\nc"]), ["a", "b", "", "c"]);
        assert_eq!(lines(&["", "a\n"]), ["a"]);
        assert_eq!(lines(&[""]), Vec::<String>::new());
    }
}
