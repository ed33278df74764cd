//! The paths that code names, as far as the rules about layers and circles need them: what stands
//! behind `crate::`, `super::` and `self::`, and what `pub use` re-exports.
//!
//! Owns reading trees such as `a::{b, c::d}`; what a path means is decided by its readers.

/// A path as code spells it.
pub(crate) struct NamedPath {
    /// The line it begins in, from 1.
    pub(crate) line: usize,
    /// Whether it stands in a `pub use`.
    pub(crate) is_re_export: bool,
    /// Its names; the first is `crate`, `super` or `self`.
    pub(crate) names: Vec<String>,
}

/// The paths that begin with `crate`, `super` or `self`, and those of `pub use`, which need none of
/// them.
pub(crate) fn named_paths(code: &str) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut add = |at: usize, is_re_export: bool, mut stem: Vec<String>, tree: &str| {
        let line = code[..at].matches('\n').count() + 1;
        walk(tree, &mut stem, &mut |names| {
            found.push(NamedPath {
                line,
                is_re_export,
                names: names.to_vec(),
            });
        });
    };
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = &code[..at];
            if before.ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
                continue;
            }
            let line = before.rsplit('\n').next().unwrap().trim_start();
            let is_re_export = line.starts_with("pub") && line.ends_with("use ");
            add(at, is_re_export, Vec::new(), &code[at..]);
        }
    }
    for (at, word) in code.match_indices(" use ") {
        let line = code[..at].rsplit('\n').next().unwrap().trim_start();
        let path = &code[at + word.len()..];
        let first = path.split("::").next().unwrap();
        if line.starts_with("pub") && !["crate", "super", "self"].contains(&first) {
            add(at, true, vec!["self".to_owned()], path);
        }
    }
    found
}

/// Gives each path of a tree such as `a::{b, c::d}` to `each`; returns what follows the tree.
fn walk<'a>(code: &'a str, stem: &mut Vec<String>, each: &mut impl FnMut(&[String])) -> &'a str {
    let depth = stem.len();
    let mut code = code;
    loop {
        let end = code.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, rest) = code.split_at(end.unwrap_or(code.len()));
        if !name.is_empty() {
            stem.push(name.to_owned());
        }
        let Some(inner) = rest.strip_prefix("::") else {
            each(stem);
            stem.truncate(depth);
            return rest;
        };
        code = inner;
        if let Some(group) = inner.strip_prefix('{') {
            let mut rest = group.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                rest = walk(rest, stem, each);
                let end = rest.find([',', '}']).unwrap_or(rest.len());
                rest = rest[end..].trim_start_matches(',').trim_start();
            }
            stem.truncate(depth);
            return rest.strip_prefix('}').unwrap_or(rest);
        }
    }
}

#[test]
fn trees_are_read_to_their_leaves() {
    let read = |code: &str| -> Vec<String> {
        let paths = named_paths(code).into_iter();
        let shown = paths.map(|it| {
            let mark = if it.is_re_export { "pub " } else { "" };
            format!("{}: {mark}{}", it.line, it.names.join("::"))
        });
        shown.collect()
    };
    assert_eq!(
        read("\nuse crate::{a::{B as X, c}, d};"),
        ["2: crate::a::B", "2: crate::a::c", "2: crate::d"]
    );
    assert_eq!(read("fn f() { super::g() }"), ["1: super::g"]);
    assert_eq!(
        read("pub use b::{\n    Other,\n    B,\n};"),
        ["1: pub self::b::Other", "1: pub self::b::B"]
    );
    assert_eq!(read("pub(crate) use self::b::B;"), ["1: pub self::b::B"]);
    assert_eq!(read("$crate::a; other_crate::b; std::self::c"), [""; 0]);
}
