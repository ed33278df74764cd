//! The load threads of this process, together one member of a run.
//!
//! Owns starting them, passing each order on to all of them, and combining their news. The run
//! gives the orders; `load_thread` carries them out.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::fleet::{Levels, Member, MemberId};
use super::load_thread::{self, Config, News, Order, Preparation};
use super::{Edition, Setup, Unable};
use crate::script::{Line, Shared};
use crate::stats::Batch;
use crate::vu::{Budget, Fence};

/// Stack of a load thread: a script's top level is parsed and evaluated on it, and what users keep
/// is dropped there. As with the users' stacks, what is not touched costs addresses only.
const THREAD_STACK: usize = 64 << 20;

/// Orders queued for a thread. A run gives a few a second, so if the queue is full a script has
/// held the thread for a long time, and that ends the run.
pub(super) const ORDERS: usize = 256;

/// Full batches queued for the collector, and emptied ones on their way back, per load thread.
pub(super) const BATCHES: usize = 64;

/// What load threads are connected to.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) setup: Arc<Setup>,
    /// Identifies a crash of one of them (`coroutine::survive`).
    pub(super) group: u32,
    pub(super) news: mpsc::Sender<(MemberId, News)>,
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) log: mpsc::Sender<Line>,
    pub(super) shared: Arc<Shared>,
    /// Iterations left; `None` for no limit.
    pub(super) budget: Option<Budget>,
    /// Until when iterations may begin; `None` in a run of this process alone.
    pub(super) fence: Option<Fence>,
}

/// The load threads, as seen by the task that speaks for them.
struct Threads {
    orders: Vec<mpsc::Sender<Order>>,
    handles: Vec<JoinHandle<()>>,
    joint: Joint,
}

/// Starts `count` load threads, numbered from `first`, as member `id`. They compile generation
/// `number` of an edition and then report ready. Must be called in a runtime with local tasks.
///
/// # Errors
/// When the system has no thread for one of them.
pub(super) fn start(
    id: MemberId,
    first: u32,
    count: u32,
    edition: &Arc<Edition>,
    number: u16,
    to: &Connections,
) -> Result<Member, Unable> {
    let (news, news_out) = mpsc::channel(64 + 4 * count as usize);
    let mut orders = Vec::new();
    let mut handles = Vec::new();
    let mut spares = Vec::new();
    for index in first..first + count {
        let (orders_in, orders_out) = mpsc::channel(ORDERS);
        let (spare_in, spare) = mpsc::channel(BATCHES);
        let config = Config {
            index,
            group: to.group,
            setup: to.setup.clone(),
            edition: edition.clone(),
            number,
            orders: orders_out,
            news: news.clone(),
            full: to.batches.clone(),
            spare,
            log: to.log.clone(),
            shared: to.shared.clone(),
            budget: to.budget.clone(),
            fence: to.fence.clone(),
        };
        let handle = std::thread::Builder::new()
            .name(format!("load-{index}"))
            .stack_size(THREAD_STACK)
            .spawn(move || load_thread::run(config))
            .map_err(|error| {
                Unable::System(format!("cannot start load thread {index}: {error}"))
            })?;
        orders.push(orders_in);
        handles.push(handle);
        spares.push(spare_in);
    }
    let threads = Threads {
        joint: Joint::new(orders.len()),
        orders,
        handles,
    };
    let (orders_in, orders_out) = mpsc::channel(ORDERS);
    let news_in = to.news.clone();
    let said = async move |news| {
        let _ = news_in.send((id, news)).await;
    };
    spawn_local(threads.serve(first, orders_out, news_out, said));
    Ok(Member::new(orders_in, first..first + count, spares, number))
}

impl Threads {
    /// Passes on orders and news until all threads have ended, or the run has gone.
    async fn serve(
        mut self,
        first: u32,
        mut orders: mpsc::Receiver<Order>,
        mut news: mpsc::Receiver<(u32, News)>,
        say: impl AsyncFn(News),
    ) {
        while !self.joint.has_ended() {
            let reaction = tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.joint.ordered(order),
                    // Dropping the senders of orders ends the threads.
                    None => return,
                },
                Some((index, news)) = news.recv() => {
                    self.joint.heard((index - first) as usize, news)
                }
            };
            match reaction {
                Some(Reaction::Say(news)) => {
                    if self.joint.has_ended() {
                        // They have reported that: only their runtimes are left to drop.
                        for handle in self.handles.drain(..) {
                            let _ = handle.join();
                        }
                    }
                    say(news).await;
                }
                Some(Reaction::Order(index, order)) => self.order(index, order),
                Some(Reaction::OrderAll(order)) => {
                    (0..self.orders.len()).for_each(|index| self.order(index, order.clone()));
                }
                None => {}
            }
        }
    }

    /// Gives an order; a thread that has ended needs none.
    fn order(&self, index: usize, order: Order) {
        let _ = self.orders[index].try_send(order);
    }
}

/// What follows from an order or from news.
#[derive(Debug)]
enum Reaction {
    Say(News),
    Order(usize, Order),
    OrderAll(Order),
}

/// Combines several load threads into one member.
#[derive(Debug)]
struct Joint {
    /// By thread: its last report.
    levels: Vec<Levels>,
    ready: usize,
    /// Of what they make generations, and how many have theirs.
    preparing: Option<(Preparation, usize)>,
    adopted: usize,
    /// How many have carried out the last assignment, and its number.
    assigned: (u16, usize),
    ended: usize,
    cut: u64,
}

impl Joint {
    fn new(threads: usize) -> Joint {
        Joint {
            levels: vec![Levels::default(); threads],
            ready: 0,
            preparing: None,
            adopted: 0,
            assigned: (0, 0),
            ended: 0,
            cut: 0,
        }
    }

    fn has_ended(&self) -> bool {
        self.ended == self.levels.len()
    }

    fn ordered(&mut self, order: Order) -> Option<Reaction> {
        match &order {
            // One thread after the other, for each is busy while it compiles.
            Order::Prepare(preparation) => {
                self.preparing = Some((preparation.clone(), 0));
                return self.prepare_next();
            }
            Order::Discard => self.preparing = None,
            Order::CatchUp(..) => self.ready = 0,
            Order::Assign { assignment, .. } => self.assigned = (assignment.number, 0),
            Order::Adopt(_) => self.adopted = 0,
            Order::Start(_)
            | Order::Pause
            | Order::Resume { .. }
            | Order::Follow(_)
            | Order::Stop { .. } => {}
        }
        Some(Reaction::OrderAll(order))
    }

    fn prepare_next(&self) -> Option<Reaction> {
        let (preparation, made) = self.preparing.as_ref()?;
        let order = Order::Prepare(preparation.clone());
        Some(Reaction::Order(*made, order))
    }

    fn heard(&mut self, thread: usize, news: News) -> Option<Reaction> {
        let threads = self.levels.len();
        match news {
            News::Ready => {
                self.ready += 1;
                (self.ready == threads).then_some(Reaction::Say(News::Ready))
            }
            News::Prepared { ticket, result } => {
                let (preparation, made) = self.preparing.as_mut()?;
                if preparation.ticket != ticket {
                    // It began before the edition was discarded.
                    return None;
                }
                *made += 1;
                if result.is_ok() && *made < threads {
                    return self.prepare_next();
                }
                self.preparing = None;
                Some(Reaction::Say(News::Prepared { ticket, result }))
            }
            News::Adopted(levels) => {
                self.levels[thread] = levels;
                self.adopted += 1;
                let all = self.levels();
                (self.adopted == threads).then_some(Reaction::Say(News::Adopted(all)))
            }
            News::Assigned(number, levels) => {
                self.levels[thread] = levels.between();
                let (last, assigned) = &mut self.assigned;
                *assigned += usize::from(number == *last);
                let is_done = number == *last && *assigned == threads;
                is_done.then(|| Reaction::Say(News::Assigned(number, self.levels())))
            }
            News::Levels(levels) => {
                self.levels[thread] = levels;
                Some(Reaction::Say(News::Levels(self.levels())))
            }
            News::Ended { cut } => {
                self.ended += 1;
                self.cut += cut;
                let cut = self.cut;
                self.has_ended()
                    .then_some(Reaction::Say(News::Ended { cut }))
            }
            other
            @ (News::Failed(_) | News::StopTest(_) | News::ExitCode(_) | News::Overflowed) => {
                Some(Reaction::Say(other))
            }
        }
    }

    fn levels(&self) -> Levels {
        self.levels.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reaction: Option<Reaction>) -> Option<News> {
        match reaction {
            Some(Reaction::Say(news)) => Some(news),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn they_are_ready_and_have_ended_when_all_are() {
        let mut two = Joint::new(2);
        assert!(said(two.heard(1, News::Ready)).is_none());
        assert!(matches!(said(two.heard(0, News::Ready)), Some(News::Ready)));
        assert!(said(two.heard(0, News::Ended { cut: 3 })).is_none());
        assert!(!two.has_ended());
        let ended = said(two.heard(1, News::Ended { cut: 4 }));
        assert!(matches!(ended, Some(News::Ended { cut: 7 })));
        assert!(two.has_ended());
    }

    #[test]
    fn one_compiles_after_the_other_and_the_first_that_cannot_speaks_for_all() {
        let mut two = Joint::new(2);
        let prepare = |ticket| {
            Order::Prepare(Preparation {
                ticket,
                edition: Edition::unchecked("edited"),
                number: 2,
            })
        };
        let prepared = |ticket, result: Result<&str, Unable>| News::Prepared {
            ticket,
            result: result.map(|remark| vec![remark.to_owned()]),
        };
        let first = two.ordered(prepare(1));
        assert!(matches!(first, Some(Reaction::Order(0, _))));
        let next = two.heard(0, prepared(1, Ok("remark")));
        assert!(matches!(next, Some(Reaction::Order(1, _))));
        let all = said(two.heard(1, prepared(1, Ok("remark"))));
        assert!(matches!(
            all,
            Some(News::Prepared { ticket: 1, result: Ok(remarks) }) if remarks == ["remark"]
        ));
        two.ordered(prepare(2));
        let failed = said(two.heard(0, prepared(2, Err(Unable::Panicked))));
        assert!(matches!(
            failed,
            Some(News::Prepared {
                result: Err(Unable::Panicked),
                ..
            })
        ));
        // A thread that was at work on what is discarded says so late.
        two.ordered(prepare(3));
        two.ordered(Order::Discard);
        assert!(said(two.heard(0, prepared(3, Ok("late")))).is_none());
        two.ordered(prepare(4));
        assert!(said(two.heard(0, prepared(3, Ok("later")))).is_none());
    }

    #[test]
    fn counts_add_up_and_a_stage_is_reached_when_all_have() {
        let mut two = Joint::new(2);
        let one = Levels {
            users: 3,
            peak: 4,
            behind: 1,
            stage: Some(1),
            is_idle: false,
        };
        let Some(News::Levels(levels)) = said(two.heard(0, News::Levels(one))) else {
            panic!("levels are passed on");
        };
        assert_eq!((levels.users, levels.peak, levels.behind), (3, 4, 1));
        assert_eq!(levels.stage, None);
        let Some(News::Levels(levels)) = said(two.heard(1, News::Levels(one))) else {
            panic!("levels are passed on");
        };
        assert_eq!((levels.users, levels.peak, levels.behind), (6, 8, 2));
        assert_eq!(levels.stage, Some(1));
        let adopted = Levels { behind: 5, ..one };
        assert!(said(two.heard(0, News::Adopted(adopted))).is_none());
        let all = said(two.heard(1, News::Adopted(one)));
        assert!(matches!(all, Some(News::Adopted(levels)) if levels.behind == 6));
    }
}
