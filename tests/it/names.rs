//! Names within a layer: no two types share one, and no doc begins with "The same", which sends
//! its reader looking for what it is the same as.
//!
//! Owns counting both; layers that have some left stand in one table, whose numbers only fall.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::source::Source;
use crate::tidy::{module_of, rust_files};

/// What a layer still has of each offence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Allowance {
    /// Definitions of a type whose name the layer already has.
    types: usize,
    /// Docs that begin with "The same".
    docs: usize,
}

/// What is left, and why. A layer that is not listed has none; lower a number when it is too high.
const ALLOWED: [(&str, Allowance, &str); 1] = [(
    "cli",
    Allowance { types: 0, docs: 1 },
    "the help of `--show-task-ratio-json`, which is a text for users",
)];

/// The files of one layer.
type Files = Vec<(String, Source)>;

#[test]
fn no_layer_has_more_of_these_than_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut layers: BTreeMap<String, Files> = BTreeMap::new();
    for path in rust_files(&root.join("src")) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        if let Some(layer) = module_of(name) {
            let source = Source::new(&fs::read_to_string(&path).unwrap());
            let files = layers.entry(layer.to_owned()).or_default();
            files.push((name.to_owned(), source));
        }
    }
    for (layer, ..) in ALLOWED {
        assert!(layers.contains_key(layer), "there is no layer `{layer}`");
    }
    let mut wrong = Vec::new();
    for (layer, files) in &layers {
        let listed = ALLOWED.iter().find(|(name, ..)| name == layer);
        let allowed = listed.map_or(Allowance::default(), |(_, allowed, _)| *allowed);
        wrong.extend(complaints(layer, files, allowed));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with a layer, given what it is allowed: a number that is too low or too high.
fn complaints(layer: &str, files: &Files, allowed: Allowance) -> Vec<String> {
    let (types, docs) = (types_defined_twice(files), docs_of_the_same(files));
    let counts = [
        ("types defined twice", types, allowed.types),
        ("docs that begin with \"The same\"", docs, allowed.docs),
    ];
    let wrong = counts.into_iter().filter_map(|(what, found, allowed)| {
        let heading = format!("`{layer}`: {} {what}, not {allowed}", found.len());
        (found.len() != allowed).then(|| format!("{heading}\n    {}", found.join("\n    ")))
    });
    wrong.collect()
}

/// Where production code defines a type whose name an earlier line of the layer has. Only whole
/// modules are looked at: a type inside a function is seen by nobody else.
fn types_defined_twice(files: &Files) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for (path, source) in files.iter().filter(|(path, _)| !path.contains("/tests")) {
        for (number, line) in (1..).zip(source.production_code().lines()) {
            if let Some(name) = type_defined_by(line)
                && !known.insert(name.to_owned())
            {
                found.push(format!("{path}:{number}: `{name}`"));
            }
        }
    }
    found
}

/// The type that a line defines, if it does so at the level of its module: rustfmt indents the rest.
fn type_defined_by(line: &str) -> Option<&str> {
    let mut rest = line;
    if let Some(public) = rest.strip_prefix("pub") {
        rest = match public.strip_prefix('(') {
            Some(scope) => scope.split_once(") ")?.1,
            None => public.strip_prefix(' ')?,
        };
    }
    rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    let (kind, name) = rest.split_once(' ')?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
    ["struct", "enum", "trait", "type", "union"]
        .contains(&kind)
        .then(|| &name[..end.unwrap_or(name.len())])
}

fn docs_of_the_same(files: &Files) -> Vec<String> {
    let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
    let mut found = Vec::new();
    for (path, source) in files {
        let mut before = "";
        for (number, line) in (1..).zip(source.text.lines().map(str::trim_start)) {
            let begins = is_doc(line) && !is_doc(before);
            if begins && line[3..].trim_start().starts_with("The same") {
                found.push(format!("{path}:{number}"));
            }
            before = line;
        }
    }
    found
}

fn layer(files: &[(&str, &str)]) -> Files {
    let sources = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), Source::new(text)));
    sources.collect()
}

#[test]
fn a_type_of_the_same_name_is_found_however_it_is_written() {
    for again in [
        "struct A;",
        "pub(super) struct A<'a> {\n    b: &'a str,\n}",
        "pub enum A {}",
        "pub(in crate::x) trait A: Send {}",
        "type A<T> = Vec<T>;",
        "unsafe trait A {}",
    ] {
        let files = layer(&[("src/x/a.rs", "struct A(u8);"), ("src/x/b.rs", again)]);
        assert_eq!(
            types_defined_twice(&files),
            ["src/x/b.rs:1: `A`"],
            "{again}"
        );
    }
}

#[test]
fn other_names_tests_and_inner_types_are_let_pass() {
    for other in [
        "struct B;",
        "// struct A;",
        "fn f() {\n    struct A;\n}",
        "#[cfg(test)]\nmod tests {\n    struct A;\n}",
        "use super::a::A;",
        "impl Tap for B {\n    type A = B;\n}",
    ] {
        let files = layer(&[("src/x/a.rs", "struct A;"), ("src/x/b.rs", other)]);
        assert_eq!(types_defined_twice(&files), [""; 0], "{other}");
    }
    let in_tests = layer(&[
        ("src/x/a.rs", "struct A;"),
        ("src/x/tests/a.rs", "struct A;"),
    ]);
    assert_eq!(types_defined_twice(&in_tests), [""; 0]);
}

#[test]
fn docs_of_the_same_are_found_where_they_begin() {
    let files = layer(&[(
        "src/x/a.rs",
        "/// The same at once.\nfn f();\n\n    /// Decodes\n    /// The same way.\n    fn g();\n",
    )]);
    assert_eq!(docs_of_the_same(&files), ["src/x/a.rs:1"]);
}

#[test]
fn an_allowance_fits_exactly() {
    let files = layer(&[("src/x/a.rs", "/// The same.\nstruct A;\nenum A {}")]);
    let allowed = |types, docs| complaints("x", &files, Allowance { types, docs });
    assert_eq!(allowed(1, 1), [""; 0]);
    assert_eq!(
        allowed(0, 1),
        ["`x`: 1 types defined twice, not 0\n    src/x/a.rs:3: `A`"]
    );
    assert_eq!(allowed(2, 2).len(), 2);
}
