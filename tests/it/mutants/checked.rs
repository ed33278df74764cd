//! The load-time check of one bundle, as `katydid check` does it; a fuzz target takes it from here.
//! Where bundles come from is the others' business.

use katydid::script::diagnostic::{Colours, Diagnostics};
use katydid::script::{Bundle, Inputs, Program};

/// Checks a bundle, evaluates it if nothing is wrong so far, and renders what was found. True if
/// a run could begin.
pub(crate) fn check(bundle: &Bundle) -> bool {
    let mut findings = katydid::check::check(bundle);
    if !findings.has_errors() {
        match Program::compile(bundle, &Inputs::default()) {
            Ok(program) => findings.extend(program.warnings().iter().cloned()),
            Err(more) => findings.extend(more),
        }
    }
    let text_of = |path: &str| {
        let mut files = bundle.files().iter();
        files
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    };
    for colours in [Colours::Plain, Colours::Ansi] {
        let rendered = Diagnostics::render(&findings, text_of, colours);
        assert_eq!(rendered.is_empty(), findings.is_empty());
    }
    assert!(findings.iter().all(|finding| !finding.message.is_empty()));
    !findings.has_errors()
}
