//! One word of the reference in Markdown: an item of a list, or a row of a table.
//!
//! Owns only how it looks; `sections` decides where it goes.

use crate::language::{Kind, Place, Signature, Word};

/// A word that is called, or any word on its own.
pub(super) fn item(word: &Word) -> String {
    let mut text = String::new();
    let signatures: Vec<_> = word.signatures().collect();
    if signatures.is_empty() {
        text.push_str(&format!("- `{}`", word.name));
        if !word.signs.is_empty() {
            text.push_str(&format!(": {}", kinds(word)));
        }
        if !word.default.is_empty() {
            text.push_str(&format!(", default `{}`", word.default));
        }
    } else {
        let forms: Vec<_> = signatures
            .iter()
            .map(|signature| format!("`{}{}`", word.name, signed(signature)))
            .collect();
        text.push_str(&format!("- {}", forms.join("<br>")));
    }
    text.push_str(place(word));
    text.push_str(&format!("\n\n  {}.", sentence(word.doc)));
    if !word.available {
        text.push_str(" *Not in this version yet.*");
    }
    text.push('\n');
    if !word.example.is_empty() {
        text.push_str(&format!("\n  ```rust\n  {}\n  ```\n", word.example));
    }
    text
}

/// A word that is a key or a property, as a row; the columns are those of `HEAD`.
pub(super) fn row(word: &Word) -> String {
    let default = match word.default {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    let mut meaning = sentence(word.doc);
    if !word.example.is_empty() {
        meaning.push_str(&format!("; `{}`", word.example.trim_end_matches(',')));
    }
    let cells = [format!("`{}`", word.name), kinds(word), default, meaning];
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

/// The header above rows.
pub(super) const HEAD: &str = "| | type | default | |\n|---|---|---|---|\n";

/// The types of what is not called.
fn kinds(word: &Word) -> String {
    word.signs.join(" or ").replace(" | ", " or ")
}

/// `(least: seconds, most: seconds) → wait`.
fn signed(signature: &Signature) -> String {
    let parameters: Vec<_> = signature
        .parameters
        .iter()
        .map(|one| {
            let open = if signature.open { "…" } else { "" };
            let optional = if one.optional { "?" } else { "" };
            let kind = one.kind.replace(" | ", " or ");
            format!("{open}{}{optional}: {kind}", one.name)
        })
        .collect();
    let result = match signature.result {
        "()" => String::new(),
        result => format!(" → {}", result.replace(" | ", " or ")),
    };
    format!("({}){result}", parameters.join(", "))
}

fn place(word: &Word) -> &'static str {
    match (word.kind, word.place) {
        (Kind::Function, Place::TopLevel) => " · *top level only*",
        (Kind::Function, Place::Task) => " · *in tasks only*",
        _ => "",
    }
}

/// The explanation with a capital letter, unless it begins with code.
pub(super) fn sentence(doc: &str) -> String {
    let mut letters = doc.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
