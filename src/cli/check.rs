//! `katydid check`, and the check that comes before every run.
//!
//! Owns the way from a file to a checked scenario; what is checked is `script`'s business.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{Exit, arguments, resolve, show};
use crate::check;
use crate::data::Sources;
use crate::scenario::{Class, Scenario};
use crate::script::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::script::{Bundle, File, Inputs, Line, Program};
use crate::units::Bytes;

/// A script that has been read and evaluated once.
pub(super) struct Checked {
    pub(super) bundle: Bundle,
    /// Its files, as they may be shown.
    pub(super) shown: Vec<File>,
    pub(super) inputs: Inputs,
    /// What it declares, if nothing is wrong with it.
    pub(super) scenario: Option<Scenario>,
    pub(super) findings: Diagnostics,
    /// What its top level printed.
    pub(super) said: Vec<Line>,
    /// How long checking and evaluating it took.
    pub(super) took: Duration,
}

/// What a person gives a script.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Values for its parameters.
    pub(super) params: Vec<(String, String)>,
    /// The seed, if it is not to be the script's or a new one.
    pub(super) seed: Option<u64>,
    /// The data of the script before it was edited.
    pub(super) before: Option<Arc<Sources>>,
    /// What a user's variables may hold.
    pub(super) user_memory: Option<Bytes>,
}

impl Given {
    /// For a script that is read the first time.
    pub(super) fn new(params: &[(String, String)], seed: Option<u64>) -> Given {
        Given {
            params: params.to_vec(),
            seed,
            ..Given::default()
        }
    }
}

/// Reads and checks the script at `path`.
///
/// # Errors
/// When the file itself cannot be read.
pub(super) fn read(path: &Path, given: &Given) -> Result<Checked, String> {
    let bundle = Bundle::read(path).map_err(|error| error.to_string())?;
    Ok(evaluate(bundle, given))
}

/// Checks a script that has been read.
pub(super) fn evaluate(bundle: Bundle, given: &Given) -> Checked {
    let Given {
        params,
        seed,
        before,
        user_memory,
    } = given;
    let begun = Instant::now();
    let environment = environment();
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut inputs = Inputs {
        params: resolve::params(params, &environment),
        environment,
        seed: (*seed).unwrap_or_else(new_seed),
        now_us: i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX),
        sources: match before {
            Some(before) => Arc::new(Sources::after(before)),
            None => Arc::default(),
        },
        user_memory: *user_memory,
    };
    let mut findings = check::check(&bundle);
    let mut said = Vec::new();
    let mut scenario = None;
    let mut shown = bundle.files().to_vec();
    if !findings.has_errors() {
        match Program::compile(&bundle, &inputs) {
            Ok(program) => {
                said = program.said().to_vec();
                shown = program.shown_files(&bundle);
                show::hide(program.hidden());
                findings.extend(program.warnings().iter().cloned());
                findings.extend(unknown_params(&bundle, program.scenario(), &inputs, params));
                if seed.is_none()
                    && let Some(seed) = program.scenario().options.seed
                {
                    inputs.seed = seed;
                }
                if !findings.has_errors() {
                    scenario = Some(program.scenario().clone());
                }
            }
            Err(more) => findings.extend(more),
        }
    }
    Checked {
        took: begun.elapsed(),
        bundle,
        shown,
        inputs,
        scenario,
        findings,
        said,
    }
}

/// The environment as text: what is not UTF-8 in it is no reason not to run.
fn environment() -> BTreeMap<String, String> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// Parameters that were given by hand but that the script does not have.
fn unknown_params(
    bundle: &Bundle,
    scenario: &Scenario,
    inputs: &Inputs,
    given: &[(String, String)],
) -> Vec<Diagnostic> {
    let known: Vec<_> = scenario
        .params
        .iter()
        .map(|param| param.name.as_str())
        .collect();
    let unknown = given
        .iter()
        .filter(|(name, _)| inputs.params.contains_key(name) && !known.contains(&name.as_str()));
    let finding = |(name, _): &(String, String)| {
        let message = format!("the script has no parameter `{name}`");
        let hint = match known.as_slice() {
            [] => format!("declare it: `const X = param(\"{name}\", \"default\");`"),
            known => format!("it has: {}", known.join(", ")),
        };
        Diagnostic::error(&bundle.files()[0].path, message).hint(hint)
    };
    unknown.map(finding).collect()
}

/// A seed that is easy to type again.
fn new_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(SystemTime::now()) >> 32
}

/// One finding as `--json` prints it.
#[derive(Serialize)]
struct Finding<'a> {
    severity: &'static str,
    file: &'a str,
    line: u32,
    column: u32,
    width: u32,
    message: &'a str,
    hint: Option<&'a str>,
}

/// Carries out `katydid check`.
pub(super) fn check(arguments: &arguments::Check) -> Exit {
    let checked = match read(&arguments.script, &Given::new(&arguments.params, None)) {
        Ok(checked) => checked,
        Err(message) => {
            show::error(&message, None);
            return Exit::Usage;
        }
    };
    let mut written = Exit::Ok;
    if arguments.json {
        let findings: Vec<_> = checked.findings.iter().map(finding).collect();
        let text = serde_json::to_string_pretty(&findings).expect("findings are plain text");
        written = show::result(format!("{text}\n").as_bytes());
    } else if !checked.findings.is_empty() {
        show::findings(&checked.shown, &checked.findings);
    }
    if checked.findings.has_errors() {
        return Exit::Usage;
    }
    if !arguments.json
        && let Some(scenario) = &checked.scenario
    {
        let tasks: usize = scenario.classes.iter().map(Class::task_count).sum();
        let path = &checked.bundle.files()[0].path;
        let classes = scenario.classes.len();
        show::log(
            crate::script::Level::Info,
            &format!("{path} is fine: user classes {classes}, tasks {tasks}"),
        );
    }
    written
}

fn finding(finding: &Diagnostic) -> Finding<'_> {
    Finding {
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        file: &finding.file,
        line: finding.line,
        column: finding.column,
        width: finding.width,
        message: &finding.message,
        hint: finding.hint.as_deref(),
    }
}
