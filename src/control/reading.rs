//! From a file to a checked scenario, at a run's start and at each save alike.
//!
//! Owns what is passed to a script from outside, and evaluating it once. `check` finds what is
//! wrong with its text.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::check;
use crate::data::Sources;
use crate::scenario::Scenario;
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::{Bundle, File, Inputs, Line, Program};
use crate::units::Bytes;

/// A script that has been read and evaluated once.
pub struct CheckedScript {
    /// Its text.
    pub bundle: Bundle,
    /// Its files, with secrets hidden, for display.
    pub shown: Vec<File>,
    /// The inputs it was given.
    pub inputs: Inputs,
    /// What it declares, if it has no errors.
    pub scenario: Option<Scenario>,
    /// Errors and warnings.
    pub findings: Diagnostics,
    /// What its top level printed.
    pub printed: Vec<Line>,
    /// Its secrets, which must not appear in anything shown.
    pub hidden: Vec<String>,
    /// How long checking and evaluating it took.
    pub took: Duration,
}

/// What a person passes to a script.
#[derive(Clone, Debug, Default)]
pub struct CheckInput {
    /// Values for its parameters.
    pub params: Vec<(String, String)>,
    /// The seed, if not the script's or a new one.
    pub seed: Option<u64>,
    /// The data of the script before it was edited.
    pub before: Option<Arc<Sources>>,
    /// What a user's variables may hold.
    pub user_memory: Option<Bytes>,
}

impl CheckInput {
    /// For a script that is read for the first time.
    pub fn new(params: &[(String, String)], seed: Option<u64>) -> CheckInput {
        CheckInput {
            params: params.to_vec(),
            seed,
            ..CheckInput::default()
        }
    }
}

/// Reads and checks the script at `path`.
///
/// # Errors
/// When the file itself cannot be read.
pub fn read(path: &Path, given: &CheckInput) -> Result<CheckedScript, String> {
    let bundle = Bundle::read(path).map_err(|error| error.to_string())?;
    Ok(evaluate(bundle, given))
}

/// Checks a script that has been read.
pub fn evaluate(bundle: Bundle, given: &CheckInput) -> CheckedScript {
    let CheckInput {
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
        params: params_of(params, &environment),
        environment: environment.into(),
        seed: (*seed).unwrap_or_else(new_seed),
        now_us: i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX),
        sources: match before {
            Some(before) => Arc::new(Sources::after(before)),
            None => Arc::default(),
        },
        user_memory: *user_memory,
    };
    let mut findings = check::check(&bundle);
    let (mut printed, mut hidden) = (Vec::new(), Vec::new());
    let mut scenario = None;
    let mut shown = bundle.files().to_vec();
    if !findings.has_errors() {
        match Program::compile(&bundle, &inputs) {
            Ok(program) => {
                printed = program.said().to_vec();
                shown = program.shown_files(&bundle);
                hidden = program.hidden();
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
    CheckedScript {
        took: begun.elapsed(),
        bundle,
        shown,
        inputs,
        scenario,
        findings,
        printed,
        hidden,
    }
}

/// The environment as text: entries that are not UTF-8 are no reason not to run.
fn environment() -> BTreeMap<String, String> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// Parameters given on the command line that the script does not have.
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

/// Values for the script's parameters come from `KATYDID_PARAM_LANGUAGE` too.
const PARAM_PREFIX: &str = "KATYDID_PARAM_";

/// The values of the script's parameters: the command line wins over the environment, whose
/// upper-case names are lowered, as `param` looks them up.
fn params_of(
    given: &[(String, String)],
    environment: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let from_environment = environment.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(PARAM_PREFIX)?;
        Some((name.to_lowercase(), value.clone()))
    });
    from_environment.chain(given.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_from_the_command_line_and_the_environment() {
        let environment = BTreeMap::from([
            ("KATYDID_PARAM_LANGUAGE".to_owned(), "ko".to_owned()),
            ("KATYDID_PARAM_SIZE".to_owned(), "1".to_owned()),
            ("HOME".to_owned(), "/".to_owned()),
        ]);
        let given = [("size".to_owned(), "2".to_owned())];
        let found = params_of(&given, &environment);
        let expected = [("language", "ko"), ("size", "2")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }
}
