//! Files of one layer that import one another in a circle: none of them can be understood alone.
//!
//! Owns finding the largest circle of each layer; how large it may be stands in ARCHITECTURE.md,
//! and only ever falls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::paths::named_paths;
use crate::source::Source;
use crate::tidy::rust_files;

/// A module's path in the crate: `script`, `run`, `user`.
type Module = Vec<String>;

/// The production code of each module that has a file.
type Modules = BTreeMap<Module, String>;

#[test]
fn no_circle_within_a_layer_is_larger_than_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, after) = page.split_once("circle of more than ").unwrap();
    let most: usize = after.split(' ').next().unwrap().parse().unwrap();
    let mut modules = Modules::new();
    for path in rust_files(&root.join("src")) {
        let inside = path.strip_prefix(root.join("src")).unwrap();
        let name = inside.to_str().unwrap();
        if !name.contains("/tests") && name != "lib.rs" && name != "main.rs" {
            let source = Source::new(&fs::read_to_string(&path).unwrap());
            modules.insert(module(name), source.production_code().to_owned());
        }
    }
    let largest = circles(&modules).into_iter().max_by_key(Vec::len).unwrap();
    let listed: Vec<_> = largest.iter().map(|it| it.join("::")).collect();
    assert_eq!(
        largest.len(),
        most,
        "the largest circle; ARCHITECTURE.md says how large it is:\n{}",
        listed.join("\n")
    );
}

/// `script/run/mod.rs` is `script::run`.
fn module(file: &str) -> Module {
    let mut parts: Module = file.split('/').map(str::to_owned).collect();
    let last = parts.pop().unwrap();
    match last.strip_suffix(".rs").unwrap() {
        "mod" => {}
        name => parts.push(name.to_owned()),
    }
    parts
}

/// All circles of modules of one layer.
fn circles(modules: &Modules) -> Vec<Vec<Module>> {
    let re_exports = re_exports(modules);
    let imports: BTreeMap<&Module, BTreeSet<&Module>> = modules
        .iter()
        .map(|(module, code)| {
            let used = named_paths(code)
                .into_iter()
                .filter(|path| !path.is_re_export);
            let found = used.filter_map(|path| {
                let path = absolute(&path.names, module)?;
                let found = file_of(&path, modules, &re_exports, 0)?;
                (found != module && found[0] == module[0]).then_some(found)
            });
            (module, found.collect())
        })
        .collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = imports
        .keys()
        .map(|module| (*module, reachable(module, &imports)))
        .collect();
    let mut circles: Vec<Vec<Module>> = Vec::new();
    for (module, from_here) in &reached {
        let known = circles.iter().any(|circle| circle.contains(module));
        let mutual = |other: &&&Module| reached[**other].contains(*module);
        if !known && from_here.contains(*module) {
            let circle = from_here.iter().filter(mutual);
            circles.push(circle.map(|it| (**it).clone()).collect());
        }
    }
    circles
}

fn reachable<'a>(
    from: &Module,
    imports: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = imports[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(imports[module].iter().copied());
        }
    }
    reached
}

/// The names that a module passes on from another: `pub use`.
fn re_exports(modules: &Modules) -> BTreeMap<Module, Module> {
    let mut found = BTreeMap::new();
    for (module, code) in modules {
        for path in named_paths(code).iter().filter(|path| path.is_re_export) {
            if let Some(target) = absolute(&path.names, module) {
                let mut name = module.clone();
                name.extend(target.last().cloned());
                found.insert(name, target);
            }
        }
    }
    found
}

/// The module whose file a path leads to, through what is passed on.
fn file_of<'a>(
    path: &[String],
    modules: &'a Modules,
    re_exports: &BTreeMap<Module, Module>,
    depth: usize,
) -> Option<&'a Module> {
    let length = (1..=path.len()).rev();
    let mut prefixes = length.map(|length| path.split_at(length));
    prefixes.find_map(|(prefix, rest)| match re_exports.get(prefix) {
        Some(target) if depth < 8 => {
            let target = [target.as_slice(), rest].concat();
            file_of(&target, modules, re_exports, depth + 1)
        }
        _ => modules.get_key_value(prefix).map(|(module, _)| module),
    })
}

/// A path as it reads from the crate's root on.
fn absolute(path: &[String], module: &Module) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => base.clear(),
        "self" => {}
        _ => {
            base.pop()?;
        }
    }
    rest = &rest[1..];
    while let Some((first, more)) = rest.split_first()
        && first == "super"
    {
        base.pop()?;
        rest = more;
    }
    base.extend(rest.iter().filter(|name| *name != "self").cloned());
    Some(base)
}

#[test]
fn circles_are_found_through_what_is_passed_on() {
    let modules = |files: &[(&str, &str)]| -> Modules {
        let parts = files
            .iter()
            .map(|(file, code)| (module(file), (*code).to_owned()));
        parts.collect()
    };
    let found = |files: &[(&str, &str)]| -> Vec<String> {
        let circles = circles(&modules(files));
        let joined = circles.iter().map(|circle| {
            let names: Vec<_> = circle.iter().map(|it| it.join("::")).collect();
            names.join(" ")
        });
        joined.collect()
    };
    let passing_on = [
        "mod b; mod c;\npub use b::B;",
        "mod b; mod c;\npub(crate) use b::{Other, B};",
        "mod b; mod c;\npub use b::{\n    Other,\n    B,\n};",
    ];
    for root in passing_on {
        let files = [
            ("a/mod.rs", root),
            ("a/b.rs", "use super::c::C;"),
            ("a/c.rs", "use crate::a::B;"),
        ];
        assert_eq!(found(&files), ["a::b a::c"], "{root}");
    }
    let named_like_a_keyword = [
        (
            "a/mod.rs",
            "mod client; mod sending;\npub use client::B; pub use sending::S;",
        ),
        ("a/client.rs", "use crate::a::S;"),
        ("a/sending.rs", "use crate::a::B;"),
    ];
    assert_eq!(found(&named_like_a_keyword), ["a::client a::sending"]);
    let straight = [
        ("a/mod.rs", "mod b; mod c;\npub use b::B;"),
        ("a/b.rs", "use super::c::{self, C};"),
        ("a/c.rs", "use crate::other::Thing;"),
        ("other.rs", "use crate::a::b::B;"),
    ];
    assert_eq!(found(&straight), [""; 0]);
    for back in [
        "use super::b::B;",
        "use crate::a::B;",
        "use crate::{a::{B as X}, other};",
        "fn f() { super::b::f() }",
    ] {
        let mut circle = straight;
        circle[2].1 = back;
        assert_eq!(found(&circle), ["a::b a::c"], "{back}");
    }
}
