//! The reference of the language: the page, single entries, and definitions for editors.
//!
//! Made from the table of words and from `intro.md`, which is written by hand.

mod editor;
mod entry;
mod kinds;
mod sections;
#[cfg(test)]
mod tests;

use crate::language::{self, Word};

pub(crate) use editor::{WRITTEN, definitions};

/// The part written by hand; the words go where `WORDS` is.
const INTRO: &str = include_str!("intro.md");
const WORDS: &str = "<!-- words -->\n";

/// How similar two words must be to be mistaken for each other, from 0 to 1.
const ALIKE: f64 = 0.6;

/// The whole page, in Markdown.
#[must_use]
pub(crate) fn page() -> String {
    let (before, after) = INTRO.split_once(WORDS).unwrap_or((INTRO, ""));
    format!("{before}{}{after}", sections::all())
}

/// The entries of a word, as `docs WORD` shows them: `between`, `client.get` or `r.json`.
///
/// # Errors
/// The words that may have been meant, if there is none by that name.
pub(crate) fn entries(asked: &str) -> Result<String, Vec<&'static str>> {
    let name = asked.trim_end_matches("()");
    let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
    let found: Vec<_> = language::all().filter(|word| word.name == name).collect();
    if found.is_empty() {
        return Err(similar(name));
    }
    let entries: Vec<_> = found.into_iter().map(alone).collect();
    Ok(entries.join("\n"))
}

/// One entry with what it is an entry of.
fn alone(word: &Word) -> String {
    let whose = sections::what_it_is(word.kind);
    format!("{whose}\n\n{}", entry::item(word))
}

/// At most three words, the most similar first.
fn similar(name: &str) -> Vec<&'static str> {
    let likeness = |word: &str| strsim::normalized_damerau_levenshtein(word, name);
    let mut similar: Vec<_> = language::all()
        .map(|word| (likeness(word.name), word.name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    similar.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    similar.dedup();
    similar.truncate(3);
    similar.into_iter().map(|(_, name)| name).collect()
}
