//! From a checked script to an edition, at a run's start and whenever the script is edited.
//!
//! Owns combining the command line and the script, with warnings; `resolve` and `select` decide the
//! value of each option.

use super::{arguments, limits, resolve, select};
use crate::control::CheckedScript;
use crate::http;
use crate::runner::{self, Edition};
use crate::screen::show;
use crate::script::Level;

/// Open files the process needs in addition to one per user.
const OTHER_FILES: u64 = 50;

/// The memory is divided by this for bodies: what scripts make of them, such as a text of each,
/// takes as much again, and everything else needs its share.
const BODIES_SHARE: u64 = 4;

/// The edition of a checked script with this command line; `None` if it cannot be run, which has
/// then been reported.
pub(super) fn of(arguments: &arguments::Run, checked: CheckedScript) -> Option<Edition> {
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
