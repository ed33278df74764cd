//! A run of an earlier master, as the thread of this one sees it.
//!
//! Owns telling the run who goes on in it, and keeping what comes before the run is there.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::serving::{FromRun, Thread};
use super::state::State;
use crate::clock;
use crate::cluster::hello::Conn;
use crate::cluster::message::{Going, Holding, Lines, News};
use crate::cluster::wire::proto::Numbered;
use crate::runner::Edition;
use crate::runner::elsewhere::{HeldPlace, Joined};
use crate::script::Level;

/// The most bytes of what waits for a run.
const MOST_WAITING: usize = 256 << 20;

/// What is kept for a run that goes on until it is there.
#[derive(Default)]
pub(super) struct Earlier {
    /// How it stands.
    pub(super) going: Option<Going>,
    /// What happened in it, in order.
    early: Vec<Early>,
    /// Nobody else will come.
    is_settled: bool,
    /// Reports, undecoded.
    numbers: Vec<(Conn, Numbered)>,
    bytes: usize,
}

/// Something that happened in a run before that was there.
pub(super) enum Early {
    /// A worker goes on with what it had.
    Holds(u32, Box<Holding>),
    News(u32, News),
    /// A member leaves, or has gone.
    Leaves(u32),
    Gone(u32),
    /// Lines of that worker's question.
    Lines(u32, u64, Lines),
}

impl Thread {
    /// A worker says how the run stands. The first one is believed: the others know the same.
    pub(super) fn take_over(&mut self, going: Going) {
        if self.running.is_some() || self.earlier.going.is_some() {
            return;
        }
        let began = clock::now() - Duration::from_micros(going.elapsed_us);
        self.epoch_us = Some(began.get());
        self.generation = self.generation.max(going.generation);
        if let Some(state) = &mut self.state {
            state.takes_over(&going);
        }
        self.earlier.going = Some(going);
        if let Some(waits) = self.waits_for_going.take() {
            // If nobody waits any longer, it is kept for who starts a run.
            let _ = waits.send(());
        }
        self.look_for_workers();
    }

    /// A worker goes on with what it had.
    pub(super) async fn adopted(&mut self, worker: u32, holding: Holding) {
        self.generation = self.generation.max(holding.generation);
        self.takes_seat(worker, holding.seat.member).await;
        if self.running.is_none() {
            return self.keep_early(Early::Holds(worker, Box::new(holding)));
        }
        let Some(joined) = self.holds(worker, holding).await else {
            return;
        };
        let internal = self.internal.clone();
        spawn_local(async move {
            if let Ok(joined) = joined.await {
                let _ = internal.send(FromRun::Holds(joined)).await;
            }
        });
    }

    /// The run gets a member that it had.
    async fn holds(&self, worker: u32, holding: Holding) -> Option<oneshot::Receiver<Joined>> {
        let running = self.running.as_ref()?;
        let held = HeldPlace {
            member: holding.seat.member,
            first: holding.first,
            parts: holding.parts,
            assignment: holding.assignment,
            generation: holding.generation,
        };
        self.print(Level::Info, format!("{} goes on", self.name_of(worker)));
        Some(running.gate.hold(held).await)
    }

    /// The run gets what an earlier master had counted.
    pub(super) async fn recall(&mut self) {
        let before = self.state.as_mut().and_then(State::before);
        if let (Some(report), Some(running)) = (before, &self.running) {
            running.gate.report(report).await;
        }
    }

    /// Nobody else comes from the last master.
    pub(super) async fn settled(&mut self) {
        self.earlier.is_settled = true;
        // Of a run whose workers have not come, the file tells.
        if let Some(going) = self.state.as_mut().and_then(State::going) {
            self.take_over(going);
        }
        match &self.running {
            Some(running) => running.gate.settled().await,
            None => return self.look_for_workers(),
        }
        let forgotten = self.master.forgotten();
        if forgotten > 0 {
            let text = format!(
                "up to {forgotten} requests of workers that had gone before this master was \
                 started are in no figure"
            );
            self.print(Level::Error, text);
        }
    }

    /// It is known to the run.
    pub(super) fn held(&self, joined: Joined) {
        if let Some(running) = &self.running {
            self.orders(running.sent.clone(), joined);
        }
    }

    /// Keeps what happened for a run that is not there yet.
    pub(super) fn keep_early(&mut self, early: Early) {
        if let Early::Lines(worker, question, lines) = &early {
            let lengths = lines.iter().map(|(file, line)| file.len() + line.len());
            self.earlier.bytes += lengths.sum::<usize>();
            if self.earlier.bytes > MOST_WAITING {
                let why = "the master was started again, and holds as many lines as it can";
                let files = lines.iter().map(|(file, _)| (file.clone(), why.into()));
                let refused = FromRun::Appended(*worker, *question, files.collect());
                // What finds no room here is asked again on the next connection.
                let _ = self.internal.try_send(refused);
                return;
            }
        }
        self.earlier.early.push(early);
    }

    /// Turns that workers have are of rows which they know, whatever the script has by now.
    pub(super) async fn declare_known(&mut self) {
        if let Some(going) = &self.earlier.going {
            let counted = going.counted.clone();
            self.declare_rows(&counted).await;
        }
    }

    /// The run is there: what was kept for it.
    pub(super) async fn caught_up(&mut self) {
        for early in std::mem::take(&mut self.earlier.early) {
            match early {
                Early::Holds(worker, holding) => {
                    // The script was not there to be told.
                    self.takes_seat(worker, holding.seat.member).await;
                    // What it says later means nothing to a run that does not know it.
                    if let Some(joined) = self.holds(worker, *holding).await
                        && let Ok(joined) = joined.await
                    {
                        self.held(joined);
                    }
                }
                Early::News(member, news) => self.news(member, news).await,
                Early::Leaves(member) => self.leaves(member).await,
                Early::Gone(member) => self.gone(member).await,
                Early::Lines(worker, question, lines) => self.take_lines(worker, question, lines),
            }
        }
        if self.earlier.going.is_none() {
            return;
        }
        // Whoever came meanwhile without anything of it.
        for (worker, threads) in std::mem::take(&mut self.offered) {
            self.joins(worker, threads);
        }
        if self.earlier.is_settled {
            self.settled().await;
        }
    }

    /// Keeps a report for a run whose beginning is not known yet; false if there is no room.
    pub(super) fn keep(&mut self, conn: Conn, numbered: Numbered) -> bool {
        self.earlier.bytes += numbered.report.len();
        self.earlier.numbers.push((conn, numbered));
        self.earlier.bytes <= MOST_WAITING
    }

    /// What was kept is counted, if the run and its beginning are known.
    pub(super) async fn count_kept(&mut self) {
        if self.running.is_some() && self.epoch_us.is_some() {
            self.earlier.bytes = 0;
            for (conn, numbered) in std::mem::take(&mut self.earlier.numbers) {
                self.count(conn, numbered).await;
            }
        }
    }

    /// Whether a report cannot be counted yet: its run is not there, or not known when it began.
    /// What comes after one that waits, waits as well.
    pub(super) fn is_early(&self, conn: Conn, numbered: &Numbered) -> bool {
        let is_expected = self.master.is_adopting() || self.earlier.going.is_some();
        let is_unknown = match self.running {
            None => is_expected,
            Some(_) => self.epoch_us.is_none() && numbered.is_baseline,
        };
        is_unknown || self.earlier.numbers.iter().any(|(of, _)| *of == conn)
    }
}

/// What went with the last master, if a script may have used it.
pub(super) fn forgotten_of(edition: &Edition) -> Option<String> {
    let calls = |name: &str| {
        let mut texts = edition.bundle.files().iter().map(|file| &*file.text);
        texts.any(|text| is_called(text, name))
    };
    let what = match (calls("queue"), calls("once")) {
        (false, false) => return None,
        (true, false) => "what was in queues is gone with the last master",
        (false, true) => "values of `once` are gone with the last master, and made again",
        (true, true) => {
            "what was in queues and values of `once` are gone with the last master; the values are \
             made again"
        }
    };
    Some(what.to_owned())
}

/// Whether a text may call a function of that name.
fn is_called(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let is_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        !is_word && text[at + name.len()..].trim_start().starts_with('(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_called_where_its_name_stands_alone_before_a_parenthesis() {
        for text in [
            "queue(\"a\")",
            "let q = queue (x);",
            "this.once(\"t\", || 1)",
        ] {
            assert!(
                is_called(text, "queue") || is_called(text, "once"),
                "{text}"
            );
        }
        for text in ["my_queue(1)", "queued(1)", "// the queue", "at_once(1)"] {
            assert!(
                !is_called(text, "queue") && !is_called(text, "once"),
                "{text}"
            );
        }
    }
}
