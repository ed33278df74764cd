//! The names of types in signatures: what they mean, and what editors call them.
//!
//! A type returned by only one function, such as `task`, explains itself and need not be here.

/// A name, what Rhai's language server calls it (`?` where it has no name), and what it means.
const TYPES: &[(&str, &str, &str)] = &[
    ("any", "?", "whatever Rhai has"),
    ("array", "Array", "`[1, 2]`"),
    ("bool", "bool", "`true` or `false`"),
    ("bytes", "Blob", "bytes that need not be text"),
    ("closure", "FnPtr", "`|| { … }`, `|x| x + 1`"),
    (
        "data",
        "Data",
        "what `csv`, `json_file`, `lines` and `rows` give: `data[0]`, `for row in data`",
    ),
    ("float", "float", "a number with a fraction"),
    ("int", "int", "a whole number"),
    (
        "map",
        "Map",
        "`#{ name: \"Ann\", \"Content-Type\": \"text/plain\" }`",
    ),
    ("number", "?", "int or float"),
    (
        "pairs",
        "Array",
        "`[[\"b\", 1], [\"a\", 2]]`, where order or repetition matters",
    ),
    (
        "seconds",
        "?",
        "a time: a number of seconds, or text such as `\"1m30s\"` or `\"250ms\"`",
    ),
    ("string", "String", "`\"text\"`, or `` `with ${values}` ``"),
    ("wait", "Wait", "what `constant`, `between` … give"),
    ("()", "()", "nothing"),
];

/// The table that explains the types.
pub(super) fn table() -> String {
    let mut text = "| type | |\n|---|---|\n".to_owned();
    for (name, _, meaning) in TYPES {
        text.push_str(&format!("| `{name}` | {} |\n", meaning.replace('|', "\\|")));
    }
    text.push('\n');
    text
}

/// What Rhai's language server calls a type.
pub(super) fn for_editors(kind: &str) -> String {
    if let Some((_, name, _)) = TYPES.iter().find(|(known, _, _)| *known == kind) {
        return (*name).to_owned();
    }
    // Editors have no unions of types.
    if kind.contains(" | ") {
        return "?".to_owned();
    }
    let word = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    };
    kind.split(' ').map(word).collect()
}
