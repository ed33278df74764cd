//! A master at work, as the control thread sees it.
//!
//! Owns starting runs on workers, and waiting for what is missing at the end. The run itself stays on
//! the control thread; its workers are reached through a thread of its own (`serving`), so that
//! neither a script nor a summary delays a beat.

mod over;
mod people;
mod run;
mod serving;
mod sharing;
mod telling;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::asking::Askers;
use crate::health::Health;
use crate::runner::elsewhere::{Gate, Joined, SentEditions, values_sent};
use crate::runner::{self, Edition, Handle, Setup, State, Unable};
use crate::script::{Level, Shared};
use sharing::Written;

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
    /// Whether there may be another run after one. Then workers stay.
    pub goes_on: bool,
    /// Where it is noted that the thread moves, and that workers may come.
    pub health: Health,
    /// How connections are encrypted, if they are.
    pub tls: Option<Arc<ServerConfig>>,
    /// For the log, while no run is there to say it. What finds no room is left out: nothing waits
    /// for a terminal.
    pub says: SyncSender<(Level, String)>,
}

/// The thread of a master, from outside.
#[derive(Clone, Debug)]
pub struct MasterThread {
    asks: mpsc::Sender<Request>,
    address: SocketAddr,
    expect: u32,
    says: SyncSender<(Level, String)>,
    /// Whether what is sent over networks can be read there, and nobody was told yet.
    is_readable: Arc<AtomicBool>,
}

/// Workers that were lost.
type Lost = Vec<Loss>;

/// A worker that was lost.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What people call it.
    pub worker: String,
    /// So many requests of it are in no figure, at most.
    pub requests: u64,
}

/// What is asked of it.
enum Request {
    /// So many workers, once they are there.
    Workers(WantedWorkers),
    /// Workers that were given, and are in no run.
    Back(Vec<(u32, u32)>),
    /// A run with those workers.
    Run(
        Box<Running>,
        mpsc::UnboundedReceiver<Written>,
        Vec<(u32, Joined)>,
    ),
    /// The run is stopping, and nothing is waited for after this long.
    End(Duration),
    /// It has ended, and its own functions ask nothing more.
    Ended,
    /// No other run follows: what is missing of the last one, told once nothing more will come.
    Over(oneshot::Sender<Lost>),
}

/// Workers that a run is to begin with.
struct WantedWorkers {
    /// How many.
    count: u32,
    /// Until when they are waited for; `None` for ever.
    until: Option<Instant>,
    /// Gets their numbers and those of their load threads; or how many there were in time.
    answer: oneshot::Sender<Result<Vec<(u32, u32)>, usize>>,
}

/// A run, as its master's thread sees it.
struct Running {
    gate: Gate,
    sent: Arc<SentEditions>,
    /// What exists once for it, as its own functions see it, and what these ask.
    shared: Arc<Shared>,
    askers: Askers,
    /// The way to its files.
    writes: mpsc::UnboundedSender<Written>,
    /// Its own functions have ended too.
    has_ended: bool,
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
        let (expect, says) = (options.expect, options.says.clone());
        let is_readable = options.tls.is_none() && !address.ip().is_loopback();
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
            says,
            is_readable: Arc::new(AtomicBool::new(is_readable)),
        })
    }

    /// Where workers come to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the workers that a run begins with, for `patience` at most if that is given, and
    /// starts it on them.
    ///
    /// # Errors
    /// When they do not come, or the run cannot begin.
    pub async fn start(
        &self,
        setup: Arc<Setup>,
        patience: Option<Duration>,
    ) -> Result<Handle, Unable> {
        if self.is_readable.swap(false, Ordering::Relaxed) {
            let text = in_the_clear(&setup.edition);
            let _ = self.says.try_send((Level::Warn, text));
        }
        let gone = || Unable::System("the thread for workers has ended".to_owned());
        let (answer, workers) = oneshot::channel();
        let wanted = WantedWorkers {
            count: self.expect,
            until: patience.and_then(|patience| Instant::now().checked_add(patience)),
            answer,
        };
        let ask = Request::Workers(wanted);
        self.asks.send(ask).await.map_err(|_| gone())?;
        let workers = workers.await.map_err(|_| gone())?;
        let workers = workers.map_err(|there| self.too_few(there, patience))?;
        let options = setup.edition.options.clone();
        let threads: Vec<u32> = workers.iter().map(|(_, threads)| *threads).collect();
        let askers = Askers::new();
        let asker = Arc::new(askers.asker());
        let shared = Arc::new(Shared::of_master(asker.clone()));
        let opened = runner::open(setup, &threads, shared.clone());
        if opened.is_err() {
            // They are still there for another try.
            let back = Request::Back(workers.clone());
            self.asks.send(back).await.map_err(|_| gone())?;
        }
        let (opening, joined) = opened?;
        let (writes, written) = mpsc::unbounded_channel();
        let running = Running {
            gate: opening.gate(),
            sent: Arc::new(SentEditions::asking(asker)),
            shared,
            askers,
            writes,
            has_ended: false,
            iterations: options.iterations,
            users: options.plan.peak_users(),
        };
        let workers = workers.iter().map(|(worker, _)| *worker);
        let workers = workers.zip(joined).collect();
        let run = Request::Run(Box::new(running), written, workers);
        self.asks.send(run).await.map_err(|_| gone())?;
        let mut ends = Ends {
            asks: self.asks.clone(),
            limit: Duration::ZERO,
        };
        let ended = HasEnded(self.asks.clone());
        // If it does not begin, or nobody waits for that any longer, its workers may go.
        let handle = opening.begin().await?;
        let mut state = handle.state();
        ends.limit = options.stop_timeout + options.on_stop_timeout + LAST_NUMBERS;
        spawn_local(async move {
            let stops = |state: &State| matches!(state, State::Stopping(_) | State::Ended(_));
            // A run that is dropped has stopped as well.
            let _ = state.wait_for(stops).await;
            drop(ends);
            let has_ended = |state: &State| matches!(state, State::Ended(_));
            let _ = state.wait_for(has_ended).await;
            drop(ended);
        });
        Ok(handle)
    }

    fn too_few(&self, there: usize, patience: Option<Duration>) -> Unable {
        let (expect, port) = (self.expect, self.address.port());
        let patience = patience.unwrap_or_default();
        Unable::System(format!(
            "{there} of {expect} workers have come in {patience:?}: `katydid --worker \
             --master-host HOST --master-port {port}` starts one"
        ))
    }

    /// Waits until all that workers measured is counted, or is not waited for any longer, and they
    /// know that no other run follows. Returns what is missing of the last one.
    pub async fn over(&self) -> Lost {
        let (answer, over) = oneshot::channel();
        match self.asks.send(Request::Over(answer)).await {
            Ok(()) => over.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}

/// Tells the thread, when it is dropped, that its run has ended, or never began.
struct HasEnded(mpsc::Sender<Request>);

impl Drop for HasEnded {
    fn drop(&mut self) {
        // It asks little: there is room.
        let _ = self.0.try_send(Request::Ended);
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

/// What everybody on the way to the workers can read, and what to do about it.
fn in_the_clear(edition: &Edition) -> String {
    let values = values_sent(edition);
    let values = match &values[..] {
        [] => String::new(),
        values => format!(", with the values of `{}`", values.join("`, `")),
    };
    format!(
        "without TLS everybody on the way to the workers can read the script{values}, and take \
         over their connections: `--cluster-tls-cert` and `--cluster-tls-key` here, \
         `--cluster-ca` on the workers"
    )
}
