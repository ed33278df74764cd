//! A master at work, as the control thread sees it.
//!
//! Owns starting runs on workers, and waiting for what is missing at the end. The run itself stays on
//! the control thread; its workers are reached through a thread of its own (`serving`), so that
//! neither a script nor a summary delays a beat.

mod run;
mod serving;
mod telling;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use crate::runner::elsewhere::{Gate, Joined, SentEditions};
use crate::runner::{self, Edition, Handle, Setup, State, Unable};

/// How long what was said to a connection may take to leave before it is shut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long workers get for their last numbers, once their users have had their limits.
const LAST_NUMBERS: Duration = Duration::from_secs(8);

/// What a master needs to know.
#[derive(Clone, Debug)]
pub struct MasterOptions {
    /// Where workers come to.
    pub bind: SocketAddr,
    /// What they have to know; empty for nothing.
    pub token: Box<[u8]>,
    /// How many a run waits for.
    pub expect: u32,
}

/// The thread of a master, from outside.
#[derive(Clone, Debug)]
pub struct MasterThread {
    asks: mpsc::Sender<Request>,
    address: SocketAddr,
    expect: u32,
}

/// What is asked of it.
enum Request {
    /// So many workers, with their numbers of load threads, once they are there.
    Workers(u32, oneshot::Sender<Vec<(u32, u32)>>),
    /// A run with those workers.
    Run(Box<Running>, Vec<(u32, Joined)>),
    /// The run is stopping, and nothing is waited for after this long.
    End(Duration),
    /// What is missing, told once nothing more will come.
    Over(oneshot::Sender<Vec<(u32, u64)>>),
}

/// A run, as its master's thread sees it.
struct Running {
    gate: Gate,
    sent: Arc<SentEditions>,
    iterations: Option<u64>,
    users: u32,
}

impl MasterThread {
    /// Listens for workers, on a thread of its own.
    ///
    /// # Errors
    /// When the address is taken, or there is no thread to be had.
    pub fn listen(options: MasterOptions) -> io::Result<MasterThread> {
        let listener = std::net::TcpListener::bind(options.bind)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (asks, asked) = mpsc::channel(64);
        let expect = options.expect;
        let thread = std::thread::Builder::new().name("cluster".to_owned());
        thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            // Without a runtime nobody is answered, and the run does not begin.
            if let Ok(runtime) = runtime {
                runtime.block_on(serving::serve(listener, options, asked));
            }
        })?;
        Ok(MasterThread {
            asks,
            address,
            expect,
        })
    }

    /// Where workers come to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the workers that a run begins with, and starts it on them.
    ///
    /// # Errors
    /// When the run cannot begin.
    pub async fn start(&self, setup: Arc<Setup>) -> Result<Handle, Unable> {
        if let Some(what) = unshared(&setup.edition) {
            return Err(Unable::Script(format!(
                "{what} exists once for a whole run, and workers cannot share it yet: without \
                 `--master` the script runs on this machine"
            )));
        }
        let gone = || Unable::System("the thread for workers has ended".to_owned());
        let (answer, workers) = oneshot::channel();
        let ask = Request::Workers(self.expect, answer);
        self.asks.send(ask).await.map_err(|_| gone())?;
        let workers = workers.await.map_err(|_| {
            let left = "the workers of this master have left with its last run: start it again";
            Unable::System(left.to_owned())
        })?;
        let options = setup.edition.options.clone();
        let threads: Vec<u32> = workers.iter().map(|(_, threads)| *threads).collect();
        let (opening, joined) = runner::open(setup, &threads)?;
        let running = Running {
            gate: opening.gate(),
            sent: Arc::default(),
            iterations: options.iterations,
            users: options.plan.peak_users(),
        };
        let workers = workers.iter().map(|(worker, _)| *worker);
        let run = Request::Run(Box::new(running), workers.zip(joined).collect());
        self.asks.send(run).await.map_err(|_| gone())?;
        let mut ends = Ends {
            asks: self.asks.clone(),
            limit: Duration::ZERO,
        };
        // If it does not begin, or nobody waits for that any longer, its workers may go.
        let handle = opening.begin().await?;
        let mut state = handle.state();
        ends.limit = options.stop_timeout + options.on_stop_timeout + LAST_NUMBERS;
        spawn_local(async move {
            let stops = |state: &State| matches!(state, State::Stopping(_) | State::Ended(_));
            // A run that is dropped has stopped as well.
            let _ = state.wait_for(stops).await;
            drop(ends);
        });
        Ok(handle)
    }

    /// Waits until all that workers measured is counted, or is not waited for any longer. Then they
    /// know that the run is over. Returns workers that were lost, and how many requests of each are
    /// in no figure, at most.
    pub async fn over(&self) -> Vec<(u32, u64)> {
        let (answer, over) = oneshot::channel();
        match self.asks.send(Request::Over(answer)).await {
            Ok(()) => over.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}

/// Tells the thread, when it is dropped, that its run ends.
struct Ends {
    asks: mpsc::Sender<Request>,
    /// How long workers get for that.
    limit: Duration,
}

impl Drop for Ends {
    fn drop(&mut self) {
        // It asks little: there is room.
        let _ = self.asks.try_send(Request::End(self.limit));
    }
}

/// What a script uses of what exists once for a whole run, if anything.
fn unshared(edition: &Edition) -> Option<&'static str> {
    if edition.inputs.sources.are_declared() {
        return Some("a count of rows");
    }
    let calls = |name: &str| {
        let files = edition.bundle.files().iter();
        let mut texts = files.map(|file| &*file.text);
        texts.any(|text| {
            let mut found = text.match_indices(name);
            found.any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let after = text[at + name.len()..].trim_start();
                let is_word =
                    before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
                !is_word && after.starts_with('(')
            })
        })
    };
    ["queue", "once", "wait_for", "append"]
        .into_iter()
        .find(|name| calls(name))
}
