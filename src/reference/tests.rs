//! The reference against the table, and the definitions for editors against their grammar.
//! That the table equals what is registered is tested with the table.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::{self, Kind, Word};
use crate::script::parser;

use super::{definitions, entries, page};

/// A function of a definition file: name, types of parameters, result.
#[derive(Debug, PartialEq, Eq)]
struct Defined {
    name: String,
    parameters: Vec<String>,
    result: String,
}

/// Reads a definition file as the language server's grammar has it; an error names the line.
fn parse(text: &str) -> Result<Vec<Defined>, String> {
    let mut lines = text.lines().filter(|line| !line.starts_with("///"));
    if lines.next() != Some("module static;") {
        return Err("no `module static;`".to_owned());
    }
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| function(line).ok_or_else(|| format!("not a definition: `{line}`")))
        .collect()
}

/// `fn name(a: T, ...b: T) -> T;`, `fn get name(a: T) -> T;`.
fn function(line: &str) -> Option<Defined> {
    let (name, rest) = line.strip_prefix("fn ")?.split_once('(')?;
    let (parameters, result) = rest.strip_suffix(';')?.rsplit_once(") -> ")?;
    let mut names = name.split(' ');
    let accessor = match (names.next()?, names.next()) {
        (name, None) => is_name(name),
        ("get" | "set", Some(name)) => is_name(name),
        _ => false,
    };
    let mut kinds = Vec::new();
    for one in split_at_commas(parameters) {
        let (name, kind) = one.split_once(": ")?;
        let name = name.strip_prefix("...").unwrap_or(name);
        if !is_name(name) && name != "_" || !is_type(kind) {
            return None;
        }
        kinds.push(kind.to_owned());
    }
    (accessor && is_type(result)).then(|| Defined {
        name: name.to_owned(),
        parameters: kinds,
        result: result.to_owned(),
    })
}

/// At commas that are not inside `<…>`.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split(|letter| {
        depth += match letter {
            '<' => 1,
            '>' => -1,
            _ => 0,
        };
        letter == ',' && depth == 0
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// A name that is not a keyword: those cannot name parameters.
fn is_name(name: &str) -> bool {
    let engine = rhai::Engine::new();
    engine.compile(format!("let {name} = 1;")).is_ok()
        || [
            "print",
            "debug",
            "type_of",
            "call",
            "curry",
            "eval",
            "is_def_fn",
            "is_def_var",
            "is_shared",
        ]
        .contains(&name)
}

/// `?`, `()`, a name, or a name with types in `<…>`.
fn is_type(text: &str) -> bool {
    if let Some((name, inside)) = text.split_once('<') {
        let inside = inside.strip_suffix('>');
        return is_type(name)
            && inside.is_some_and(|inside| split_at_commas(inside).into_iter().all(is_type));
    }
    let is_word = !text.is_empty() && text.chars().all(|one| one.is_ascii_alphanumeric());
    is_word || ["?", "()"].contains(&text)
}

#[test]
fn the_grammar_is_held() {
    let good = "module static;\n\n/// Says it.\nfn say(...words: ?) -> ();\n\
                fn get first(of: Array) -> ?;\nfn of(a: Iterator<int, ?>) -> float;";
    assert_eq!(parse(good).unwrap().len(), 3);
    for wrong in [
        "fn f() -> int;",
        "module static;\nfn f(a) -> int;",
        "module static;\nfn f(a: int | float) -> int;",
        "module static;\nfn f(default: int) -> int;",
        "module static;\nfn f(a: int)",
        "module static;\nlet f(a: int) -> int;",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn definitions_are_rhai_s_and_hold_every_word_in_every_form() {
    let files: BTreeMap<_, _> = definitions().into_iter().collect();
    let ours = parse(&files["katydid.d.rhai"]).unwrap();
    let mut left: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for one in &ours {
        let arities = left.entry(one.name.clone()).or_default();
        arities.insert(one.parameters.len());
    }
    let mut expected: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for word in language::all().filter(|word| word.available) {
        let (name, receiver) = defined_as(word);
        let Some(name) = name else { continue };
        let arities = match word.arities() {
            open if open.is_empty() => vec![1],
            arities => arities,
        };
        let arities = arities.into_iter().map(|arity| arity + receiver);
        expected.entry(name).or_default().extend(arities);
    }
    assert_eq!(left, expected);

    let rhai = parse(&files["rhai.d.rhai"]).unwrap();
    assert!(rhai.iter().any(|one| one.name == "push"), "{rhai:?}");
    let ours_too = |one: &&Defined| language::find(Kind::Function, &one.name).is_some();
    assert_eq!(rhai.iter().find(ours_too), None);
}

/// The name under which a word is defined, and how many receivers it has.
fn defined_as(word: &Word) -> (Option<String>, usize) {
    let receivers = usize::from(word.kind != Kind::Function);
    if matches!(
        word.kind,
        Kind::ClientProperty | Kind::ResponseProperty | Kind::DataProperty
    ) {
        return (Some(format!("get {}", word.name)), 1);
    }
    let is_called = word.signatures().next().is_some();
    (is_called.then(|| word.name.to_owned()), receivers)
}

#[test]
fn types_in_definitions_are_those_of_the_table() {
    let files: BTreeMap<_, _> = definitions().into_iter().collect();
    let ours = parse(&files["katydid.d.rhai"]).unwrap();
    let of = |name: &str| -> Vec<_> { ours.iter().filter(|one| one.name == name).collect() };
    assert_eq!(
        of("between"),
        [&Defined {
            name: "between".to_owned(),
            parameters: vec!["?".to_owned(), "?".to_owned()],
            result: "Wait".to_owned(),
        }]
    );
    assert_eq!(of("patch").len(), 2);
    assert_eq!(of("patch")[1].parameters, ["Client", "String", "Map"]);
    assert_eq!(of("get status")[0].result, "int");
}

#[test]
fn the_page_has_every_word() {
    let page = page();
    for word in language::all() {
        let as_written = [format!("`{}`", word.name), format!("`{}(", word.name)];
        let there = as_written.iter().any(|name| page.contains(name));
        assert!(there, "`{}` is not on the page", word.name);
    }
    assert!(page.contains("`between(least: seconds, most: seconds) → wait`"));
    assert!(page.contains("| `network_timeout` | seconds | `60.0` |"));
}

#[test]
fn an_entry_is_found_however_it_is_asked_for() {
    for asked in ["between", "between()"] {
        let entry = entries(asked).unwrap();
        assert!(entry.contains("top level only"), "{entry}");
    }
    let headers = entries("r.headers").unwrap();
    for kind in ["Attributes of a class", "Properties of a response"] {
        assert!(headers.contains(kind), "{headers}");
    }
    assert_eq!(entries("betwen").unwrap_err()[0], "between");
    assert!(entries("zzzzzz").unwrap_err().is_empty());
}

#[test]
fn examples_are_rhai() {
    let mut engine = parser::parser();
    // Whatever an example uses from its script is undefined here.
    engine.set_strict_variables(false);
    for word in language::all().filter(|word| !word.example.is_empty()) {
        let example = word.example.trim_end_matches(',');
        // `this` belongs into a function.
        let is_statement = engine.compile(format!("fn f() {{ {example} }}")).is_ok();
        let is_key = engine
            .compile(format!("fn f() {{ #{{ {example} }} }}"))
            .is_ok();
        assert!(is_statement || is_key, "{}: {example}", word.name);
    }
}
