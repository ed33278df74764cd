//! From a checked script to an edition, at a run's start and whenever the script is edited.
//!
//! Owns combining what was asked for and the script, with remarks; `resolve` and `select` decide the
//! value of each option.

use super::limits;
use super::reading::CheckedScript;
use super::resolve;
use super::select;
use super::wish::{Wish, WishError};
use crate::http;
use crate::runner::{self, Edition};
use crate::scenario::Scenario;

/// Open files the process needs in addition to one per user.
const OTHER_FILES: u64 = 50;

/// The memory is divided by this for bodies: what scripts make of them, such as a text of each,
/// takes as much again, and everything else needs its share.
const BODIES_SHARE: u64 = 4;

/// An edition, and what a person should know before it runs.
#[derive(Debug)]
pub struct Prepared {
    /// The edition.
    pub edition: Edition,
    /// Each a warning.
    pub remarks: Vec<String>,
}

/// What a wish comes to with what a script declares.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) scenario: Scenario,
    pub(super) bases: Vec<Option<String>>,
    pub(super) options: runner::Options,
    pub(super) remarks: Vec<String>,
}

/// The warning about a class whose relative requests have nowhere to go.
#[must_use]
pub fn no_host(class: &str) -> String {
    format!(
        "the user class `{class}` has no host: only absolute URLs will work; give one with \
         `-H http://…`"
    )
}

/// Works out what a wish comes to. Changes nothing.
///
/// # Errors
/// Which field does not fit the script, and why.
pub(super) fn resolve(wish: &Wish, declared: &Scenario) -> Result<Resolved, WishError> {
    let mut scenario = select::select(&wish.selection, declared)?;
    if wish.ignores_shape {
        scenario.shape = None;
    }
    let bases = resolve::bases(wish.host.as_deref(), &scenario)?;
    let classes = scenario.classes.iter().zip(&bases);
    let without_host = classes.filter(|(class, base)| base.is_none() && class.has_users());
    let mut remarks: Vec<_> = without_host
        .map(|(class, _)| no_host(&class.name))
        .collect();
    remarks.extend(resolve::overridden(wish, &scenario));
    let options = resolve::options(wish, &scenario);
    let (needed, allowed) = (files_needed(&options), limits::open_files());
    if needed > allowed {
        let users = options.plan.peak_users();
        remarks.push(format!(
            "{users} users need more open files than the {allowed} that this process may have: \
             raise `ulimit -n`"
        ));
    }
    Ok(Resolved {
        scenario,
        bases,
        options,
        remarks,
    })
}

/// Open files that a run needs: a connection for each user, and others.
pub(super) fn files_needed(options: &runner::Options) -> u64 {
    u64::from(options.plan.peak_users()) + OTHER_FILES
}

/// The edition of a checked script with this wish; `None` if the script has mistakes.
///
/// # Errors
/// Which field of the wish does not fit the script, and why.
pub fn prepare(wish: &Wish, checked: CheckedScript) -> Result<Option<Prepared>, WishError> {
    let Some(declared) = checked.scenario else {
        return Ok(None);
    };
    limits::raise_open_files();
    let bodies = wish.body_memory.map(|given| given.0);
    http::limit_bodies(bodies.unwrap_or_else(|| runner::allowed_memory() / BODIES_SHARE));
    let resolved = resolve(wish, &declared)?;
    Ok(Some(Prepared {
        edition: Edition {
            bundle: checked.bundle,
            inputs: checked.inputs,
            declared,
            scenario: resolved.scenario,
            bases: resolved.bases,
            options: resolved.options,
        },
        remarks: resolved.remarks,
    }))
}
