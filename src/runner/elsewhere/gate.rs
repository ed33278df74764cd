//! Where members of other processes come to a run.
//!
//! Owns their side of the run's channels. Who may come, and what became of the connection, the
//! transport knows.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OnceCell, mpsc, oneshot, watch};
use tokio::task::spawn_blocking;

use super::edition::{Content, Held, Holds, SentEdition, Unsendable};
use super::going::HeldPlace;
use super::order::SentOrder;
use crate::data::RationSource;
use crate::runner::Edition;
use crate::runner::fleet::{Levels, Member, MemberId};
use crate::runner::load_thread::{News, Order};
use crate::runner::threads::{Connections, ORDERS};
use crate::scenario::Event;
use crate::script::{Line, Shared};
use crate::stats::{Report, Roll, WorkerName};
use crate::vu::Budget;

/// A member that comes or goes.
#[derive(Debug)]
pub enum Coming {
    /// One more, with so many load threads; it is told who it is.
    Joins {
        /// How many load threads it has.
        threads: u32,
        /// What it gets.
        joined: oneshot::Sender<Joined>,
    },
    /// One more, of load threads in this process.
    #[cfg(test)]
    JoinsHere {
        /// How many.
        threads: u32,
    },
    /// A member of the run under its last master goes on.
    Held {
        /// What it has.
        held: HeldPlace,
        /// What it gets.
        joined: oneshot::Sender<Joined>,
    },
    /// Nobody else comes from the last master.
    Settled,
    /// The run is another master's, for that reason.
    Deposed(String),
    /// A member hands its users over, stops and ends.
    Leaves(u32),
    /// A member has gone without a word, and its users with it.
    Gone(u32),
    /// Nobody has come or gone for a while: users are dealt to those who are there.
    Deal,
    /// Listeners of that event are to know of a worker.
    Worker(Event, Box<WorkerCard>),
}

/// What listeners of an event are told of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCard {
    /// What it is called.
    pub name: WorkerName,
    /// Its load threads.
    pub threads: u32,
    /// The users it has, or had.
    pub users: u32,
}

/// The way to a run, for those who bring members to it. Clones are the same.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(in crate::runner) coming: mpsc::Sender<Coming>,
    pub(in crate::runner) news: mpsc::Sender<(MemberId, News)>,
    pub(in crate::runner) reports: mpsc::Sender<Report>,
    pub(in crate::runner) lines: mpsc::Sender<Line>,
    pub(in crate::runner) budget: Option<Budget>,
    pub(in crate::runner) roll: watch::Sender<Roll>,
}

impl Gate {
    /// A member with so many load threads joins; `None` if the run is over. Dropping the future
    /// after its first poll does not take that back: such a member has to be told [`Gate::gone`].
    pub async fn join(&self, threads: u32) -> Option<Joined> {
        let (joined, answer) = oneshot::channel();
        let coming = Coming::Joins { threads, joined };
        self.coming.send(coming).await.ok()?;
        answer.await.ok()
    }

    /// A member of the run under its last master goes on; what it is told comes by the receiver,
    /// unless the run does not want it.
    pub async fn hold(&self, held: HeldPlace) -> oneshot::Receiver<Joined> {
        let (joined, answer) = oneshot::channel();
        // A run that is over needs no members.
        let _ = self.coming.send(Coming::Held { held, joined }).await;
        answer
    }

    /// Nobody else comes from the last master.
    pub async fn settled(&self) {
        let _ = self.coming.send(Coming::Settled).await;
    }

    /// The run is another master's now: it ends here as failed, without its members.
    pub async fn deposed(&self, why: String) {
        let _ = self.coming.send(Coming::Deposed(why)).await;
    }

    /// A member leaves in order: it stays until its users are with others.
    pub async fn leave(&self, member: u32) {
        // A run that is over needs no members.
        let _ = self.coming.send(Coming::Leaves(member)).await;
    }

    /// A member has gone without a word.
    pub async fn gone(&self, member: u32) {
        let _ = self.coming.send(Coming::Gone(member)).await;
    }

    /// Members have come or gone, and now it is quiet: users that are due to others move. Until then
    /// those who have come have none, and those of members that have gone are nobody's.
    pub async fn deal(&self) {
        let _ = self.coming.send(Coming::Deal).await;
    }

    /// What a member says, in the order in which it said it. What it measured before comes before.
    pub async fn say(&self, member: u32, news: News) {
        let _ = self.news.send((MemberId(member), news)).await;
    }

    /// How the users of a member stand; left out if the run is busy, for it is said again.
    pub fn levels(&self, member: u32, levels: Levels) {
        let _ = self.news.try_send((MemberId(member), News::Levels(levels)));
    }

    /// What a member measured. Each report has to come once, and waits here while the run is busy.
    pub async fn report(&self, report: Report) {
        let _ = self.reports.send(report).await;
    }

    /// What a script printed on a member; lost if the run is busy.
    pub fn print(&self, line: Line) {
        let _ = self.lines.try_send(line);
    }

    /// All workers as they stand: the latest holds.
    pub fn roll(&self, roll: Roll) {
        self.roll.send_replace(roll);
    }

    /// Something happened to a worker that the script may listen to.
    pub async fn worker(&self, event: Event, card: WorkerCard) {
        let _ = self
            .coming
            .send(Coming::Worker(event, Box::new(card)))
            .await;
    }

    /// Takes up to so many iterations for a member; zero if none are left. Without a limit there
    /// are always as many.
    #[must_use]
    pub fn iterations(&self, most: u64) -> u64 {
        self.budget
            .as_ref()
            .map_or(most, |budget| budget.take_up_to(most))
    }

    /// Gives back what a member did not use.
    pub fn give_back(&self, iterations: u64) {
        if let Some(budget) = &self.budget {
            budget.put_back(iterations);
        }
    }
}

/// What a member is told when it joins.
#[derive(Debug)]
pub struct Joined {
    /// Identifies it; never used again in the run.
    pub member: u32,
    /// The numbers of its load threads.
    pub threads: Range<u32>,
    /// What it is to do.
    pub orders: Orders,
}

impl Joined {
    /// A member that joins, as the run sees it and as it sees itself.
    pub(in crate::runner) fn new(
        id: MemberId,
        first: u32,
        threads: u32,
        edition: &Arc<Edition>,
        number: u16,
        to: &Connections,
    ) -> (Member, Joined) {
        let threads = first..first.saturating_add(threads);
        let begins = (edition.clone(), number, to.budget.is_some());
        Joined::beginning(id, threads, number, Some(begins), to)
    }

    /// A member that has begun under the last master.
    pub(in crate::runner) fn holding(held: &HeldPlace, to: &Connections) -> (Member, Joined) {
        let count = u32::try_from(held.parts.len()).unwrap_or(u32::MAX);
        let threads = held.first..held.first.saturating_add(count);
        Joined::beginning(MemberId(held.member), threads, held.generation, None, to)
    }

    fn beginning(
        id: MemberId,
        threads: Range<u32>,
        number: u16,
        begins: Option<Begins>,
        to: &Connections,
    ) -> (Member, Joined) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let orders = Orders {
            begins,
            shared: to.shared.clone(),
            threads: threads.clone(),
            orders,
        };
        let member = Member::new(sender, threads.clone(), Vec::new(), number);
        let joined = Joined {
            member: id.0,
            threads,
            orders,
        };
        (member, joined)
    }
}

/// An edition, the number of its generation, and whether iterations are limited.
type Begins = (Arc<Edition>, u16, bool);

/// The orders to one member.
#[derive(Debug)]
pub struct Orders {
    /// The first order: to begin with that edition, as the generation of that number, and whether
    /// iterations are limited.
    begins: Option<Begins>,
    /// Knows what `setup` returned.
    shared: Arc<Shared>,
    threads: Range<u32>,
    orders: mpsc::Receiver<Order>,
}

impl Orders {
    /// The next order; `None` when the run is over. `sent` gives what is sent of an edition. Not
    /// cancel safe: an order whose edition is awaited would be lost.
    ///
    /// # Errors
    /// When an edition cannot be sent. The order is lost then, and the member cannot go on.
    pub async fn next(&mut self, sent: &SentEditions) -> Option<Result<SentOrder, Unsendable>> {
        if let Some((edition, generation, is_limited)) = self.begins.take() {
            let sent = sent.of(&edition).await;
            return Some(sent.map(|sent| SentOrder::Begin {
                threads: self.threads.clone(),
                generation,
                edition: sent.0.clone(),
                is_limited,
            }));
        }
        let order = self.orders.recv().await?;
        let edition = match order.edition() {
            Some(edition) => match sent.of(edition).await {
                Ok(sent) => Some(sent.0.clone()),
                Err(why) => return Some(Err(why)),
            },
            None => None,
        };
        let setup = self.shared.setup_result();
        let order = SentOrder::of(&order, self.threads.clone(), setup, edition);
        Some(Ok(order))
    }
}

/// What is sent of the editions of a run, made once for all its members.
#[derive(Debug, Default)]
pub struct SentEditions {
    kept: Mutex<Vec<(Weak<Edition>, SentOnce)>>,
    /// Who counts the turns of their rows, if that is not this process.
    asks: Option<Arc<dyn RationSource>>,
}

/// What is sent of an edition, once that is made.
type SentOnce = Arc<OnceCell<Arc<(Arc<SentEdition>, Holds)>>>;

impl SentEditions {
    /// The turns of rows are counted by `asks`, for the run's own functions as for members.
    #[must_use]
    pub fn asking(asks: Arc<dyn RationSource>) -> SentEditions {
        SentEditions {
            asks: Some(asks),
            ..SentEditions::default()
        }
    }

    /// So many turns of that count were given out.
    pub fn were_taken(&self, count: u64, taken: u64) {
        let kept = self.kept();
        let editions = kept.iter().filter_map(|(edition, _)| edition.upgrade());
        for edition in editions {
            edition.inputs.sources.were_taken(count, taken);
        }
    }

    /// What is sent of an edition that members have already.
    ///
    /// # Errors
    /// When a file of it cannot be sent.
    pub async fn edition(&self, edition: &Arc<Edition>) -> Result<Arc<SentEdition>, Unsendable> {
        Ok(self.of(edition).await?.0.clone())
    }

    /// What is sent of an edition. The first time, the edition's data files are read, on another
    /// thread: this one has beats to answer.
    async fn of(
        &self,
        edition: &Arc<Edition>,
    ) -> Result<Arc<(Arc<SentEdition>, Holds)>, Unsendable> {
        let once = self.once(edition);
        let made = once.get_or_try_init(async || {
            let edition = edition.clone();
            let made = spawn_blocking(move || SentEdition::of(&edition)).await;
            let (sent, holds) = made.map_err(|why| Unsendable {
                path: PathBuf::from("the script"),
                why: why.to_string(),
            })??;
            Ok(Arc::new((Arc::new(sent), holds)))
        });
        made.await.cloned()
    }

    fn once(&self, edition: &Arc<Edition>) -> SentOnce {
        let mut kept = self.kept();
        let that = Arc::downgrade(edition);
        if let Some((_, once)) = kept.iter().find(|(kept, _)| kept.ptr_eq(&that)) {
            return once.clone();
        }
        // The run has dropped those that no member is asked to make any more.
        kept.retain(|(kept, _)| kept.strong_count() > 0);
        if let Some(asks) = &self.asks {
            edition.inputs.sources.ask(asks);
        }
        let once = SentOnce::default();
        kept.push((that, once.clone()));
        once
    }

    /// What a file of one of them holds.
    #[must_use]
    pub fn content(&self, content: &Content) -> Option<Held> {
        let kept = self.kept();
        let mut all = kept.iter().filter_map(|(_, once)| once.get());
        all.find_map(|sent| sent.1.get(content).cloned())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Weak<Edition>, SentOnce)>> {
        // A panic while it was held has left whole entries.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
