//! `katydid debug`: one user of a script for an iteration or a few, everything it does shown.
//!
//! Owns the run of one user. It is an ordinary run on one load thread, so
//! that a script behaves as it will under load; what is seen is shown by `screen`.

mod screen;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

pub(super) use self::screen::{Paint, Screen, View};
use super::check::{Checked, Given};
use super::run::{self, Started};
use super::{Exit, arguments, check, limits, resolve, select, show};
use crate::load::{Division, Plan, Stage};
use crate::runner::{Edition, End, Handle, Notice, Options, Setup, State};
use crate::scenario::Scenario;
use crate::script::diagnostic::Colours;
use crate::script::{Event, Level, Onlooker};
use crate::units::Rate;

/// Carries out `katydid debug`.
pub(super) fn debug(arguments: &arguments::Debug) -> Exit {
    let given = Given::new(&arguments.shown.params, arguments.shown.seed);
    match check::read(&arguments.script, &given) {
        Ok(checked) => watched(arguments, checked),
        Err(message) => {
            show::error(&message, Some("name a script: `katydid debug FILE`"));
            Exit::Usage
        }
    }
}

/// Runs one user of a script that has been checked, and shows what it does.
fn watched(arguments: &arguments::Debug, checked: Checked) -> Exit {
    if !checked.findings.is_empty() {
        show::findings(&checked.shown, &checked.findings);
    }
    let Some(declared) = checked.scenario else {
        return Exit::Usage;
    };
    let name = arguments.class.as_deref();
    let (scenario, class) = match select::select_one(&arguments.changes, name, &declared) {
        Ok(selected) => selected,
        Err(wrong) => {
            show::error(&wrong.message, wrong.hint.as_deref());
            return Exit::Usage;
        }
    };
    let bases = match resolve::bases(arguments.shown.host.as_deref(), &scenario) {
        Ok(bases) => bases,
        Err(message) => {
            show::error(&message, None);
            return Exit::Usage;
        }
    };
    if bases[class].is_none() {
        show::log(Level::Warn, &show::no_host(&scenario.classes[class].name));
    }
    let screen = Screen::new(view(arguments.shown.body), checked.shown);
    let told = Arc::new(Mutex::new(screen));
    let onlooker = {
        let told = told.clone();
        Onlooker::new(arguments.shown.body, move |event| tell(&told, &event))
    };
    for line in checked.said {
        tell(&told, &Event::Said(line));
    }
    let environment = Arc::new(checked.inputs.environment.clone());
    let setup = Setup {
        edition: Arc::new(Edition {
            bundle: checked.bundle,
            inputs: checked.inputs,
            options: options(&scenario, class, 1, Some(arguments.iterations)),
            declared,
            scenario,
            bases,
        }),
        environment,
        onlooker: Some(onlooker),
    };
    run::on_control_thread(attend(setup, &told))
}

/// So many users of one class, at once, until the iterations are used up, if there is a limit.
pub(super) fn options(
    scenario: &Scenario,
    class: usize,
    users: u32,
    iterations: Option<u64>,
) -> Options {
    let division = Division::PerClass(scenario.classes.len());
    let mut of_class = vec![0; scenario.classes.len()];
    of_class[class] = users;
    let stage = Stage {
        length: Duration::MAX,
        users: of_class,
        // The first at once, and as many others as anybody looks at within a moment.
        rate: Rate::from_per_sec(1_000.0).ok(),
    };
    let script = &scenario.options;
    Options {
        plan: Arc::new(Plan::idle(division).turned(Duration::ZERO, division, &stage)),
        iterations,
        stop_timeout: script.stop_timeout.unwrap_or_default(),
        on_stop_timeout: script.on_stop_timeout.unwrap_or(Duration::from_secs(5)),
        threads: 1,
    }
}

/// How it is shown: a terminal has a width and colours, a pipe neither.
pub(super) fn view(body: usize) -> View {
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() {
        let size = rustix::termios::tcgetwinsize(&stdout);
        size.ok().map(|size| usize::from(size.ws_col))
    } else {
        None
    };
    let colours = match anstream::AutoStream::choice(&stdout) {
        anstream::ColorChoice::Never => Colours::Plain,
        _ => Colours::Ansi,
    };
    View {
        width,
        colours,
        body,
    }
}

/// Shows an event. Whoever looks on is on another thread, but it is one at a time.
fn tell(screen: &Mutex<Screen>, event: &Event) {
    let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
    let text = screen.text(event);
    let mut stdout = std::io::stdout().lock();
    // There is nowhere to tell that stdout is gone.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Starts the run and stays with it until its end.
async fn attend(setup: Setup, screen: &Mutex<Screen>) -> Exit {
    let Started {
        handle,
        shared,
        mut notices,
        mut interrupts,
    } = match run::start(setup).await {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let (end, killed) = until_ended(&handle, &mut notices, &mut interrupts, screen).await;
    let summary = handle.summary().borrow().clone();
    let appended = run::finish_appends(&shared);
    match (&end, shared.exit_code()) {
        _ if killed => return Exit::Killed,
        (End::Failed(message), _) => {
            show::error(message, None);
            return Exit::Incomplete;
        }
        (End::StopTest(_), _) => show::stopping(&end),
        _ => {}
    }
    match shared.exit_code() {
        _ if !appended => Exit::Incomplete,
        Some(code) => Exit::Script(code),
        None if summary.total.failures > 0 || !summary.exceptions.is_empty() => Exit::Failures(1),
        None => Exit::Ok,
    }
}

/// Waits for the end of the run; true if it was ended by a second Ctrl-C.
async fn until_ended(
    handle: &Handle,
    notices: &mut mpsc::Receiver<Notice>,
    interrupts: &mut limits::Interrupts,
    screen: &Mutex<Screen>,
) -> (End, bool) {
    let mut state = handle.state();
    let mut interrupted = 0;
    let said = |notice: Notice| {
        if let Notice::Script(line) = notice {
            tell(screen, &Event::Said(line));
        }
    };
    loop {
        let now = state.borrow_and_update().clone();
        if let State::Ended(end) = now {
            while let Ok(notice) = notices.try_recv() {
                said(notice);
            }
            return (end, interrupted > 1);
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() {
                return (End::Failed("the run ended without a result".to_owned()), false);
            },
            Some(notice) = notices.recv() => said(notice),
            () = interrupts.next() => {
                interrupted += 1;
                if interrupted == 1 {
                    show::log(Level::Info, "interrupted: stopping (again to end at once)");
                    handle.stop();
                } else {
                    handle.kill();
                }
            }
        }
    }
}
