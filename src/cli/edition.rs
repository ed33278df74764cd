//! From a checked script to what a run is given, at its start and whenever the script is edited.
//!
//! Owns putting the command line and the script together and saying what is odd about it. What
//! each option comes to is `resolve`'s and `select`'s.

use super::{arguments, limits, resolve, select};
use crate::control::Checked;
use crate::http;
use crate::runner::{self, Edition};
use crate::screen::show;
use crate::script::Level;

/// Open files that the process needs besides one per user.
const OTHER_FILES: u64 = 50;

/// The part of the memory that bodies may take: what scripts make of them, a text of each say,
/// takes as much again, and all else its own.
const BODIES_SHARE: u64 = 4;

/// What a checked script comes to with this command line; `None` if that cannot be run, which has
/// been shown.
pub(super) fn of(arguments: &arguments::Run, checked: Checked) -> Option<Edition> {
    let declared = checked.scenario?;
    let scenario = match select::select(&arguments.selection, &declared) {
        Ok(scenario) => scenario,
        Err(wrong) => {
            show::error(&wrong.message, wrong.hint.as_deref());
            return None;
        }
    };
    let bases = match resolve::bases(arguments.host.as_deref(), &scenario) {
        Ok(bases) => bases,
        Err(message) => {
            show::error(&message, None);
            return None;
        }
    };
    for (class, base) in scenario.classes.iter().zip(&bases) {
        if base.is_none() && class.has_users() {
            show::log(Level::Warn, &show::no_host(&class.name));
        }
    }
    if let Some(ignored) = resolve::overridden(arguments, &scenario) {
        show::log(Level::Warn, &ignored);
    }
    let options = resolve::options(arguments, &scenario);
    let files = limits::raise_open_files();
    let bodies = arguments.body_memory.map(|given| given.0);
    http::limit_bodies(bodies.unwrap_or_else(|| runner::allowed_memory() / BODIES_SHARE));
    let users = options.plan.peak_users();
    if u64::from(users) + OTHER_FILES > files {
        let text = format!(
            "{users} users need more open files than the {files} that this process may have: \
             raise `ulimit -n`"
        );
        show::log(Level::Warn, &text);
    }
    Some(Edition {
        bundle: checked.bundle,
        inputs: checked.inputs,
        declared,
        scenario,
        bases,
        options,
    })
}
