//! The table of words and the functions of the engine: what one says the other has.
//! Keys of maps are not functions: reading them is tested where they are read.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::{self, Kind, Word};
use crate::script::api;
use crate::script::load::parser;

/// Registered, but no words: what Rhai has and the language refuses, and what sessions have.
const NO_WORDS: [(&str, &str); 14] = [
    ("", "exit"),
    ("", "timestamp"),
    ("session headers", "clear"),
    ("session cookies", "clear"),
    // Rhai's own, as a method of maps.
    ("", "to_json"),
    ("", "panics_as_a_test"),
    // Rhai's own, done otherwise.
    ("", "dedup"),
    ("", "order"),
    ("", "order_by"),
    ("", "order_desc"),
    ("", "pad"),
    ("", "sort"),
    ("", "sort_by"),
    ("", "sort_desc"),
];

type Arities = BTreeMap<(String, String), BTreeSet<usize>>;

/// What the script API registers: by receiver (empty for none) and name the numbers of arguments,
/// the receiver not counted.
fn registered() -> Arities {
    let mut engine = parser::parser();
    api::register(&mut engine);
    let all = engine.collect_fn_metadata(
        None,
        |function| {
            let function = function.metadata;
            let first = function.params_info.first().map(ToString::to_string);
            Some((
                first.unwrap_or_default(),
                function.name.to_string(),
                function.num_params,
            ))
        },
        false,
    );
    let mut found = Arities::new();
    for (first, name, parameters) in all {
        let receivers = [
            "session headers",
            "session cookies",
            "response",
            "client",
            "user: map",
            "data source",
            "queue",
            "setup result",
            "counter",
            "metric",
        ];
        let receiver = receivers.into_iter().find(|known| first.contains(known));
        let receiver = receiver.unwrap_or("");
        let arguments = parameters - usize::from(!receiver.is_empty());
        let key = (receiver.to_owned(), name);
        found.entry(key).or_default().insert(arguments);
    }
    found
}

/// Under which receiver and name the engine has a word; `None` for keys of maps.
fn registered_as(word: &Word) -> Option<(String, String)> {
    let (receiver, name) = match word.kind {
        Kind::Function => ("", word.name.to_owned()),
        Kind::UserMethod => ("user: map", word.name.to_owned()),
        Kind::ClientMethod => ("client", word.name.to_owned()),
        Kind::ResponseMethod => ("response", word.name.to_owned()),
        Kind::DataMethod => ("data source", word.name.to_owned()),
        Kind::DataProperty => ("data source", format!("get${}", word.name)),
        Kind::ClientProperty => ("client", format!("get${}", word.name)),
        Kind::QueueMethod => ("queue", word.name.to_owned()),
        Kind::CounterMethod => ("counter", word.name.to_owned()),
        Kind::MetricMethod => ("metric", word.name.to_owned()),
        Kind::SetupMethod => ("setup result", word.name.to_owned()),
        Kind::ResponseProperty => ("response", format!("get${}", word.name)),
        _ => return None,
    };
    Some((receiver.to_owned(), name))
}

#[test]
fn every_available_word_is_registered_with_its_arities_and_no_other() {
    let mut left = registered();
    for word in language::all() {
        let Some(key) = registered_as(word) else {
            continue;
        };
        let found = left.remove(&key).unwrap_or_default();
        if !word.available {
            assert!(
                found.is_empty(),
                "{key:?} is there, but the table says not yet"
            );
        } else if word.arities().is_empty() {
            let any: Vec<_> = (0..found.len()).collect();
            assert!(
                found.len() > 4 && found.iter().eq(any.iter()),
                "{key:?}: {found:?}"
            );
        } else {
            let said: BTreeSet<_> = word.arities().into_iter().collect();
            assert_eq!(found, said, "{key:?}");
        }
    }
    left.retain(|(receiver, name), _| {
        let others = ["data source", "setup result"];
        let has_indexer = receiver.starts_with("session") || others.contains(&receiver.as_str());
        let indexers = has_indexer && name.starts_with("index$");
        // Of whole numbers of more than 64 bits, as of others.
        let of_numbers = ["abs", "to_debug", "to_float", "to_int", "to_string"];
        let of_numbers =
            of_numbers.contains(&name.as_str()) || !name.contains(char::is_alphanumeric);
        !indexers && !of_numbers && !NO_WORDS.contains(&(receiver.as_str(), name.as_str()))
    });
    assert!(left.is_empty(), "registered, but no words: {left:?}");
}

#[test]
fn words_of_the_table_work_in_the_place_it_says() {
    use crate::language::Place;
    for word in language::of_kind(Kind::Function).filter(|word| word.available) {
        let arguments = match word.name {
            "random" => "",
            "choice" | "sample" | "join" => continue,
            name if word.arities().first() == Some(&0) && name != "print" => "",
            "sleep" | "exponential" | "random_string" | "exit_code" => "1",
            _ => continue,
        };
        let call = format!("{}({arguments});", word.name);
        let script = format!("{call} {}", super::task("1"));
        let refused = super::Program::compile(
            &super::bundle(&[("s.rhai", &script)]),
            &super::Inputs::default(),
        )
        .is_err();
        assert_eq!(
            refused,
            word.place == Place::Task,
            "{call} at the top level"
        );
    }
}
