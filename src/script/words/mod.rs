//! The words of the scenario language: the one table from which checks, hints and lists are made.
//!
//! Owns names, arities, places and one-line explanations, and which words this version has. What
//! a word does is the script API's; a test holds that against this table.

mod functions;
mod members;

/// One word of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// What it is a word for.
    pub kind: Kind,
    /// The numbers of arguments it takes, its receiver not counted; empty for any number. For
    /// what is not called it is `[0]`.
    pub arities: &'static [usize],
    /// Where it may be used.
    pub place: Place,
    /// False if the language has it but this version does not: using it is an error.
    pub available: bool,
    /// What it means, in a few words.
    pub doc: &'static str,
}

/// What a word is a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A function, `name(…)`.
    Function,
    /// A key of a user class that is neither a task nor a method.
    Attribute,
    /// A key of the map given to `task`.
    TaskOption,
    /// A key of the map given to a request.
    RequestOption,
    /// A key of the map given to `options`.
    ScenarioOption,
    /// A key of the map given to `param`.
    ParamOption,
    /// `this.client.name(…)`.
    ClientMethod,
    /// `this.client.name`.
    ClientProperty,
    /// `response.name`.
    ResponseProperty,
    /// `response.name(…)`.
    ResponseMethod,
    /// `this.name(…)`, of every user.
    UserMethod,
}

/// Where a word may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the top level only: it declares.
    TopLevel,
    /// In tasks and methods only: it does.
    Task,
    /// Everywhere.
    Both,
}

impl Word {
    /// True if it may be given so many arguments.
    #[must_use]
    pub fn takes(&self, arguments: usize) -> bool {
        self.arities.is_empty() || self.arities.contains(&arguments)
    }

    const fn new(kind: Kind, name: &'static str, doc: &'static str) -> Word {
        Word {
            name,
            kind,
            arities: &[0],
            place: Place::Both,
            available: true,
            doc,
        }
    }

    const fn args(mut self, arities: &'static [usize]) -> Word {
        self.arities = arities;
        self
    }

    const fn top_level(mut self) -> Word {
        self.place = Place::TopLevel;
        self
    }

    const fn in_task(mut self) -> Word {
        self.place = Place::Task;
        self
    }

    const fn not_yet(mut self) -> Word {
        self.available = false;
        self
    }
}

/// Any number of arguments.
const ANY: &[usize] = &[];

/// All words of one kind, in the order in which a person would list them.
pub fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Word> {
    all().filter(move |word| word.kind == kind)
}

/// The word of that kind and name.
#[must_use]
pub fn find(kind: Kind, name: &str) -> Option<&'static Word> {
    of_kind(kind).find(|word| word.name == name)
}

/// All words.
pub fn all() -> impl Iterator<Item = &'static Word> {
    functions::FUNCTIONS.iter().chain(members::MEMBERS)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_word_is_there_once() {
        let mut seen = HashSet::new();
        for word in all() {
            assert!(seen.insert((word.kind, word.name)), "{}", word.name);
        }
    }

    #[test]
    fn words_are_found_by_kind() {
        let choice = find(Kind::Function, "choice").unwrap();
        assert!(choice.takes(1) && !choice.takes(2) && choice.available);
        let random = find(Kind::Function, "random").unwrap();
        assert!(random.takes(0) && !random.takes(1) && random.takes(2));
        assert!(find(Kind::Function, "print").unwrap().takes(9));
        assert!(!find(Kind::Function, "csv").unwrap().available);
        assert_eq!(find(Kind::Attribute, "choice"), None);
        assert!(find(Kind::ClientMethod, "options").unwrap().takes(2));
    }

    #[test]
    fn explanations_are_one_line() {
        for word in all() {
            assert!(
                !word.doc.is_empty() && !word.doc.contains('\n'),
                "{}",
                word.name
            );
        }
    }
}
