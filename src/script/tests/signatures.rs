//! The types in the table of words against those that the engine's functions take and give.
//!
//! Numbers of arguments are tested with the table. Where a function takes anything and looks at
//! it itself, there is nothing to compare.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::{self, Kind, Signature, Word};
use crate::script::api;
use crate::script::load::parser;

/// Names of types as the table has them; `None` for what says nothing.
type Types = Option<BTreeSet<&'static str>>;

/// A registered function: the types of its arguments, without its receiver, and of its result.
struct Registered {
    arguments: Vec<Types>,
    result: Types,
}

/// What the script API registers, by receiver (empty for none) and name.
fn registered() -> BTreeMap<(&'static str, String), Vec<Registered>> {
    let mut engine = parser::parser();
    api::register(&mut engine);
    let all = engine.collect_fn_metadata(
        None,
        |function| {
            let function = function.metadata;
            let types = function.params_info.iter().map(ToString::to_string);
            Some((
                function.name.to_string(),
                types.collect::<Vec<_>>(),
                function.return_type.to_string(),
            ))
        },
        false,
    );
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for (name, types, result) in all {
        let first = types.first().map_or("", String::as_str);
        let receiver = ["response", "client"]
            .into_iter()
            .find(|known| first == format!("_: &mut {known}"));
        let skipped = usize::from(receiver.is_some());
        let arguments = types
            .iter()
            .skip(skipped)
            .map(|one| in_words(one))
            .collect();
        let result = in_words(&result);
        let key = (receiver.unwrap_or(""), name);
        found
            .entry(key)
            .or_default()
            .push(Registered { arguments, result });
    }
    found
}

/// What the table calls a type of Rust or Rhai.
fn in_words(text: &str) -> Types {
    let text = text.trim_start_matches("_: ").trim_start_matches("&mut ");
    let text = match text.strip_prefix("core::result::Result<") {
        Some(inside) => inside.split(", alloc::boxed::Box<").next()?,
        None => text,
    };
    let word = match text {
        "i64" => "int",
        "f64" => "float",
        "bool" => "bool",
        "string" | "alloc::string::String" => "string",
        "rhai::types::immutable_string::ImmutableString" => "string",
        "array" | "alloc::vec::Vec<rhai::types::dynamic::Dynamic>" => "array",
        "blob" | "alloc::vec::Vec<u8>" => "bytes",
        "map" => "map",
        "Fn" => "closure",
        "()" | "" => "()",
        "response" | "katydid::script::response::Response" => "response",
        "katydid::scenario::Wait" => "wait",
        "katydid::script::declare::tasks::TaskDeclaration" => "task",
        _ => return None,
    };
    Some(BTreeSet::from([word]))
}

/// What a type of the table stands for: `seconds` is a number or a text.
fn meant(kind: &'static str) -> Types {
    let mut all = BTreeSet::new();
    for one in kind.split(" | ") {
        match one {
            "seconds" => all.extend(["int", "float", "string"]),
            "number" => all.extend(["int", "float"]),
            "pairs" => all.extend(["array"]),
            "int" | "float" | "bool" | "string" | "array" | "bytes" | "map" | "closure" | "()"
            | "response" | "wait" | "task" => all.extend([one]),
            _ => return None,
        }
    }
    Some(all)
}

/// All types together; `None` if one says nothing.
fn together(types: impl IntoIterator<Item = Types>) -> Types {
    types.into_iter().try_fold(BTreeSet::new(), |mut all, one| {
        all.extend(one?);
        Some(all)
    })
}

/// What is wrong with the types of a word.
fn differences(word: &Word, functions: &[Registered]) -> Vec<String> {
    let signatures: Vec<Signature> = word.signatures().collect();
    let mut wrong = Vec::new();
    let mut compare = |what: &str, said: Types, found: Types| {
        if let (Some(said), Some(found)) = (said, found)
            && said != found
        {
            let name = word.name;
            wrong.push(format!(
                "`{name}`, {what}: the table says {said:?}, registered is {found:?}"
            ));
        }
    };
    let arities = if signatures.is_empty() {
        Vec::new()
    } else {
        word.arities()
    };
    for arity in arities {
        let said: Vec<_> = signatures
            .iter()
            .filter(|signature| signature.arities().any(|one| one == arity))
            .collect();
        let found: Vec<_> = functions
            .iter()
            .filter(|one| one.arguments.len() == arity)
            .collect();
        for at in 0..arity {
            let kinds = said.iter().map(|one| meant(one.parameters[at].kind));
            let types = found.iter().map(|one| one.arguments[at].clone());
            let what = format!("argument {} of {arity}", at + 1);
            compare(&what, together(kinds), together(types));
        }
        let kinds = said.iter().map(|one| meant(one.result));
        let types = found.iter().map(|one| one.result.clone());
        compare("result", together(kinds), together(types));
    }
    if signatures.is_empty()
        && let [kind] = word.signs
    {
        let types = functions.iter().map(|one| one.result.clone());
        compare("type", meant(kind), together(types));
    }
    wrong
}

#[test]
fn types_of_the_table_are_those_registered() {
    let registered = registered();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for word in language::all().filter(|word| word.available) {
        let (receiver, name) = match word.kind {
            Kind::Function => ("", word.name.to_owned()),
            Kind::ClientMethod => ("client", word.name.to_owned()),
            Kind::ResponseMethod => ("response", word.name.to_owned()),
            Kind::ResponseProperty => ("response", format!("get${}", word.name)),
            _ => continue,
        };
        if let Some(functions) = registered.get(&(receiver, name)) {
            compared += 1;
            wrong.extend(differences(word, functions));
        }
    }
    assert!(compared > 60, "only {compared} words were compared");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_wrong_type_would_be_found() {
    let function = |argument: &'static str| Registered {
        arguments: vec![in_words(argument)],
        result: in_words("core::result::Result<(), alloc::boxed::Box<E>>"),
    };
    let sleep = language::find(Kind::Function, "sleep").unwrap();
    let right = [
        function("_: i64"),
        function("_: f64"),
        function("_: string"),
    ];
    assert_eq!(differences(sleep, &right), [""; 0]);
    let anything = [function("_: i64"), function("_: types::dynamic::Dynamic")];
    assert_eq!(differences(sleep, &anything), [""; 0]);
    let wrong = differences(sleep, &[function("_: bool")]);
    assert!(wrong[0].contains("`sleep`, argument 1 of 1"), "{wrong:?}");
}
