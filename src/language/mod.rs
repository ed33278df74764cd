//! The words of the scenario language: the one table from which checks, hints, editor support and
//! the reference are made.
//!
//! Owns names, signatures, places, defaults and explanations, and which words this version has. The
//! script API implements them; a test compares it with this table.

mod data;
mod functions;
mod members;
pub(crate) mod shapes;
mod sharing;
mod signature;

pub(crate) use signature::Signature;

/// The type of `csv(…)` and the like, as shown in messages.
pub(crate) const DATA_SOURCE: &str = "data source";

/// One word of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its name.
    pub name: &'static str,
    /// What it is a word for.
    pub kind: Kind,
    /// Its signatures, one per form, such as `(least: seconds, most: seconds) -> wait` (`?` after a
    /// name: may be left out; `…` before it: any number); for anything that is not called, its
    /// type, such as `seconds`.
    pub signs: &'static [&'static str],
    /// Where it may be used.
    pub place: Place,
    /// False if the language has it but this version does not: using it is an error.
    pub available: bool,
    /// What it means, in a few words.
    pub doc: &'static str,
    /// Its default, as a script would write it; empty for none.
    pub default: &'static str,
    /// An example, where one line says more than many words; empty for none.
    pub example: &'static str,
}

/// What a word is a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A function, `name(…)`.
    Function,
    /// A key of a user class that is neither a task nor a method.
    Attribute,
    /// A key of the map given to `task`.
    TaskOption,
    /// A key of a set that is neither a task nor a method.
    SetAttribute,
    /// A key of the map given to `markov`.
    MarkovOption,
    /// A key of a state of a `markov`.
    StateOption,
    /// A key of the map given to a request.
    RequestOption,
    /// A key of the map given to `http_client`.
    ClientOption,
    /// A key of the map given to `record`.
    RecordOption,
    /// A key of the map given to `options`.
    ScenarioOption,
    /// A key of the map given to `param`.
    ParamOption,
    /// A key of the map given to `shape`.
    ShapeOption,
    /// A key of a stage of a shape.
    StageOption,
    /// A key of the map given to `csv`.
    CsvOption,
    /// A key of the map given to `json_file`, `lines` or `rows`.
    DataOption,
    /// `data.name(…)`, on what `csv` and the like return.
    DataMethod,
    /// `data.name`.
    DataProperty,
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
    /// `queue.name(…)`.
    QueueMethod,
    /// `counter.name(…)`.
    CounterMethod,
    /// `metric.name(…)`.
    MetricMethod,
    /// `d.name(…)`, where `d` is what `setup` gave.
    SetupMethod,
}

/// Where a word may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the top level only: it declares.
    TopLevel,
    /// In tasks and methods only: it does.
    Task,
    /// Everywhere.
    Both,
}

impl Word {
    /// True if it accepts this many arguments.
    #[must_use]
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        let arities = self.arities();
        arities.is_empty() || arities.contains(&arguments)
    }

    /// The numbers of arguments it accepts, not counting its receiver; empty for any number, 0 for
    /// anything that is not called.
    #[must_use]
    pub(crate) fn arities(&self) -> Vec<usize> {
        let signatures: Vec<_> = self.signatures().collect();
        if signatures.is_empty() {
            return vec![0];
        }
        if signatures.iter().any(|one| one.open) {
            return Vec::new();
        }
        let mut arities: Vec<_> = signatures.iter().flat_map(Signature::arities).collect();
        arities.sort_unstable();
        arities.dedup();
        arities
    }

    /// Its signatures; none for anything that is not called.
    pub(crate) fn signatures(&self) -> impl Iterator<Item = Signature> {
        self.signs.iter().filter_map(|sign| Signature::parse(sign))
    }

    const fn new(kind: Kind, name: &'static str, doc: &'static str) -> Word {
        Word {
            name,
            kind,
            signs: &[],
            place: Place::Both,
            available: true,
            doc,
            default: "",
            example: "",
        }
    }

    /// Sets its signatures, or its type.
    const fn signs(mut self, signs: &'static [&'static str]) -> Word {
        self.signs = signs;
        self
    }

    /// Sets its default.
    const fn default(mut self, default: &'static str) -> Word {
        self.default = default;
        self
    }

    /// Sets an example.
    const fn example(mut self, example: &'static str) -> Word {
        self.example = example;
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

/// All words of one kind, in the order in which a person would list them.
pub(crate) fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Word> {
    all().filter(move |word| word.kind == kind)
}

/// The word of that kind and name.
#[must_use]
pub(crate) fn find(kind: Kind, name: &str) -> Option<&'static Word> {
    of_kind(kind).find(|word| word.name == name)
}

/// All words.
pub(crate) fn all() -> impl Iterator<Item = &'static Word> {
    let options = members::MEMBERS.iter().chain(shapes::SHAPES);
    let functions = functions::FUNCTIONS.iter().chain(sharing::SHARING);
    functions.chain(options).chain(data::DATA)
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
        assert!(find(Kind::Function, "csv").unwrap().available);
        assert_eq!(find(Kind::Attribute, "choice"), None);
        assert!(find(Kind::ClientMethod, "options").unwrap().takes(2));
    }

    #[test]
    fn signs_are_signatures_or_types() {
        for word in all() {
            let is_called = matches!(
                word.kind,
                Kind::Function
                    | Kind::ClientMethod
                    | Kind::ResponseMethod
                    | Kind::UserMethod
                    | Kind::DataMethod
                    | Kind::QueueMethod
                    | Kind::CounterMethod
                    | Kind::MetricMethod
                    | Kind::SetupMethod
            );
            for sign in word.signs {
                let signature = Signature::parse(sign);
                assert_eq!(signature.is_some(), is_called, "{}: {sign}", word.name);
            }
        }
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
