//! `katydid debug`: one user of a script for an iteration or a few, everything it does shown.
//!
//! Owns the run of one user. It is an ordinary run on one load thread, so
//! that a script behaves as it will under load; what is seen is shown by `screen::debug`.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{arguments, resolve, run, select};
use crate::control::{Checked, Control, Exit, Given, Happening};
use crate::load::{Division, Plan, Stage};
use crate::runner::{Edition, End, Notice, Options, Setup};
use crate::scenario::Scenario;
use crate::screen::debug::{Screen, view};
use crate::screen::show;
use crate::script::{Event, Level, Onlooker};
use crate::units::Rate;

/// Carries out `katydid debug`.
pub(super) fn debug(arguments: &arguments::Debug) -> Exit {
    let given = Given::new(&arguments.shown.params, arguments.shown.seed);
    match super::read(&arguments.script, &given) {
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
        threads: 1,
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
    let mut control = match run::listen() {
        Ok(interrupts) => Control::new(interrupts),
        Err(exit) => return exit,
    };
    if let Err(message) = control.start(setup).await {
        show::error(&message, None);
        return Exit::Usage;
    }
    loop {
        match control.next().await {
            Happening::Notice(Notice::Script(line)) => tell(screen, &Event::Said(line)),
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
            // One user is watched by all it does.
            _ => {}
        }
    }
}
