//! Questions of users on their way to the machine of their process, and answers on the way back.
//!
//! Owns who waits for which answer ([`Askers`]), and what scripts see of it ([`Questioner`]): queues,
//! values made once, turns for rows and lines for files, none of which are here. Both on a worker
//! and for the run's own functions on the master.
//!
//! Users are on load threads, machines on the thread of the process: what goes between them are
//! messages, and nobody waits but a user for its own question. Turns come to the process, and are
//! asked for before they run out.

use std::collections::HashMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

use super::lines::OutgoingLines;
use super::message::{Answer, Ask, Counted, Said};
use super::questions::unclaimed;
use crate::data::{RationSource, Rations, Value};
use crate::shared::appends::NotTaken;
use crate::shared::{Elsewhere, FarTurn, QueueReply, Reply, TooManyNames};

/// What users want of the thread of their process.
#[derive(Debug)]
pub(super) enum FromUser {
    Ask(u64, Ask, oneshot::Sender<Answer>),
    Says(Said),
    /// Turns of that count, for callers who know so many rows.
    Wants(u64, u64),
    /// There are lines again.
    Lines,
}

/// The users' side; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Questioner(Arc<ToProcess>);

#[derive(Debug)]
struct ToProcess {
    to: mpsc::UnboundedSender<FromUser>,
    questions: AtomicU64,
    rations: Mutex<HashMap<u64, Arc<Rations>>>,
    lines: OutgoingLines,
}

impl Questioner {
    /// The number of the next question.
    pub(super) fn number(&self) -> u64 {
        self.0.questions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Files that lines may be appended to.
    pub(super) fn may_append_to(&self, files: impl Iterator<Item = Box<str>>) {
        self.0.lines.allow(files);
    }

    fn send(&self, what: FromUser) {
        // Without the thread of the process there is nobody to answer, and users end with it.
        let _ = self.0.to.send(what);
    }

    fn ask(&self, ask: Ask) -> OpenQuestion {
        let number = self.number();
        let (answer, waits) = oneshot::channel();
        let claim = claim(&ask);
        self.send(FromUser::Ask(number, ask, answer));
        OpenQuestion {
            number,
            claim,
            waits: Some(waits),
            asker: self.clone(),
        }
    }

    fn all_rations(&self) -> MutexGuard<'_, HashMap<u64, Arc<Rations>>> {
        let rations = self.0.rations.lock();
        rations.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question whose user waits for the answer.
struct OpenQuestion {
    number: u64,
    claim: Ask,
    /// `None` once it is answered.
    waits: Option<oneshot::Receiver<Answer>>,
    asker: Questioner,
}

impl Future for OpenQuestion {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(waits) = self.waits.as_mut() else {
            return Poll::Pending;
        };
        match Pin::new(waits).poll(cx) {
            Poll::Ready(Ok(answer)) => {
                self.waits = None;
                Poll::Ready(answer)
            }
            // Nobody answers any more; whoever ends the process ends its users.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        let Some(mut waits) = self.waits.take() else {
            return;
        };
        waits.close();
        let said = match waits.try_recv() {
            Ok(answer) => unclaimed(&self.claim, answer),
            Err(_) => Some(Said::Cancel(self.number)),
        };
        if let Some(said) = said {
            self.asker.send(FromUser::Says(said));
        }
    }
}

/// As much of a question as is needed to give its answer back.
fn claim(ask: &Ask) -> Ask {
    match ask {
        Ask::Take(_) | Ask::TryTake(_) | Ask::Once(_) => ask.clone(),
        _ => Ask::Length(Box::default()),
    }
}

/// Waits for an answer that `read` understands; another one never comes from a master of this build.
fn answered<T: Send + 'static>(
    question: OpenQuestion,
    read: impl Fn(Answer) -> Option<T> + Send + 'static,
) -> QueueReply<T> {
    Box::pin(async move {
        let answer = question.await;
        if answer == Answer::TooManyNames {
            return Err(TooManyNames);
        }
        match read(answer) {
            Some(read) => Ok(read),
            None => std::future::pending().await,
        }
    })
}

impl Elsewhere for Questioner {
    fn put(&self, queue: &str, value: Value) -> QueueReply<()> {
        let question = self.ask(Ask::Put(queue.into(), value));
        answered(question, |answer| (answer == Answer::Put).then_some(()))
    }

    fn take(&self, queue: &str) -> QueueReply<Value> {
        answered(self.ask(Ask::Take(queue.into())), |answer| match answer {
            Answer::Taken(value) => value,
            _ => None,
        })
    }

    fn try_take(&self, queue: &str) -> QueueReply<Option<Value>> {
        answered(
            self.ask(Ask::TryTake(queue.into())),
            |answer| match answer {
                Answer::Taken(value) => Some(value),
                _ => None,
            },
        )
    }

    fn length(&self, queue: &str) -> QueueReply<usize> {
        answered(self.ask(Ask::Length(queue.into())), |answer| match answer {
            Answer::Length(length) => usize::try_from(length).ok(),
            _ => None,
        })
    }

    fn once(&self, name: &str) -> Reply<Result<FarTurn, TooManyNames>> {
        answered(self.ask(Ask::Once(name.into())), |answer| match answer {
            Answer::Value(value) => Some(FarTurn::Made(value)),
            Answer::Make(turn) => Some(FarTurn::Make(turn)),
            _ => None,
        })
    }

    fn made(&self, name: &str, turn: u64, value: &Value) -> Reply<Value> {
        let question = self.ask(Ask::Made(name.into(), turn, value.clone()));
        let own = value.clone();
        Box::pin(async move {
            match question.await {
                Answer::Value(value) => value,
                _ => own,
            }
        })
    }

    fn passed(&self, name: &str, turn: u64) {
        self.send(FromUser::Says(Said::Passed(name.into(), turn)));
    }

    fn takes_lines_for(&self, file: &str) -> Result<(), String> {
        self.0.lines.takes(file)
    }

    fn append(&self, file: &str, line: String) -> Result<(), NotTaken> {
        if self.0.lines.append(file, line)? {
            self.send(FromUser::Lines);
        }
        Ok(())
    }
}

impl RationSource for Questioner {
    fn rations(&self, count: u64) -> Arc<Rations> {
        self.all_rations().entry(count).or_default().clone()
    }

    fn want(&self, count: u64, rows: u64) {
        self.send(FromUser::Wants(count, rows));
    }
}

/// The process's side.
#[derive(Debug)]
pub(super) struct Askers {
    asked: mpsc::UnboundedReceiver<FromUser>,
    asker: Questioner,
    open: HashMap<u64, Open>,
}

/// Who waits for an answer.
#[derive(Debug)]
enum Open {
    User(oneshot::Sender<Answer>, Ask),
    /// All callers who know so many rows of that count.
    Turns(u64, u64),
    Lines,
}

impl Askers {
    pub(super) fn new() -> Askers {
        let (to, asked) = mpsc::unbounded_channel();
        let shared = ToProcess {
            to,
            questions: AtomicU64::new(0),
            rations: Mutex::default(),
            lines: OutgoingLines::default(),
        };
        Askers {
            asked,
            asker: Questioner(Arc::new(shared)),
            open: HashMap::new(),
        }
    }

    /// What is given to users.
    pub(super) fn asker(&self) -> Questioner {
        self.asker.clone()
    }

    /// What users want next. Cancel safe.
    pub(super) async fn next(&mut self) -> FromUser {
        match self.asked.recv().await {
            Some(what) => what,
            None => std::future::pending().await,
        }
    }

    /// What is to be said to the machine of what users want.
    pub(super) fn says(&mut self, what: FromUser) -> Vec<Said> {
        match what {
            FromUser::Ask(number, ask, answer) => {
                self.open.insert(number, Open::User(answer, claim(&ask)));
                vec![Said::Ask(number, ask)]
            }
            FromUser::Says(said) => {
                if let Said::Cancel(number) = said {
                    self.open.remove(&number);
                }
                vec![said]
            }
            FromUser::Wants(count, rows) => self.wants(count, rows),
            FromUser::Lines => self.lines(),
        }
    }

    fn wants(&mut self, count: u64, rows: u64) -> Vec<Said> {
        let mut asks = Vec::new();
        if !self.asker.rations(count).has_course(rows) {
            asks.push(Ask::Course(count, rows));
        }
        asks.push(Ask::Range(Counted::Rows(count), rows));
        let numbered = asks.into_iter().map(|ask| {
            let number = self.asker.number();
            self.open.insert(number, Open::Turns(count, rows));
            Said::Ask(number, ask)
        });
        numbered.collect()
    }

    /// The next lines, if the last ones are written.
    fn lines(&mut self) -> Vec<Said> {
        let is_writing = self.open.values().any(|open| matches!(open, Open::Lines));
        if is_writing {
            return Vec::new();
        }
        self.more_lines().into_iter().collect()
    }

    fn more_lines(&mut self) -> Option<Said> {
        let lines = self.asker.0.lines.take()?;
        let number = self.asker.number();
        self.open.insert(number, Open::Lines);
        Some(Said::Ask(number, Ask::Append(lines)))
    }

    /// Hands over an answer; what is said if nobody wants it.
    pub(super) fn answered(&mut self, number: u64, answer: Answer) -> Vec<Said> {
        match self.open.remove(&number) {
            Some(Open::User(waits, claim)) => match waits.send(answer) {
                Ok(()) => Vec::new(),
                Err(answer) => unclaimed(&claim, answer).into_iter().collect(),
            },
            Some(Open::Turns(count, rows)) => {
                let rations = self.asker.rations(count);
                match answer {
                    Answer::Range(_, turns) => rations.give(turns),
                    Answer::Course(course) => rations.course(rows, course),
                    Answer::UsedUp(_) => rations.used_up(rows),
                    _ => rations.forget(),
                }
                Vec::new()
            }
            Some(Open::Lines) => {
                if let Answer::Appended(failed) = answer {
                    self.asker.0.lines.failed(failed);
                }
                self.lines()
            }
            None => Vec::new(),
        }
    }

    /// Users have ended, all of them: what they still want, what they wrote, and what they have not
    /// used.
    pub(super) fn ended(&mut self) -> Vec<Said> {
        let mut says = Vec::new();
        while let Ok(what) = self.asked.try_recv() {
            // Turns are of no use to anybody here.
            if !matches!(what, FromUser::Wants(..)) {
                says.extend(self.says(what));
            }
        }
        while let Some(lines) = self.more_lines() {
            says.push(lines);
        }
        let open = std::mem::take(&mut self.open);
        for (number, open) in open {
            if matches!(open, Open::Lines) {
                self.open.insert(number, open);
            } else {
                says.push(Said::Cancel(number));
            }
        }
        let returned = |of: Counted, turns: Range<u64>| Said::Returned(of, turns);
        for (count, rations) in self.asker.all_rations().iter() {
            let back = rations.give_back().into_iter();
            says.extend(back.map(|turns| returned(Counted::Rows(*count), turns)));
            rations.forget();
        }
        says
    }

    /// How many turns of each count were used in this process.
    pub(super) fn used(&self) -> Vec<(Counted, u64)> {
        let rations = self.asker.all_rations();
        let used = rations.iter();
        let used = used.map(|(count, rations)| (Counted::Rows(*count), rations.used()));
        used.filter(|(_, used)| *used > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    fn polled<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn said(askers: &mut Askers) -> Vec<Said> {
        let mut said = Vec::new();
        while let Ok(what) = askers.asked.try_recv() {
            said.extend(askers.says(what));
        }
        said
    }

    #[test]
    fn an_answer_reaches_who_asked() {
        let mut askers = Askers::new();
        let asker = askers.asker();
        let mut takes = pin!(asker.take("q"));
        assert!(polled(takes.as_mut()).is_none());
        assert_eq!(said(&mut askers), [Said::Ask(1, Ask::Take("q".into()))]);
        let element = Answer::Taken(Some(Value::Int(7)));
        assert_eq!(askers.answered(1, element), []);
        assert_eq!(polled(takes.as_mut()), Some(Ok(Value::Int(7))));
        let mut many = pin!(asker.length("q"));
        said(&mut askers);
        askers.answered(2, Answer::TooManyNames);
        assert_eq!(polled(many.as_mut()), Some(Err(TooManyNames)));
    }

    #[test]
    fn who_goes_away_leaves_nothing_behind_whenever_it_goes() {
        let element = || Answer::Taken(Some(Value::Int(7)));
        let back = || Said::Back("q".into(), Value::Int(7));
        let mut askers = Askers::new();
        let asker = askers.asker();
        // Before it is answered.
        drop(asker.take("q"));
        assert_eq!(said(&mut askers)[1..], [Said::Cancel(1)]);
        assert_eq!(askers.answered(1, element()), []);
        // While the answer waits for it.
        let takes = asker.take("q");
        said(&mut askers);
        askers.answered(2, element());
        drop(takes);
        assert_eq!(said(&mut askers), [back()]);
        // When the answer comes before the word that it has gone.
        let takes = asker.take("q");
        said(&mut askers);
        drop(takes);
        assert_eq!(askers.answered(3, element()), [back()]);
        let makes = asker.once("v");
        said(&mut askers);
        askers.answered(4, Answer::Make(9));
        drop(makes);
        assert_eq!(said(&mut askers), [Said::Passed("v".into(), 9)]);
    }

    #[test]
    fn turns_are_asked_for_with_their_course_and_given_back_at_the_end() {
        let mut askers = Askers::new();
        let asker = askers.asker();
        let rows = Counted::Rows(5);
        asker.want(5, 20);
        let asks = [
            Said::Ask(1, Ask::Course(5, 20)),
            Said::Ask(2, Ask::Range(rows, 20)),
        ];
        assert_eq!(said(&mut askers), asks);
        askers.answered(2, Answer::Range(rows, 3..9));
        asker.want(5, 20);
        said(&mut askers);
        let mut ended = askers.ended();
        ended.sort_by_key(|said| format!("{said:?}"));
        let cancels = [1, 3, 4].map(Said::Cancel);
        assert_eq!(ended[..3], cancels);
        assert_eq!(ended[3..], [Said::Returned(rows, 3..9)]);
        assert_eq!(askers.used(), []);
    }

    #[test]
    fn lines_wait_for_those_before_them_and_all_go_at_the_end() {
        let mut askers = Askers::new();
        let asker = askers.asker();
        asker.may_append_to(["a.txt".into()].into_iter());
        assert!(asker.takes_lines_for("b.txt").is_err());
        let lines = |number, texts: &[&str]| {
            let lines = texts.iter().map(|text| ("a.txt".into(), (*text).into()));
            Said::Ask(number, Ask::Append(lines.collect()))
        };
        assert!(asker.append("a.txt", "1\n".to_owned()).is_ok());
        assert_eq!(said(&mut askers), [lines(1, &["1\n"])]);
        assert!(asker.append("a.txt", "2\n".to_owned()).is_ok());
        assert!(asker.append("a.txt", "3\n".to_owned()).is_ok());
        assert_eq!(said(&mut askers), []);
        let next = askers.answered(1, Answer::Appended(Vec::new()));
        assert_eq!(next, [lines(2, &["2\n", "3\n"])]);
        assert!(asker.append("a.txt", "4\n".to_owned()).is_ok());
        assert_eq!(askers.ended(), [lines(3, &["4\n"])]);
        askers.answered(2, Answer::Appended(vec![("a.txt".into(), "full".into())]));
        let failed = asker.append("a.txt", "5\n".to_owned());
        assert!(matches!(failed, Err(NotTaken::Failed)));
    }
}
