//! Scripts as load threads run them: compiled whole, called in coroutines, several users at once.
//!
//! Owns what these tests need of a load thread; there is no runner here and no life of a user.
//! A wait that a test needs is a script's own `sleep` or a request to the embedded target.

mod captures;
mod clients;
mod control;
mod deep_values;
mod depth;
mod imports;
mod json;
mod language;
mod limits;
mod natives;
mod places;
mod randomness;
mod renewal;
mod secrets;
mod sent;
mod shared;
mod signatures;
mod table;
mod under_way;
mod users;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rhai::Dynamic;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};

use super::{Bundle, Ended, Failure, Generation, Inputs, Instance, Line, Program, RunClock};
use super::{Thread, ThreadParts};
use crate::clock::{self, Timers};
use crate::coroutine::{Coroutine, Label, Stacks};
use crate::http;
use crate::scenario::Function;
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::stats::{Batch, Limits, Outbox, Recorder};
use crate::target::{self, Target};

/// What `run_all` gives for each user.
type Answer = Result<Dynamic, Ended>;

/// Registers what only tests call: `panics_as_a_test()`.
pub(super) fn register(engine: &mut rhai::Engine) {
    engine.register_fn("panics_as_a_test", |aside: bool| {
        let panics = || -> i64 { panic!("as the test asked for") };
        match aside {
            true => crate::coroutine::on_thread_stack(panics).unwrap_or(0),
            false => panics(),
        }
    });
}

/// A load thread without a runner.
struct World {
    program: Rc<Program>,
    thread: Rc<Thread>,
    stacks: Stacks,
    lines: RefCell<mpsc::Receiver<Line>>,
    _full: mpsc::Receiver<Batch>,
}

/// Runs `test` as a load thread runs: with its stack and its runtime.
fn on_load_thread<R: Send + 'static>(test: impl AsyncFnOnce() -> R + Send + 'static) -> R {
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let thread = thread.spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        runtime.block_on(test())
    });
    match thread.unwrap().join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// An embedded target; it stops when dropped.
fn target() -> Target {
    Target::start(target::Options {
        address: ([127, 0, 0, 1], 0).into(),
        ..target::Options::default()
    })
    .unwrap()
}

/// A bundle of files that were never on a disk; the first is the script.
fn bundle(files: &[(&str, &str)]) -> Bundle {
    Bundle::from_files(files)
}

/// Why a bundle does not load.
fn refused(files: &[(&str, &str)]) -> Vec<Diagnostic> {
    match Program::compile(&bundle(files), &Inputs::default()) {
        Ok(_) => panic!("it loads"),
        Err(problems) => problems,
    }
}

/// The messages and hints of what is wrong with one file.
fn refusal(script: &str) -> String {
    let lines = refused(&[("s.rhai", script)]);
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A class with one task of that body.
/// What the check says of it: what is said beforehand and what happens then belong together.
fn checked(bundle: &Bundle) -> Diagnostics {
    crate::check::check(bundle)
}

fn task(body: &str) -> String {
    format!("user(\"U\", #{{ t: task(|| {{ {body} }}) }});")
}

/// A generation whose classes all go to `host`.
fn generation(
    number: u16,
    program: &Rc<Program>,
    host: Option<&str>,
    timers: &Timers,
    before: Option<&Generation>,
) -> Generation {
    let classes = &program.scenario().classes;
    let plans = classes.iter().cloned().map(Rc::new).collect();
    let base = host.map(|host| http::Base::parse(host).unwrap());
    let bases = vec![base; classes.len()];
    Generation::new(number, program.clone(), plans, bases, timers, before).unwrap()
}

impl World {
    /// One file, no target.
    fn new(script: &str) -> World {
        World::of(&[("s.rhai", script)], &Inputs::default(), None)
    }

    /// One class with one task of that body.
    fn with_task(body: &str) -> World {
        World::new(&task(body))
    }

    /// One file, and where its requests go.
    fn at(target: &Target, script: &str) -> World {
        let host = format!("http://{}", target.address());
        World::of(&[("s.rhai", script)], &Inputs::default(), Some(&host))
    }

    fn of(files: &[(&str, &str)], inputs: &Inputs, host: Option<&str>) -> World {
        let program = match Program::compile(&bundle(files), inputs) {
            Ok(program) => Rc::new(program),
            Err(problems) => panic!("{}", problems[0]),
        };
        let timers = Timers::new().unwrap();
        spawn_local(timers.clone().run());
        let (full_in, full) = mpsc::channel(64);
        let (log, lines) = mpsc::channel(1_000);
        let generation = generation(1, &program, host, &timers, None);
        let recorder = Recorder::new(0, Limits::default());
        let parts = ThreadParts {
            timers,
            clock: Cell::new(RunClock {
                epoch: clock::now(),
                epoch_unix_us: inputs.now_us,
            }),
            seed: inputs.seed,
            outbox: Outbox::new(recorder, full_in, mpsc::channel(1).1),
            shared: Arc::default(),
        };
        let thread = Rc::new(Thread::new(parts, generation, log, None));
        World {
            program,
            thread,
            stacks: Stacks::new(1),
            lines: RefCell::new(lines),
            _full: full,
        }
    }

    /// Puts another script into service, whose requests go to `host`.
    fn edit(&self, script: &str, host: Option<&str>) {
        let program = match Program::compile(&bundle(&[("s.rhai", script)]), &Inputs::default()) {
            Ok(program) => Rc::new(program),
            Err(problems) => panic!("{}", problems[0]),
        };
        let before = self.thread.generation();
        let (number, timers) = (before.number() + 1, self.thread.timers());
        let generation = generation(number, &program, host, timers, Some(&before));
        self.thread.adopt(generation);
    }

    /// A user of the first class.
    fn user(&self, ordinal: u64) -> Instance {
        self.user_of(0, ordinal)
    }

    fn user_of(&self, class: usize, ordinal: u64) -> Instance {
        let generation = self.thread.generation();
        Instance::new(&generation.classes()[class], &self.thread, ordinal)
    }

    /// A call in a coroutine, not yet begun.
    fn coroutine(&self, mut user: Instance, function: Function) -> Coroutine<(Instance, Answer)> {
        Coroutine::new(self.stacks.take().unwrap(), Label::default(), move || {
            let answer = user.call(function);
            (user, answer)
        })
    }

    async fn call(&self, user: Instance, function: Function) -> (Instance, Answer) {
        self.coroutine(user, function).await
    }

    /// What the first task of a new user returns.
    async fn run(&self) -> Answer {
        self.call(self.user(0), Function::Task(0)).await.1
    }

    /// What that task returns, as text.
    async fn value(&self) -> String {
        self.run().await.expect("it returns").to_string()
    }

    /// How the first task of a new user fails.
    async fn failure(&self) -> Failure {
        match self.run().await {
            Err(Ended::Failure(failure)) => *failure,
            other => panic!("{other:?}"),
        }
    }

    /// What the first task returns to each of so many users that run at once.
    async fn run_all(self: &Rc<World>, users: u64) -> Vec<Answer> {
        let all: Vec<JoinHandle<_>> = (0..users)
            .map(|ordinal| {
                let world = self.clone();
                spawn_local(async move { world.call(world.user(ordinal), Function::Task(0)).await })
            })
            .collect();
        let mut answers = Vec::new();
        for one in all {
            answers.push(one.await.unwrap().1);
        }
        answers
    }

    /// What was printed since the last call.
    fn printed(&self) -> Vec<String> {
        let mut lines = self.lines.borrow_mut();
        std::iter::from_fn(|| lines.try_recv().ok())
            .map(|line| line.text)
            .collect()
    }
}

/// The value of a script's expression in a task.
fn evaluated(body: &str) -> String {
    let body = body.to_owned();
    on_load_thread(async move || World::with_task(&body).value().await)
}

/// How a task of that body fails.
fn failed(body: &str) -> Failure {
    let body = body.to_owned();
    on_load_thread(async move || World::with_task(&body).failure().await)
}
