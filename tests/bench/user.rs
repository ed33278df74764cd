//! What a user costs: calling a task of its script, one request, and starting 10,000 of them.
//!
//! Twins to compare with: an empty task is the price of the script and its coroutine alone, the
//! request beside it (same session code, no script) the price of HTTP; `make bench` has both
//! together, against the peers.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use katydid::clock::{self, Timers};
use katydid::coroutine::{Coroutine, Label, Stacks};
use katydid::http::{self, Session};
use katydid::load::Plan;
use katydid::runner::{self, Edition, Options, Setup, State};
use katydid::scenario::Function;
use katydid::script::{
    Bundle, Generation, Inputs, Instance, Program, RunClock, Shared, Thread, ThreadParts,
};
use katydid::stats::{Limits, Outbox, Recorder};
use katydid::target::{self, Target};
use katydid::units::Rate;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;

const EMPTY: &str = "user(\"A\", #{ state: #{ n: 0 }, t: task(|| { this.n += 1; }) });";
const WAITING: &str = "user(\"A\", #{ wait_time: 1000, t: task(|| { this.client; }) });";

fn runtime() -> LocalRuntime {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_all()
        .build_local(LocalOptions::default())
        .expect("a runtime can be had")
}

fn timers() -> Timers {
    let timers = Timers::new().expect("a timer can be had");
    tokio::task::spawn_local(timers.clone().run());
    timers
}

/// A task that only counts: the script, its call state and its coroutine.
fn task(criterion: &mut Criterion) {
    runtime().block_on(async {
        let bundle = Bundle::from_text("empty.rhai", EMPTY);
        let program = Program::compile(&bundle, &Inputs::default()).expect("the script is right");
        let program = Rc::new(program);
        let timers = timers();
        let (full, _batches) = mpsc::channel(1);
        let (_spares, spare) = mpsc::channel(1);
        let (log, _lines) = mpsc::channel(1);
        let plans = program.scenario().classes.iter().cloned().map(Rc::new);
        let plans = plans.collect();
        let generation = Generation::new(1, program.clone(), plans, vec![None], &timers, None);
        let parts = ThreadParts {
            timers,
            clock: Cell::new(RunClock {
                epoch: clock::now(),
                epoch_unix_us: 0,
            }),
            seed: 1,
            outbox: Outbox::new(Recorder::new(0, Limits::default()), full, spare),
            shared: Arc::new(Shared::default()),
        };
        let generation = generation.expect("nothing is read");
        let thread = Rc::new(Thread::new(parts, generation, log, None));
        let stacks = Stacks::new(1);
        let mut instance = Some(Instance::new(&program.classes()[0], &thread, 0));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        criterion.bench_function("call a task", |bencher| {
            bencher.iter(|| {
                let mut user = instance.take().expect("the last call gave it back");
                let stack = stacks.take().expect("a stack can be had");
                let mut call = Coroutine::new(stack, Label::default(), move || {
                    let result = user.call(Function::Task(0));
                    (user, result.is_ok())
                });
                let poll = std::future::Future::poll(std::pin::Pin::new(&mut call), &mut cx);
                let std::task::Poll::Ready((user, is_ok)) = poll else {
                    unreachable!()
                };
                assert!(is_ok);
                instance = Some(user);
            });
        });
    });
}

/// One keep-alive request without a script, client and server sharing the machine.
fn request(criterion: &mut Criterion) {
    let options = target::Options {
        address: ([127, 0, 0, 1], 0).into(),
        ..Default::default()
    };
    let target = Target::start(options).expect("a free port can be had");
    let host = format!("http://{}", target.address());
    let runtime = runtime();
    let session = runtime.block_on(async {
        let client = http::Client::new(http::Options::default(), timers());
        Session::new(&client.expect("nothing is read"))
    });
    let url = http::Base::parse(&host)
        .and_then(|base| base.url("/hello", &[]))
        .expect("the target has an address");
    criterion.bench_function("one request", |bencher| {
        bencher.iter(|| {
            let request = http::Request::new(hyper::Method::GET, url.clone());
            let exchange = runtime.block_on(session.send(request));
            assert!(black_box(exchange).result.is_ok());
        });
    });
    target.stop();
}

/// From the start of a run to 10,000 users waiting, on one load thread.
fn start(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("users");
    group.sample_size(10);
    group.bench_function("start 10,000", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| started(10_000)).sum());
    });
    group.finish();
}

fn started(users: u32) -> Duration {
    let bundle = Bundle::from_text("waiting.rhai", WAITING);
    let inputs = Inputs::default();
    let program = Program::compile(&bundle, &inputs).expect("the script is right");
    let edition = Edition {
        declared: program.scenario().clone(),
        scenario: program.scenario().clone(),
        bundle,
        inputs,
        bases: vec![None],
        options: Options {
            plan: Arc::new(Plan::closed(
                users,
                Rate::from_per_sec(1e9).expect("that is a rate"),
                None,
            )),
            iterations: None,
            stop_timeout: Duration::ZERO,
            on_stop_timeout: Duration::ZERO,
        },
    };
    let setup = Setup {
        threads: 1,
        edition: Arc::new(edition),
        observer: None,
    };
    runtime().block_on(async {
        let begun = Instant::now();
        let handle = runner::start(Arc::new(setup))
            .await
            .expect("the run can begin");
        let mut state = handle.state();
        let running = |state: &State| *state == State::Running;
        state.wait_for(running).await.expect("the run tells");
        let taken = begun.elapsed();
        handle.stop();
        let ended = |state: &State| matches!(state, State::Ended(_));
        state.wait_for(ended).await.expect("the run tells");
        assert_eq!(handle.summary().borrow().users.peak, u64::from(users));
        taken
    })
}

criterion_group!(benches, task, request, start);
criterion_main!(benches);
