//! Observing users for debugging: what their scripts call, send, receive, print and get wrong.
//!
//! Owns what an observer sees, with secrets already hidden; `screen` shows it. A load test has no
//! observer, which costs one comparison a request.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, PROXY_AUTHORIZATION};

use super::failure::Failure;
use super::log::Line;
use super::secret::{MASK, Secrets};
use crate::http::{AnsweredHop, Phases, SentHop, Tap};

/// Something that happened to a user.
#[derive(Clone, Debug)]
pub enum Event {
    /// The events that follow are about this user, until the next such event.
    SwitchedTo {
        /// The user's number, unique in the run.
        user: u64,
    },
    /// The user begins an iteration.
    IterationBegins {
        /// From 1.
        number: u64,
        /// The generation of the script that it is in.
        generation: u16,
    },
    /// The iteration is over: its verdicts are closed and its error has been reported.
    IterationEnds {
        /// False if it was interrupted.
        is_whole: bool,
    },
    /// The user has ended, its `on_stop` included.
    UserEnds,
    /// A function of its class begins, such as ``the task `browse` ``.
    Begins {
        /// `Shopper 0`
        who: String,
        /// Which function.
        what: String,
    },
    /// The script printed a line.
    Said(Line),
    /// A request is sent, or the next one of a chain of redirects.
    Sends {
        /// The method.
        method: String,
        /// The whole URL.
        url: String,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body; empty for none.
        body: Bytes,
    },
    /// The head of a response has arrived.
    Answers {
        /// The method and URL of its request.
        method: String,
        /// Ditto.
        url: String,
        /// `HTTP/1.1 200 OK`
        status: String,
        /// Names and values.
        headers: Vec<(String, String)>,
    },
    /// A request is over, its redirects included.
    Over {
        /// Its method and name, as in the reports.
        row: String,
        /// Where the time went.
        phases: Phases,
        /// The decoded body of the last response, or why there is none.
        body: Result<Bytes, String>,
    },
    /// What the script has read so far of a streamed body.
    Read {
        /// The method and name of its request, as in the reports.
        row: String,
        /// Where the time went, reading included.
        phases: Phases,
        /// Its beginning, as much as the observer asked for.
        body: Bytes,
        /// How many bytes were read in all.
        whole: usize,
    },
    /// The verdict on a request is closed.
    Judged {
        /// Its method and name, as in the reports.
        row: String,
        /// Why it is a failure; `None` for a success.
        failure: Option<String>,
    },
    /// An error in the script.
    Failed(Failure),
}

/// Receives events. Clones share the receiver.
#[derive(Clone)]
pub struct Observer {
    told: Arc<dyn Fn(Event) + Send + Sync>,
    /// How many bytes of a streamed body to show.
    body: usize,
}

impl Observer {
    /// Calls `told` for every event, on the user's thread. `body` limits what is shown of a
    /// streamed body, which may be endless.
    pub fn new(body: usize, told: impl Fn(Event) + Send + Sync + 'static) -> Observer {
        let told = Arc::new(told);
        Observer { told, body }
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.told)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// An observer together with the secrets to hide from it.
pub(crate) struct Tracer {
    observer: Observer,
    secrets: Secrets,
    /// The user that events are about.
    turn: Cell<Option<u64>>,
}

impl Tracer {
    pub(crate) fn new(observer: Observer, secrets: Secrets) -> Rc<Tracer> {
        Rc::new(Tracer {
            observer,
            secrets,
            turn: Cell::new(None),
        })
    }

    /// Events from now on are about this user.
    pub(crate) fn switch_to(&self, user: u64) {
        if self.turn.replace(Some(user)) != Some(user) {
            self.tell(Event::SwitchedTo { user });
        }
    }

    /// Hides the secrets of another program as well.
    pub(crate) fn add_secrets(&self, secrets: &Secrets) {
        self.secrets.add_all(secrets);
    }

    pub(crate) fn tell(&self, event: Event) {
        self.observer.tell(event);
    }

    /// How much of a streamed body to keep: enough beyond what is shown that a secret at the edge
    /// is complete, and so hidden.
    pub(crate) fn kept_of_stream(&self) -> usize {
        const LONGEST_SECRET: usize = 4_096;
        self.observer.body.saturating_add(LONGEST_SECRET)
    }

    /// A text without secrets.
    pub(crate) fn mask(&self, text: String) -> String {
        self.secrets.mask(text)
    }

    /// The beginning of a body, no longer than is shown, and the length of the `whole`, both with
    /// secrets hidden.
    pub(crate) fn hide_beginning(&self, mut body: Bytes, whole: usize) -> (Bytes, usize) {
        if let Err(error) = std::str::from_utf8(&body)
            && error.error_len().is_none()
        {
            // It was cut inside a character.
            body.truncate(error.valid_up_to());
        }
        let mut hidden = self.hide(&body);
        let whole = whole - body.len() + hidden.len();
        let end = match std::str::from_utf8(&hidden) {
            Ok(text) => text.floor_char_boundary(self.observer.body),
            Err(_) => self.observer.body,
        };
        hidden.truncate(end);
        (hidden, whole)
    }

    /// A body with secrets hidden; unchanged if it is not text.
    pub(crate) fn hide(&self, body: &Bytes) -> Bytes {
        match std::str::from_utf8(body) {
            Ok(text) => self.secrets.mask(text.to_owned()).into(),
            Err(_) => body.clone(),
        }
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = headers.iter().map(|(name, value)| {
            let is_secret =
                value.is_sensitive() || name == AUTHORIZATION || name == PROXY_AUTHORIZATION;
            let value = match is_secret {
                true => MASK.to_owned(),
                false => {
                    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    self.secrets.mask(text)
                }
            };
            (name.as_str().to_owned(), value)
        });
        shown.collect()
    }
}

impl Tap for Tracer {
    fn sends(&self, hop: &SentHop<'_>) {
        self.tell(Event::Sends {
            method: hop.method.to_string(),
            url: self.secrets.mask(hop.url.to_string()),
            headers: self.headers(hop.headers),
            body: self.hide(hop.body),
        });
    }

    fn answers(&self, hop: &AnsweredHop<'_>) {
        self.tell(Event::Answers {
            method: hop.method.to_string(),
            url: self.secrets.mask(hop.url.to_string()),
            status: format!("{:?} {}", hop.version, hop.status),
            headers: self.headers(hop.headers),
        });
    }
}
