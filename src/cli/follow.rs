//! What the log of a run says about a save.
//!
//! Owns the wording; `control` decides the outcome of a save.

use crate::control::SaveOutcome;
use crate::screen::show;
use crate::script::Level;

/// Reports a save in the log. Without a run there is none that goes on.
pub(super) fn report(outcome: &SaveOutcome, is_running: bool) {
    match outcome {
        SaveOutcome::Edited {
            checked,
            was_broken,
        } => {
            if !checked.findings.is_empty() {
                show::findings(&checked.shown, &checked.findings);
            }
            if *was_broken {
                show::log(Level::Info, "the script is mended");
            }
            for line in &checked.printed {
                show::script_line(line);
            }
        }
        SaveOutcome::Same {
            was_broken: true, ..
        } if is_running => show::log(Level::Info, "the script is again as it runs"),
        SaveOutcome::Same {
            was_broken: true, ..
        } => show::log(Level::Info, "the script is mended"),
        SaveOutcome::Same {
            was_broken: false, ..
        } => show::log(Level::Info, "the script has not changed"),
        SaveOutcome::Broken(checked) => {
            show::findings(&checked.shown, &checked.findings);
            let text = match is_running {
                true => "the edited script has mistakes: the one that runs goes on",
                false => "the edited script has mistakes: it cannot be run",
            };
            show::log(Level::Error, text);
        }
        SaveOutcome::Unreadable(message) => {
            show::error(message, None);
            if is_running {
                show::log(Level::Error, "the script that runs goes on");
            }
        }
    }
}
