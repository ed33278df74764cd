//! `katydid debug`: runs one user of a script for an iteration or a few and shows everything it
//! does.
//!
//! Owns the run of one user. It is an ordinary run on one load thread, so that a script behaves as
//! it will under load; `screen::debug` shows what it does.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{arguments, run};
use crate::control::{self, CheckInput, CheckedScript, Control, Exit, Happening};
use crate::load::{Division, Plan, Stage};
use crate::runner::{Edition, End, Notice, Options, Setup};
use crate::scenario::Scenario;
use crate::screen::debug::{Screen, view};
use crate::screen::show;
use crate::script::{Event, Level, Observer};
use crate::units::Rate;

/// Carries out `katydid debug`.
pub(super) fn debug(arguments: &arguments::Debug) -> Exit {
    let given = CheckInput::new(&arguments.shown.params, arguments.shown.seed);
    match super::read(&arguments.script, &given) {
        Ok(checked) => watched(arguments, checked),
        Err(message) => {
            show::error(&message, Some("name a script: `katydid debug FILE`"));
            Exit::Usage
        }
    }
}

/// Runs one user of a script that has been checked, and shows what it does.
fn watched(arguments: &arguments::Debug, checked: CheckedScript) -> Exit {
    if !checked.findings.is_empty() {
        show::findings(&checked.shown, &checked.findings);
    }
    let Some(declared) = checked.scenario else {
        return Exit::Usage;
    };
    let name = arguments.class.as_deref();
    let changes = arguments.changes.changes();
    let selected = control::select_one(&changes, name, &declared).and_then(|(scenario, class)| {
        let bases = control::bases(arguments.shown.host.as_deref(), &scenario)?;
        Ok((scenario, class, bases))
    });
    let (scenario, class, bases) = match selected {
        Ok(selected) => selected,
        Err(error) => {
            super::wrong(&error);
            return Exit::Usage;
        }
    };
    if bases[class].is_none() {
        show::log(
            Level::Warn,
            &control::no_host(&scenario.classes[class].name),
        );
    }
    let screen = Screen::new(view(arguments.shown.body), checked.shown);
    let screen = Arc::new(Mutex::new(screen));
    let observer = {
        let screen = screen.clone();
        Observer::new(arguments.shown.body, move |event| notify(&screen, &event))
    };
    for line in checked.printed {
        notify(&screen, &Event::Said(line));
    }
    let setup = Setup {
        threads: 1,
        edition: Arc::new(Edition {
            bundle: checked.bundle,
            inputs: checked.inputs,
            options: options(&scenario, class, 1, Some(arguments.iterations)),
            declared,
            scenario,
            bases,
        }),
        observer: Some(observer),
    };
    run::on_control_thread(attend(setup, &screen))
}

/// Options for users of one class, started at once, until the iterations are used up, if limited.
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
        // The first starts at once, and as many others as anyone can watch within a moment.
        rate: Rate::from_per_sec(1_000.0).ok(),
    };
    let script = &scenario.options;
    Options {
        plan: Arc::new(Plan::idle(division).redirected_at(Duration::ZERO, division, &stage)),
        iterations,
        stop_timeout: script.stop_timeout.unwrap_or_default(),
        on_stop_timeout: script.on_stop_timeout.unwrap_or(Duration::from_secs(5)),
    }
}

/// Shows an event. Events come from other threads, but one at a time.
fn notify(screen: &Mutex<Screen>, event: &Event) {
    let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
    let text = screen.text(event);
    let mut stdout = std::io::stdout().lock();
    // If stdout is gone, there is nowhere to report that.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Starts the run and stays with it until its end.
async fn attend(setup: Setup, screen: &Mutex<Screen>) -> Exit {
    let mut control = match run::listen() {
        Ok(interrupts) => Control::new(interrupts),
        Err(exit) => return exit,
    };
    if let Err(why) = control.start(setup).await {
        show::error(&why.to_string(), None);
        return Exit::Usage;
    }
    loop {
        match super::next(&mut control).await {
            Happening::Notice(Notice::Script(line)) => notify(screen, &Event::Said(line)),
            Happening::Interrupted { is_first: true } => show::interrupted(),
            Happening::Finished(run) => {
                show::unwritten(&run.unwritten);
                match &run.why {
                    End::Failed(message) => show::error(message, None),
                    End::StopTest(_) => show::stopping(&run.why),
                    _ => {}
                }
                return run.exit(true, 1);
            }
            // Everything else shows in the trace of the user.
            _ => {}
        }
    }
}
