//! A master at work, as the control thread sees it.
//!
//! Owns starting runs on workers, and waiting for what is missing at the end. The run itself stays on
//! the control thread; its workers are reached through a thread of its own (`serving`), so that
//! neither a script nor a summary delays a beat.

mod account;
mod going_on;
mod over;
mod people;
mod run;
mod serving;
mod sharing;
mod state;
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
use super::state_file::StateFile;
use crate::health::Health;
use crate::runner::elsewhere::{Gate, Going, Joined, SentEdition, SentEditions, values_sent};
use crate::runner::{self, Edition, Handle, Options, Setup, State, Unable};
use crate::script::{Level, Shared};
use sharing::Written;

/// How long what was said to a connection may take to leave before it is shut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long workers get for their last numbers, once their users have had their limits.
const LAST_NUMBERS: Duration = Duration::from_secs(8);

/// What a master says that hears of a later one.
const DEPOSED: &str = "a worker knows a later master: this one is not wanted any longer";

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
    /// How long a silent worker keeps its users.
    pub moves: Duration,
    /// Where what it knows is kept for one that is started again, if anywhere.
    pub state: Option<StateFile>,
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
    /// It knows what the last master knew.
    has_memory: bool,
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
    /// So many workers for a run, once they are there; or the run of an earlier master.
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
    /// Answered once workers of an earlier master have come, whose run goes on.
    Going(oneshot::Sender<()>),
    /// Nothing is waited for any longer.
    Hurry,
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
    /// Gets them; or how many there were in time.
    answer: oneshot::Sender<Result<Found, usize>>,
}

/// Whom a run begins with.
#[derive(Debug)]
enum Found {
    /// Workers without users: their numbers, and those of their load threads.
    Free(Vec<(u32, u32)>),
    /// The run of an earlier master goes on.
    Going(Box<Going>),
    /// This master is not wanted any longer.
    Deposed,
}

/// A run, as its master's thread sees it.
struct Running {
    gate: Gate,
    sent: Arc<SentEditions>,
    /// The edition of a run that was taken over, which no order brings along.
    edition: Option<Arc<SentEdition>>,
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
        let has_memory = options.state.as_ref().is_some_and(StateFile::has_run);
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
            has_memory,
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
        let (answer, workers) = oneshot::channel();
        let wanted = WantedWorkers {
            count: self.expect,
            until: patience.and_then(|patience| Instant::now().checked_add(patience)),
            answer,
        };
        let ask = Request::Workers(wanted);
        self.asks.send(ask).await.map_err(|_| gone())?;
        let workers = workers.await.map_err(|_| gone())?;
        match workers.map_err(|there| self.too_few(there, patience))? {
            Found::Free(workers) => self.begin(setup, workers).await,
            Found::Going(going) => self.go_on(setup, *going).await,
            Found::Deposed => Err(Unable::System(DEPOSED.to_owned())),
        }
    }

    async fn begin(&self, setup: Arc<Setup>, workers: Vec<(u32, u32)>) -> Result<Handle, Unable> {
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
            edition: None,
            shared,
            askers,
            writes,
            has_ended: false,
            iterations: options.iterations,
            users: options.plan.peak_users(),
        };
        let workers = workers.iter().map(|(worker, _)| *worker);
        let joined = workers.zip(joined).collect();
        let ends = self.run(running, written, joined).await?;
        // If it does not begin, or nobody waits for that any longer, its workers may go.
        let handle = opening.begin().await?;
        ends.with(&handle, &options);
        Ok(handle)
    }

    /// Takes over the run of an earlier master.
    async fn go_on(&self, setup: Arc<Setup>, going: Going) -> Result<Handle, Unable> {
        let edition = &setup.edition;
        let options = edition.options.clone();
        let askers = Askers::new();
        let asker = Arc::new(askers.asker());
        let shared = Arc::new(Shared::of_master(asker.clone()));
        edition.inputs.sources.go_on_as(&going.counted);
        let sent = SentEditions::asking(asker);
        let known = sent.edition(edition).await;
        let known = known.map_err(|why| Unable::Script(why.to_string()))?;
        if let Some(text) = going_on::forgotten_of(edition).filter(|_| !self.has_memory) {
            let _ = self.says.try_send((Level::Warn, text));
        }
        let (handle, gate) = runner::go_on(setup, &going, shared.clone())?;
        let (writes, written) = mpsc::unbounded_channel();
        let running = Running {
            gate,
            sent: Arc::new(sent),
            edition: Some(known),
            shared,
            askers,
            writes,
            has_ended: false,
            iterations: options.iterations,
            users: going.plan.peak_users(),
        };
        let ends = self.run(running, written, Vec::new()).await?;
        ends.with(&handle, &options);
        Ok(handle)
    }

    /// Tells the thread of a run.
    async fn run(
        &self,
        running: Running,
        written: mpsc::UnboundedReceiver<Written>,
        joined: Vec<(u32, Joined)>,
    ) -> Result<Ends, Unable> {
        let run = Request::Run(Box::new(running), written, joined);
        self.asks.send(run).await.map_err(|_| gone())?;
        Ok(Ends {
            stops: Stops {
                asks: self.asks.clone(),
                limit: Duration::ZERO,
            },
            ended: HasEnded(self.asks.clone()),
        })
    }

    /// Waits until workers of an earlier master have come, whose run goes on: the next one that is
    /// started here is that. Waits for ever if there are none.
    pub async fn finds_a_run(&self) {
        let (answer, found) = oneshot::channel();
        let asked = self.asks.send(Request::Going(answer)).await;
        if asked.is_err() || found.await.is_err() {
            std::future::pending().await
        }
    }

    /// Nothing is waited for any longer: what is missing is named as it stands.
    pub async fn hurry(&self) {
        let _ = self.asks.send(Request::Hurry).await;
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

/// Tells the thread, when it is dropped, that its run stops.
struct Stops {
    asks: mpsc::Sender<Request>,
    /// How long workers get for that.
    limit: Duration,
}

impl Drop for Stops {
    fn drop(&mut self) {
        // It asks little: there is room.
        let _ = self.asks.try_send(Request::End(self.limit));
    }
}

/// Tells the thread of a run that it stops, and then that it has ended.
struct Ends {
    stops: Stops,
    ended: HasEnded,
}

impl Ends {
    /// Once that run does.
    fn with(self, handle: &Handle, options: &Options) {
        let mut state = handle.state();
        let Ends { mut stops, ended } = self;
        stops.limit = options.stop_timeout + options.on_stop_timeout + LAST_NUMBERS;
        spawn_local(async move {
            let is_stopping = |state: &State| matches!(state, State::Stopping(_) | State::Ended(_));
            // A run that is dropped has stopped as well.
            let _ = state.wait_for(is_stopping).await;
            drop(stops);
            let has_ended = |state: &State| matches!(state, State::Ended(_));
            let _ = state.wait_for(has_ended).await;
            drop(ended);
        });
    }
}

fn gone() -> Unable {
    Unable::System("the thread for workers has ended".to_owned())
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
