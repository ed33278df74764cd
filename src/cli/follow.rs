//! What the log of a run says about a save.
//!
//! Owns the wording; `control` decides the outcome of a save.

use crate::control::SaveOutcome;
use crate::screen::show;
use crate::script::Level;

/// Reports a save in the log.
pub(super) fn report(outcome: &SaveOutcome) {
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
        } => show::log(Level::Info, "the script is again as it runs"),
        SaveOutcome::Same {
            was_broken: false, ..
        } => show::log(Level::Info, "the script has not changed"),
        SaveOutcome::Broken(checked) => {
            show::findings(&checked.shown, &checked.findings);
            let text = "the edited script has mistakes: the one that runs goes on";
            show::log(Level::Error, text);
        }
        SaveOutcome::Unreadable(message) => {
            show::error(message, None);
            show::log(Level::Error, "the script that runs goes on");
        }
    }
}
