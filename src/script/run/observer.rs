//! Looking on while one user runs: what its script calls, sends, gets, says and gets wrong.
//!
//! Owns what can be seen, with everything secret already hidden. Showing it is somebody else's
//! business; in a load test nobody looks on, and that costs a comparison a request.

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
    /// What follows is about this user, by a number that no other of the run has, until the next
    /// such event.
    SwitchedTo {
        /// The number.
        user: u64,
    },
    /// The user begins an iteration.
    IterationBegins {
        /// From 1.
        number: u64,
        /// The generation of the script that it is in.
        generation: u16,
    },
    /// The iteration is over, its verdicts are closed and its mistake has been told.
    IterationEnds {
        /// Whether it came to its own end: false if it was interrupted.
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
    /// The head of an answer has come.
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
        /// The decoded body of the last answer, or why there is none.
        body: Result<Bytes, String>,
    },
    /// What the script has read by now of a body that it reads as it comes.
    Read {
        /// The method and name of its request, as in the reports.
        row: String,
        /// Where the time went, reading included.
        phases: Phases,
        /// Its beginning, as far as it may be shown.
        body: Bytes,
        /// All bytes that were read.
        whole: usize,
    },
    /// The verdict on a request is closed.
    Judged {
        /// Its method and name, as in the reports.
        row: String,
        /// Why it is a failure; `None` for a success.
        failure: Option<String>,
    },
    /// The script made a mistake.
    Failed(Failure),
}

/// Somebody who looks on. Clones tell the same one.
#[derive(Clone)]
pub struct Observer {
    told: Arc<dyn Fn(Event) + Send + Sync>,
    /// How many bytes it wants to see of a body that is read as it comes.
    body: usize,
}

impl Observer {
    /// One that is told everything, on the user's thread. Of a body that is read as it comes, and
    /// may have no end, it wants to see so many bytes.
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

/// An observer with what it must not see.
pub(crate) struct Tracer {
    observer: Observer,
    secrets: Secrets,
    /// Whose turn it is.
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

    /// Whatever is told from now on is about this user.
    pub(crate) fn switch_to(&self, user: u64) {
        if self.turn.replace(Some(user)) != Some(user) {
            self.tell(Event::SwitchedTo { user });
        }
    }

    /// Hides the secrets of another program too.
    pub(crate) fn add_secrets(&self, secrets: &Secrets) {
        self.secrets.add_all(secrets);
    }

    pub(crate) fn tell(&self, event: Event) {
        self.observer.tell(event);
    }

    /// How much is kept of a body that is read as it comes: so much more than is shown that a
    /// secret at the edge is whole, and hidden.
    pub(crate) fn kept_of_stream(&self) -> usize {
        const LONGEST_SECRET: usize = 4_096;
        self.observer.body.saturating_add(LONGEST_SECRET)
    }

    /// A text without secrets.
    pub(crate) fn mask(&self, text: String) -> String {
        self.secrets.mask(text)
    }

    /// The beginning of a body without secrets, no longer than is to be seen; and the length of
    /// the `whole`, without them too.
    pub(crate) fn hide_beginning(&self, mut body: Bytes, whole: usize) -> (Bytes, usize) {
        if let Err(error) = std::str::from_utf8(&body)
            && error.error_len().is_none()
        {
            // It was cut within a letter.
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

    /// A body without secrets; what is no text is left as it is.
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
