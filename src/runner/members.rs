//! The load threads, as the run's loop sees them.
//!
//! Owns starting them and the ways of orders and emptied batches to them. What they do is
//! `load_thread`'s.

use tokio::sync::mpsc;

use super::load_thread::{self, Config, News, Order};
use crate::stats::Batch;

/// Stack of a load thread: a script's top level is parsed and evaluated on it, and what users keep
/// is dropped there. As with the users' stacks, what is not touched costs addresses only.
const THREAD_STACK: usize = 64 << 20;

/// Orders under way to a thread. A run gives a few a second, so with a full queue a script has held
/// the thread for long, and the run ends by that.
const ORDERS: usize = 256;

/// A load thread.
pub(super) struct Member {
    orders: mpsc::Sender<Order>,
    spare: mpsc::Sender<Batch>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Member {
    /// Starts load thread `index` with what `config` makes of its end of the orders; emptied
    /// batches go back by `spare`.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub(super) fn start(
        index: u32,
        spare: mpsc::Sender<Batch>,
        config: impl FnOnce(mpsc::Receiver<Order>) -> Config,
    ) -> Result<Member, String> {
        let (orders, orders_out) = mpsc::channel(ORDERS);
        let config = config(orders_out);
        let thread = std::thread::Builder::new()
            .name(format!("load-{index}"))
            .stack_size(THREAD_STACK)
            .spawn(move || load_thread::run(config))
            .map_err(|error| format!("cannot start load thread {index}: {error}"))?;
        Ok(Member {
            orders,
            spare,
            thread: Some(thread),
        })
    }

    /// Gives an order; a thread that has ended needs none.
    pub(super) fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }

    /// Gives back an emptied batch; without room it is simply dropped.
    pub(super) fn give_back(&self, spare: Batch) {
        let _ = self.spare.try_send(spare);
    }

    /// Waits for the thread's end.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until so many threads are ready to begin.
///
/// # Errors
/// Why one of them is not.
pub(super) async fn all_ready(news: &mut mpsc::Receiver<News>, count: usize) -> Result<(), String> {
    for _ in 0..count {
        match news.recv().await {
            Some(News::Ready) => {}
            Some(News::Failed(message)) => return Err(message),
            _ => return Err("a load thread ended before it began".to_owned()),
        }
    }
    Ok(())
}
