//! `katydid check`: what is wrong with a script, for people and for programs.
//!
//! Owns how it is printed; `control` reads and checks the script.

use serde::Serialize;

use super::{Exit, arguments, result};
use crate::control::CheckInput;
use crate::scenario::Class;
use crate::screen::show;
use crate::script::Level;
use crate::script::diagnostic::{Diagnostic, Severity};

/// One finding as `--json` prints it.
#[derive(Serialize)]
struct JsonFinding<'a> {
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
    let checked = match super::read(&arguments.script, &CheckInput::new(&arguments.params, None)) {
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
        written = result::print(format!("{text}\n").as_bytes());
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
            Level::Info,
            &format!("{path} is fine: user classes {classes}, tasks {tasks}"),
        );
    }
    written
}

fn finding(finding: &Diagnostic) -> JsonFinding<'_> {
    JsonFinding {
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
