//! Definitions for Rhai's language server: `.d.rhai` files with everything a script may call.
//!
//! Owns their notation. Keys of maps (attributes, options) are not functions; they are listed in
//! the explanation of the function that takes them.

use super::entry::sentence;
use super::kinds::for_editors;
use crate::language::{self, Kind, Place, Signature, Word};
use crate::script::parser;

/// The first line of each file.
pub(crate) const WRITTEN: &str = "/// Written by `katydid definitions`.";

/// The files, each with its name and its content.
#[must_use]
pub(crate) fn definitions() -> Vec<(&'static str, String)> {
    let files = [("katydid.d.rhai", ours()), ("rhai.d.rhai", rhai_s())];
    files.into()
}

/// The language of scenarios.
fn ours() -> String {
    let mut text = format!(
        "{WRITTEN}\n///\n/// The words of Katydid's scenario language, which `katydid docs` explains.\n\
         module static;\n"
    );
    for word in language::all().filter(|word| word.available) {
        define(&mut text, word);
    }
    text
}

/// Rhai's own functions, without those that Katydid replaces.
fn rhai_s() -> String {
    let engine = parser::parser();
    let definitions = engine.definitions().with_headers(false);
    let standard = definitions.include_standard_packages(true).static_module();
    let mut text = format!("{WRITTEN}\n///\n/// Rhai's own functions.\nmodule static;\n");
    for item in standard.split("\n\n").filter(|item| !item.is_empty()) {
        let line = item.lines().last().unwrap_or_default();
        let name = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split('(').next());
        let replaced = name.is_some_and(|name| {
            let has_it = language::find(Kind::Function, name).is_some();
            has_it || NOT_RHAI_S.contains(&name)
        });
        if name.is_some() && !replaced {
            // What Rhai writes for these two types is not valid in its own definition files.
            let item = item.replace("range=", "RangeInclusive");
            let item = item.replace("-> ;", "-> ?;");
            text.push_str(&format!("\n{item}\n"));
        }
    }
    text
}

/// Refused in scripts: `katydid check` says what to use instead.
const NOT_RHAI_S: &[&str] = &["exit", "timestamp"];

fn define(text: &mut String, word: &Word) {
    let receiver = receiver(word.kind);
    if matches!(
        word.kind,
        Kind::ClientProperty | Kind::ResponseProperty | Kind::DataProperty
    ) {
        let kind = for_editors(word.signs.first().copied().unwrap_or("any"));
        let (name, receiver) = (word.name, receiver.unwrap_or("value: ?"));
        text.push_str(&explained(word));
        text.push_str(&format!("fn get {name}({receiver}) -> {kind};\n"));
        return;
    }
    for signature in word.signatures() {
        for count in signature.arities() {
            text.push_str(&explained(word));
            text.push_str(&defined(word.name, receiver, &signature, count));
        }
    }
}

/// A function with the first `count` of its parameters.
fn defined(name: &str, receiver: Option<&str>, signature: &Signature, count: usize) -> String {
    let mut parameters: Vec<_> = receiver.into_iter().map(str::to_owned).collect();
    for one in &signature.parameters[..count] {
        let open = if signature.open { "..." } else { "" };
        parameters.push(format!("{open}{}: {}", one.name, for_editors(one.kind)));
    }
    let result = for_editors(signature.result);
    format!("fn {name}({}) -> {result};\n", parameters.join(", "))
}

/// What a method is called on.
fn receiver(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::ClientMethod | Kind::ClientProperty => Some("client: Client"),
        Kind::ResponseMethod | Kind::ResponseProperty => Some("response: Response"),
        Kind::DataMethod | Kind::DataProperty => Some("data: Data"),
        Kind::UserMethod => Some("user: Map"),
        Kind::QueueMethod => Some("queue: Queue"),
        Kind::CounterMethod => Some("counter: Counter"),
        Kind::MetricMethod => Some("metric: Metric"),
        Kind::SetupMethod => Some("result: SetupResult"),
        _ => None,
    }
}

/// The comment over a definition.
fn explained(word: &Word) -> String {
    let mut text = format!("\n/// {}.\n", sentence(word.doc));
    let place = match word.place {
        Place::TopLevel => "At the top level only.",
        Place::Task if word.kind == Kind::Function => "In tasks only.",
        _ => "",
    };
    if !place.is_empty() {
        text.push_str(&format!("///\n/// {place}\n"));
    }
    if let Some((what, keys)) = keys(word) {
        let keys: Vec<_> = language::of_kind(keys)
            .filter(|key| key.available)
            .map(|key| format!("`{}`", key.name))
            .collect();
        text.push_str(&format!("///\n/// {what}: {}.\n", keys.join(", ")));
    }
    if !word.example.is_empty() {
        text.push_str(&format!(
            "///\n/// ```rhai\n/// {}\n/// ```\n",
            word.example
        ));
    }
    text
}

/// The kind of the keys that a map given to this word may have.
fn keys(word: &Word) -> Option<(&'static str, Kind)> {
    match (word.kind, word.name) {
        (Kind::ClientMethod, _) => Some(("Options", Kind::RequestOption)),
        (Kind::Function, "user" | "extend") => Some(("Attributes", Kind::Attribute)),
        (Kind::Function, "task") => Some(("Options", Kind::TaskOption)),
        (Kind::Function, "task_set" | "sequence") => Some(("Attributes", Kind::SetAttribute)),
        (Kind::Function, "markov") => Some(("Keys", Kind::MarkovOption)),
        (Kind::Function, "options") => Some(("Options", Kind::ScenarioOption)),
        (Kind::Function, "shape") => Some(("Keys of a stage", Kind::StageOption)),
        (Kind::Function, "param") => Some(("Options", Kind::ParamOption)),
        (Kind::Function, "csv") => Some(("Options", Kind::CsvOption)),
        (Kind::Function, "json_file" | "lines" | "rows") => Some(("Options", Kind::DataOption)),
        _ => None,
    }
}
