//! Everything that can happen to a run, as one sequence of events.
//!
//! Owns the channels that events come from, and their order. The run acts on them.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::Command;
use super::elsewhere::Coming;
use super::fleet::MemberId;
use super::load_thread::News;
use crate::script::{Call, Line, Outcome};
use crate::stats::{Batch, Report};

/// Something that happened.
pub(super) enum Event {
    News(MemberId, News),
    Coming(Coming),
    /// `None` when the last handle is gone.
    Command(Option<Command>),
    /// A call of a function that runs once has ended.
    Answered(Call, Outcome),
    Batch(Batch),
    /// What a member elsewhere measured.
    Report(Report),
    Line(Line),
    /// A timer is due.
    Due(Timer),
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Close a second.
    Tick,
    /// Check for emergencies that end the run.
    Trouble,
    /// Look at the edition that is waiting.
    Reload,
    /// Look at the functions that run once.
    Hooks,
    PlanIsOver,
    StageBegins,
    /// Stop waiting for somebody who could go on.
    Deserted,
    /// Stop waiting for members to end.
    Grace,
}

/// The receiving ends.
pub(super) struct Inbox {
    news: mpsc::Receiver<(MemberId, News)>,
    coming: mpsc::Receiver<Coming>,
    commands: mpsc::Receiver<Command>,
    is_steered: bool,
    batches: mpsc::Receiver<Batch>,
    reports: mpsc::Receiver<Report>,
    lines: mpsc::Receiver<Line>,
    /// Calls in progress, answered in order.
    calls: VecDeque<(Call, oneshot::Receiver<Outcome>)>,
}

impl Inbox {
    pub(super) fn new(
        news: mpsc::Receiver<(MemberId, News)>,
        coming: mpsc::Receiver<Coming>,
        commands: mpsc::Receiver<Command>,
        batches: mpsc::Receiver<Batch>,
        reports: mpsc::Receiver<Report>,
        lines: mpsc::Receiver<Line>,
    ) -> Inbox {
        Inbox {
            news,
            coming,
            commands,
            is_steered: true,
            batches,
            reports,
            lines,
            calls: VecDeque::new(),
        }
    }

    /// The answer to a call will come.
    pub(super) fn expect(&mut self, call: Call, answer: oneshot::Receiver<Outcome>) {
        self.calls.push_back((call, answer));
    }

    /// Cancels all calls that have not been answered.
    pub(super) fn cancel_calls(&mut self) {
        self.calls.clear();
    }

    /// The next event. Timers come by their time, then by their order in `timers`; anything that
    /// has arrived comes before any timer. Cancel safe.
    pub(super) async fn next(
        &mut self,
        timers: impl IntoIterator<Item = (Timer, Option<Instant>)>,
    ) -> Event {
        let due = timers
            .into_iter()
            .filter_map(|(timer, at)| Some((timer, at?)))
            .min_by_key(|(_, at)| *at);
        tokio::select! {
            biased;
            Some((id, news)) = self.news.recv() => Event::News(id, news),
            Some(coming) = self.coming.recv() => Event::Coming(coming),
            command = self.commands.recv(), if self.is_steered => {
                self.is_steered = command.is_some();
                Event::Command(command)
            }
            Some(batch) = self.batches.recv() => Event::Batch(batch),
            Some(report) = self.reports.recv() => Event::Report(report),
            // What a call printed comes before what follows from its end.
            Some(line) = self.lines.recv() => Event::Line(line),
            (call, outcome) = answer(&mut self.calls) => Event::Answered(call, outcome),
            timer = timer(due) => Event::Due(timer),
        }
    }

    /// A batch that is here already.
    pub(super) fn batch(&mut self) -> Option<Batch> {
        self.batches.try_recv().ok()
    }

    /// A report that is here already.
    pub(super) fn report(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// A line that is here already.
    pub(super) fn line(&mut self) -> Option<Line> {
        self.lines.try_recv().ok()
    }

    /// What happens to a run that has not begun: news, and members that come and go.
    pub(super) async fn early(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                biased;
                news = self.news.recv() => return news.map(|(id, news)| Event::News(id, news)),
                coming = self.coming.recv() => return coming.map(Event::Coming),
                // Of members that end before the start; who brings them waits for room.
                Some(_) = self.reports.recv() => {}
            }
        }
    }
}

/// The answer to the first call; none ever without a call.
async fn answer(calls: &mut VecDeque<(Call, oneshot::Receiver<Outcome>)>) -> (Call, Outcome) {
    let Some((call, answer)) = calls.front_mut() else {
        return std::future::pending().await;
    };
    let outcome = answer.await.unwrap_or(Outcome::Cancelled);
    let call = *call;
    calls.pop_front();
    (call, outcome)
}

async fn timer(due: Option<(Timer, Instant)>) -> Timer {
    match due {
        Some((timer, at)) => {
            sleep_until(at).await;
            timer
        }
        None => std::future::pending().await,
    }
}
