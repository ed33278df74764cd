//! A script's verdict on a request, and how long it may give one.
//!
//! The rule: when a response has arrived, its status decides; but the sample stays *open*, and the
//! script may overrule it, until its user moves on: with its next request or batch, a `sleep` or a
//! wait for something shared, the beginning or end of a group, or the end of the running function.
//! Then the sample is closed and recorded, once, with the times measured when the response arrived.
//! A later verdict is an error in the script.
//!
//! | | | |
//! |---|---|---|
//! | opened | by the response to a request, or by all responses to a batch | [`keep_open`] |
//! | judged | by `r.failure`, `r.success`, `r.check`, `r.expect` | [`Verdict::judge`] |
//! | failed | by an error while the body is read; the last one also by an exception of the script. A sample that has failed keeps its reason, which is usually why the script threw | [`Verdict::fail_if_open`], [`fail_last`] |
//! | closed | when the user moves on | [`settle`] |

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::slice;

use rhai::{EvalAltResult, Position};

use super::secret::Secrets;
use super::user::User;
use crate::script::api::request_record::RequestRecord;

/// Whether a request counts as a success, and whether its script may still say so.
pub(crate) struct Verdict {
    /// Why the sample fails; `None` if it does not.
    failure: RefCell<Option<String>>,
    /// Where the request was made, and where its verdict was closed.
    made_at: Position,
    closed_by: Cell<Option<Position>>,
}

impl Verdict {
    /// An open verdict on a request made at that place, failed for `failure` if there is one.
    pub(crate) fn open(made_at: Position, failure: Option<String>) -> Verdict {
        Verdict {
            failure: RefCell::new(failure),
            made_at,
            closed_by: Cell::new(None),
        }
    }

    /// Why the sample fails, as things stand.
    pub(crate) fn failure(&self) -> Ref<'_, Option<String>> {
        self.failure.borrow()
    }

    /// Whether the script may still give one.
    pub(crate) fn is_open(&self) -> bool {
        self.closed_by.get().is_none()
    }

    /// Takes the script's verdict: why it is a failure, or `None` for a success.
    ///
    /// # Errors
    /// When it comes too late.
    pub(crate) fn judge(&self, failure: Option<String>) -> Result<(), Box<EvalAltResult>> {
        let Some(by) = self.closed_by.get() else {
            *self.failure.borrow_mut() = failure;
            return Ok(());
        };
        let line = |position: Position| {
            position
                .line()
                .map_or(String::new(), |line| format!(" in line {line}"))
        };
        Err(format!(
            "the verdict on the request{} came too late: it was closed{}",
            line(self.made_at),
            line(by)
        )
        .into())
    }

    /// Makes the sample a failure, unless it is one already or has been recorded.
    pub(crate) fn fail_if_open(&self, why: impl FnOnce() -> String) {
        if self.is_open() {
            self.failure.borrow_mut().get_or_insert_with(why);
        }
    }

    /// Closes the verdict. `by` is the place of the call that did so.
    fn close(&self, by: Position, secrets: &Secrets) {
        self.closed_by.set(Some(by));
        if let Some(why) = &mut *self.failure.borrow_mut() {
            *why = secrets.mask(std::mem::take(why));
        }
    }
}

/// A user's requests whose verdicts are open: a single one, or all of a batch.
#[derive(Default)]
pub(crate) enum Open {
    #[default]
    Nothing,
    One(Rc<RequestRecord>),
    Many(Vec<Rc<RequestRecord>>),
}

impl Open {
    fn answers(&self) -> &[Rc<RequestRecord>] {
        match self {
            Open::Nothing => &[],
            Open::One(answer) => slice::from_ref(answer),
            Open::Many(answers) => answers,
        }
    }
}

/// Keeps verdicts open until the user moves on.
pub(crate) fn keep_open(user: &User, open: Open) {
    *user.open.borrow_mut() = open;
}

/// Fails the last request whose verdict is open, because of an error in the script.
pub(crate) fn fail_last(user: &User, message: &str) {
    if let Some(answer) = user.open.borrow().answers().last() {
        let why = || format!("script error: {message}");
        answer.verdict.fail_if_open(why);
    }
}

/// The user moves on: closes the open verdicts and records their samples. `by` is the place of the
/// call that it moves on with.
#[inline]
pub(crate) fn settle(user: &Rc<User>, by: Position) {
    // A task's first request finds none: the task before has closed its own.
    if !matches!(*user.open.borrow(), Open::Nothing) {
        close_all(user, by);
    }
}

#[inline(never)]
fn close_all(user: &Rc<User>, by: Position) {
    for answer in user.open.take().answers() {
        answer.verdict.close(by, &user.class.secrets);
        if let Some(tracer) = &user.thread.tracer {
            answer.tell_read(tracer);
            tracer.tell(answer.judged());
        }
        answer.record(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(verdict: &Verdict) -> Option<String> {
        verdict.failure().clone()
    }

    #[test]
    fn the_last_word_of_the_script_counts_and_a_reason_stays() {
        let verdict = Verdict::open(Position::new(3, 5), None);
        verdict.fail_if_open(|| "cut short".to_owned());
        verdict.fail_if_open(|| unreachable!("it has failed already"));
        assert_eq!(failure(&verdict).as_deref(), Some("cut short"));
        verdict.judge(None).unwrap();
        assert_eq!(failure(&verdict), None);
        verdict.judge(Some("sold out".to_owned())).unwrap();
        assert_eq!(failure(&verdict).as_deref(), Some("sold out"));
    }

    #[test]
    fn what_is_closed_stays_as_it_was_without_secrets() {
        let secrets = Secrets::default();
        secrets.add("token-1");
        let verdict = Verdict::open(Position::new(3, 5), Some("no token-1".to_owned()));
        assert!(verdict.is_open());
        verdict.close(Position::new(7, 1), &secrets);
        assert!(!verdict.is_open());
        verdict.fail_if_open(|| unreachable!("it is closed"));
        let late = verdict.judge(None).unwrap_err().to_string();
        let said = "the verdict on the request in line 3 came too late: it was closed in line 7";
        assert!(late.contains(said), "{late}");
        assert_eq!(failure(&verdict).as_deref(), Some("no ***"));
    }
}
