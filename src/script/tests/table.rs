//! The table of words and the functions of the engine: what one says the other has.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;

use crate::script::words::{self, Kind, Place};
use crate::script::{api, engine};

/// The functions that the script API adds to Rhai's: for each name its receiver's type (empty for
/// none) and its numbers of arguments without it.
fn registered() -> BTreeMap<String, BTreeSet<(String, usize)>> {
    let of = |engine: &Engine| {
        let all = engine.collect_fn_metadata(
            None,
            |function| {
                let function = function.metadata;
                let first = function.params_info.first().map(ToString::to_string);
                Some((
                    function.name.to_string(),
                    function.num_params,
                    first.unwrap_or_default(),
                ))
            },
            true,
        );
        all.into_iter().collect::<BTreeSet<_>>()
    };
    let mut ours = engine::parser();
    api::register(&mut ours);
    let mut found: BTreeMap<String, BTreeSet<(String, usize)>> = BTreeMap::new();
    for (name, parameters, first) in of(&ours).difference(&of(&engine::parser())) {
        let receiver = ["client", "response", "session headers", "session cookies"]
            .into_iter()
            .find(|known| first.ends_with(known) || first.contains(&format!("{known}")));
        let entry = match receiver {
            Some(receiver) => (receiver.to_owned(), parameters - 1),
            None => (String::new(), *parameters),
        };
        found.entry(name.clone()).or_default().insert(entry);
    }
    found
}

#[test]
fn show() {
    for (name, all) in registered() {
        println!("{name}: {all:?}");
    }
    let mut ours = engine::parser();
    api::register(&mut ours);
    for s in ours.gen_fn_signatures(false) {
        println!("{s}");
    }
    for word in words::all() {
        if word.kind == Kind::Function {
            println!(
                "{} {:?} {:?} {}",
                word.name,
                word.arities,
                word.place == Place::Task,
                word.available
            );
        }
    }
}
