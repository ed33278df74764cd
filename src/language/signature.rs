//! Signatures: how a word is called, with which types, or what kind of value it is.
//!
//! Owns the notation of the table of words and parsing it. The reference explains the names of
//! types.

/// How a word is called: `(path: string, options?: map) -> response`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Its parameters, not counting the receiver.
    pub parameters: Vec<Parameter>,
    /// True for `(…values: any)`: any number of arguments.
    pub open: bool,
    /// The type of its result; `()` for none.
    pub result: &'static str,
}

/// One parameter of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// What it is for.
    pub name: &'static str,
    /// Its type, several joined by ` | `.
    pub kind: &'static str,
    /// True if it may be omitted; those after it are then omitted too.
    pub optional: bool,
}

impl Signature {
    /// Reads the notation of the table; `None` if it is not a signature.
    pub(super) fn parse(text: &'static str) -> Option<Signature> {
        let (inside, rest) = text.strip_prefix('(')?.split_once(')')?;
        let result = match rest {
            "" => "()",
            rest => rest.strip_prefix(" -> ")?,
        };
        let (open, inside) = match inside.strip_prefix('…') {
            Some(inside) => (true, inside),
            None => (false, inside),
        };
        let mut parameters = Vec::new();
        for part in inside.split(", ").filter(|part| !part.is_empty()) {
            let (name, kind) = part.split_once(": ")?;
            let optional = name.ends_with('?');
            parameters.push(Parameter {
                name: name.trim_end_matches('?'),
                kind,
                optional,
            });
        }
        Some(Signature {
            parameters,
            open,
            result,
        })
    }

    /// The numbers of arguments it takes.
    pub(crate) fn arities(&self) -> impl Iterator<Item = usize> {
        let needed = self.parameters.iter().filter(|one| !one.optional).count();
        needed..=self.parameters.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_read() {
        let get = Signature::parse("(path: string, options?: map) -> response").unwrap();
        assert_eq!(get.arities().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            get.parameters[1],
            Parameter {
                name: "options",
                kind: "map",
                optional: true
            }
        );
        assert_eq!((get.result, get.open), ("response", false));

        let print = Signature::parse("(…values: any)").unwrap();
        assert!(print.open);
        assert_eq!(print.result, "()");

        let now = Signature::parse("() -> float").unwrap();
        assert_eq!(now.arities().collect::<Vec<_>>(), [0]);

        for not in ["seconds", "(path)", "(a: int) float", "(a: int"] {
            assert_eq!(Signature::parse(not), None, "{not}");
        }
    }
}
