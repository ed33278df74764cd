//! The body of an answer: bytes at hand, many bytes made while they are sent, or a broken one.
//!
//! Owns how a body is produced; `route` chooses it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// Filler is sent in slices of this, so that a body needs no more memory however long it is.
static FILLER: [u8; 65_536] = [b'k'; 65_536];

/// See the module.
pub(super) enum Payload {
    Whole(Bytes),
    /// This many bytes of filler.
    Filler(u64),
    /// Announces `announced` bytes, sends `sent` of them and then breaks the connection; `flushed`
    /// once they have had time to be written, because hyper drops its buffer on an error.
    Cut {
        announced: u64,
        sent: u64,
        flushed: bool,
    },
    /// Lines of text, one after the other; its length is not announced.
    Lines(Box<Lines>),
}

/// `line 1`, `line 2` and so on, each in a frame of its own.
pub(super) struct Lines {
    sent: u64,
    count: u64,
    delay: Duration,
    /// Until the next line may be sent.
    pause: Pin<Box<Sleep>>,
}

impl Lines {
    /// Waits for `delay` before each line but the first.
    pub(super) fn new(count: u64, delay: Duration) -> Lines {
        Lines {
            sent: 0,
            count,
            delay,
            pause: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        if self.sent > 0 && !self.delay.is_zero() {
            ready!(self.pause.as_mut().poll(cx));
        }
        self.pause.as_mut().reset(Instant::now() + self.delay);
        self.sent += 1;
        Poll::Ready(format!("line {}\n", self.sent).into())
    }
}

impl<B: Into<Bytes>> From<B> for Payload {
    fn from(whole: B) -> Payload {
        Payload::Whole(whole.into())
    }
}

impl Payload {
    pub(super) const EMPTY: Payload = Payload::Whole(Bytes::new());
}

fn take(left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).map_or(FILLER.len(), |left| left.min(FILLER.len()));
    *left -= length as u64;
    Bytes::from_static(&FILLER[..length])
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let bytes = match self.get_mut() {
            Payload::Whole(bytes) => std::mem::take(bytes),
            Payload::Filler(left) => take(left),
            Payload::Lines(lines) => ready!(lines.poll_next(cx)),
            Payload::Cut {
                sent: 0, flushed, ..
            } => {
                if *flushed {
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                *flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Payload::Cut {
                announced, sent, ..
            } => {
                let bytes = take(sent);
                *announced -= bytes.len() as u64;
                bytes
            }
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Whole(bytes) => bytes.is_empty(),
            Payload::Filler(left) => *left == 0,
            Payload::Cut { announced, .. } => *announced == 0,
            Payload::Lines(lines) => lines.sent == lines.count,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Payload::Lines(_) => return SizeHint::default(),
            Payload::Whole(bytes) => bytes.len() as u64,
            Payload::Filler(left) => *left,
            Payload::Cut { announced, .. } => *announced,
        })
    }
}
