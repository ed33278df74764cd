//! What is promised about the source: layers, file length, module docs, forbidden words; and how
//! the scripts of the gallery open.
//!
//! The layers are read from ARCHITECTURE.md, so that the page cannot be wrong. Each rule is tried
//! on bad input below: a test that cannot fail is a defect.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::paths::named_paths;
use crate::source::{Source, lines_with};

/// The longest file, in lines, tests included.
const MOST_LINES: usize = 500;

/// Names that say nothing of what a module owns.
const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "common", "types", "error", "errors", "prelude", "helpers", "misc",
];

/// Which modules each module may use; `None` for all.
type Layers = BTreeMap<String, Option<Vec<String>>>;

#[test]
fn the_source_keeps_its_promises() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let layers = layers(&architecture).expect("ARCHITECTURE.md has a block of layers");
    let mut found = Vec::new();
    let mut modules = Vec::new();
    for folder in ["src", "tests"] {
        for path in rust_files(&root.join(folder)) {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let source = Source::new(&fs::read_to_string(&path).unwrap());
            found.extend(violations(&name, &source, &layers));
            modules.extend(module_of(&name).map(str::to_owned));
        }
    }
    modules.sort();
    modules.dedup();
    let listed: Vec<_> = layers.keys().cloned().collect();
    assert_eq!(
        modules, listed,
        "modules of src against the layers of ARCHITECTURE.md"
    );
    for path in rhai_files(&root.join("examples")) {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().display();
        found.extend(opening(&text).map(|wrong| format!("{name}:1: {wrong}")));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// What is wrong with how a script of the gallery opens: one line says what it shows, the next its
/// counterpart in Locust or, in a library, how it is used; then comes a gap.
fn opening(script: &str) -> Option<&'static str> {
    let mut lines = script.lines();
    let comment = |line: Option<&str>| line.is_some_and(|line| line.starts_with("// "));
    if !comment(lines.next()) || !comment(lines.next()) {
        return Some("does not open with two lines of `//`: what it shows, and `Locust: …`");
    }
    (lines.next() != Some("")).then_some("opens with more than two lines")
}

fn rhai_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rhai_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rhai")
        {
            files.push(path);
        }
    }
    files
}

#[test]
fn openings_of_scripts_are_looked_at() {
    assert_eq!(opening("// Shows.\n// Locust: a.py\n\nuser();"), None);
    for wrong in [
        "// Shows.\n\nuser();",
        "user();",
        "// A.\n// B.\n// C.\n",
        "",
    ] {
        assert!(opening(wrong).is_some(), "{wrong}");
    }
}

pub(crate) fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The fenced block of `text` whose info string has the word `layers`.
fn layers(text: &str) -> Option<Layers> {
    let mut lines = text.lines();
    lines.find(|line| {
        line.strip_prefix("```")
            .is_some_and(|info| info.split_whitespace().any(|word| word == "layers"))
    })?;
    lines
        .take_while(|line| !line.starts_with("```"))
        .map(|line| {
            let (module, may_use) = line.split_once(':')?;
            let may_use: Vec<String> = may_use.split_whitespace().map(str::to_owned).collect();
            let all = may_use.iter().any(|name| name == "all");
            Some((module.trim().to_owned(), (!all).then_some(may_use)))
        })
        .collect()
}

/// The top-level module that a file belongs to; `None` for `lib.rs`, `main.rs` and the tests.
pub(crate) fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    match inside.split_once('/') {
        Some((module, _)) => Some(module),
        None => inside
            .strip_suffix(".rs")
            .filter(|name| !["lib", "main"].contains(name)),
    }
}

/// What is wrong with one file, each as `path:line: what`.
fn violations(path: &str, source: &Source, layers: &Layers) -> Vec<String> {
    let is_test =
        path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
    let code = if is_test {
        &source.code
    } else {
        source.production_code()
    };
    let mut found = Vec::new();
    let mut report = |line: usize, what: &str| found.push(format!("{path}:{line}: {what}"));

    let length = source.text.lines().count();
    if length > MOST_LINES {
        report(length, &format!("longer than {MOST_LINES} lines"));
    }
    let docs = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"));
    if docs.filter(|line| line.len() > "//!".len()).count() < 2 {
        report(
            1,
            "does not open with two lines of `//!`: what it owns and what it does not",
        );
    }
    for name in path.split('/') {
        if EMPTY_NAMES.contains(&name.trim_end_matches(".rs")) {
            report(1, "is named after nothing it owns");
        }
    }

    let mut forbid = |text: &str, words: &[&str], why: &str| {
        for word in words {
            for line in lines_with(text, word) {
                report(line, &format!("`{word}` {why}"));
            }
        }
    };
    forbid(
        &source.code,
        &["dbg!", "todo!", "unimplemented!"],
        "is unfinished work",
    );
    forbid(
        &source.comments,
        &["TODO", "FIXME", "XXX"],
        "is unfinished work",
    );
    let module = module_of(path);
    if module != Some("coroutine") {
        forbid(&source.code, &["unsafe"], "lives in `coroutine` alone");
    }
    if !is_test {
        forbid(code, &[".unwrap()"], "does not say why it cannot fail");
        if module != Some("cli") {
            forbid(code, &["process::exit"], "belongs to `cli`");
        }
        if !matches!(module, Some("cli" | "output" | "screen")) {
            let printing = ["print!", "println!", "eprint!", "eprintln!"];
            forbid(code, &printing, "belongs to `output`, `screen` and `cli`");
        }
        for (number, line) in (1..).zip(code.lines()) {
            if line.trim_start().starts_with("use ") && line.contains("::*") {
                report(number, "a glob import hides where names come from");
            }
        }
    }
    if path == "src/lib.rs" {
        for line in lines_with(code, "pub use") {
            report(line, "`lib.rs` re-exports nothing");
        }
    }
    if let Some(module) = module {
        let may_use = layers.get(module).and_then(Option::as_deref);
        let may_use = may_use.unwrap_or_default();
        let may_use_all = layers.get(module).is_some_and(Option::is_none);
        for (line, used) in uses(&source.code) {
            // The embedded target is every test's peer; and what the check says of a script, and
            // what happens when it runs, are tested side by side.
            let is_peer = is_test && (used == "target" || (module == "script" && used == "check"));
            if !may_use_all && used != module && !may_use.contains(&used) && !is_peer {
                report(line, &format!("`{module}` may not use `{used}`"));
            }
        }
    }
    found
}

/// The modules named after `crate::` with their lines.
fn uses(code: &str) -> BTreeSet<(usize, String)> {
    let paths = named_paths(code).into_iter();
    let found = paths.filter_map(|path| match path.names.as_slice() {
        [root, module, ..] if root == "crate" => Some((path.line, module.clone())),
        _ => None,
    });
    found.collect()
}

const DOCS: &str = "//! Owns a thing.\n//!\n//! And not another.\n";

fn check(path: &str, body: &str) -> Vec<String> {
    let layers = layers("```text layers\nunits :\nload : units\ncli : all\n```").unwrap();
    violations(path, &Source::new(&format!("{DOCS}{body}")), &layers)
}

#[test]
fn good_files_pass() {
    let good = [
        (
            "src/load/mod.rs",
            "use crate::units::Rate;\nuse crate::load::{self, Mix};",
        ),
        (
            "src/load/mod.rs",
            "// unwrap() and println! in a comment\nlet x = \"dbg! unsafe TODO\";",
        ),
        (
            "src/units/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n    x.unwrap();\n}",
        ),
        (
            "src/cli/mod.rs",
            "use crate::{load::{Mix, Plan}, units};\nprintln!(); process::exit(1);",
        ),
        ("src/coroutine/stack.rs", "unsafe { f() }"),
        ("tests/it/main.rs", "x.unwrap(); println!();"),
    ];
    for (path, body) in good {
        assert_eq!(check(path, body), [""; 0], "{path}");
    }
}

#[test]
fn each_rule_finds_its_offender() {
    let bad = [
        (
            "src/units/a.rs",
            "use crate::load::Mix;",
            ":4: `units` may not use `load`",
        ),
        (
            "src/load/a.rs",
            "use crate::{units, cli::{a, b}};",
            ":4: `load` may not use `cli`",
        ),
        (
            "src/load/a.rs",
            "\nfn f() { crate::http::g() }",
            ":5: `load` may not use `http`",
        ),
        (
            "src/new/a.rs",
            "use crate::units;",
            ":4: `new` may not use `units`",
        ),
        (
            "src/load/a.rs",
            "fn f() { x.unwrap() }",
            ":4: `.unwrap()` does not say why it cannot fail",
        ),
        ("src/load/a.rs", "dbg!(x);", ":4: `dbg!` is unfinished work"),
        ("tests/it/a.rs", "todo!()", ":4: `todo!` is unfinished work"),
        (
            "src/load/a.rs",
            "/* TODO: later */",
            ":4: `TODO` is unfinished work",
        ),
        (
            "src/load/a.rs",
            "println!();",
            ":4: `println!` belongs to `output`, `screen` and `cli`",
        ),
        (
            "src/load/a.rs",
            "std::process::exit(1)",
            ":4: `process::exit` belongs to `cli`",
        ),
        (
            "src/load/a.rs",
            "unsafe { f() }",
            ":4: `unsafe` lives in `coroutine` alone",
        ),
        (
            "src/load/a.rs",
            "use super::*;",
            ":4: a glob import hides where names come from",
        ),
        ("src/load/util.rs", "", ":1: is named after nothing it owns"),
        (
            "src/common/mod.rs",
            "",
            ":1: is named after nothing it owns",
        ),
        (
            "src/lib.rs",
            "pub use load::Mix;",
            ":4: `lib.rs` re-exports nothing",
        ),
    ];
    for (path, body, expected) in bad {
        assert_eq!(check(path, body), [format!("{path}{expected}")]);
    }
    let long = "\n".repeat(MOST_LINES);
    assert_eq!(
        check("src/load/a.rs", &long),
        ["src/load/a.rs:503: longer than 500 lines"]
    );
    let undocumented = Source::new("//! One line.\nfn f() {}");
    assert_eq!(
        violations("src/lib.rs", &undocumented, &Layers::new()).len(),
        1
    );
}

#[test]
fn layers_are_read_from_their_block_alone() {
    let text = "```rust\na : b\n```\n```text layers\nc : d e\nf :\ncli : all\n```\ng : h\n";
    let expected: Layers = [
        ("c".to_owned(), Some(vec!["d".to_owned(), "e".to_owned()])),
        ("f".to_owned(), Some(vec![])),
        ("cli".to_owned(), None),
    ]
    .into();
    assert_eq!(layers(text), Some(expected));
    assert_eq!(layers("no block"), None);
    assert_eq!(layers("```layers\nno colon\n```"), None);
}
