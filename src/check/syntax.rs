//! The parser's errors in our own words, with what was probably meant.
//!
//! Rhai stops at the first error of a file and names what it expected, not what was written; the
//! text at and before the error shows which habit it comes from.

use rhai::{LexError, ParseError, ParseErrorType};

use super::habits;
use crate::scenario::names::did_you_mean;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// The text at and around an error.
struct ErrorSite<'a> {
    /// The text from the place to the end of its line.
    here: &'a str,
    /// The text of the line before the place.
    before: &'a str,
    /// The whole file.
    text: &'a str,
}

/// What is wrong, what to write instead, and how many characters are meant.
struct Explanation {
    message: String,
    hint: Option<String>,
    width: usize,
}

/// The finding for a parser's error.
pub(super) fn explain(path: &str, text: &str, error: &ParseError) -> Diagnostic {
    let (line, column) = tree::line_and_column(error.position());
    let place = ErrorSite::new(text, line, column);
    let finding = place.finding(error.err_type());
    let width = u32::try_from(finding.width).unwrap_or(1);
    let diagnostic = Diagnostic::error(path, finding.message).at(line, column, width);
    match finding.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

impl<'a> ErrorSite<'a> {
    fn new(text: &'a str, line: u32, column: u32) -> ErrorSite<'a> {
        let index = line.saturating_sub(1) as usize;
        let source = text.lines().nth(index).unwrap_or_default();
        let byte = source
            .char_indices()
            .nth(column.saturating_sub(1) as usize)
            .map_or(source.len(), |(byte, _)| byte);
        ErrorSite {
            here: &source[byte..],
            before: &source[..byte],
            text,
        }
    }

    fn finding(&self, error: &ParseErrorType) -> Explanation {
        use ParseErrorType as E;
        if let Some(finding) = self.habit(error) {
            return finding;
        }
        match error {
            E::VariableUndefined(name) => self.undefined(name),
            E::ModuleUndefined(name) => named(format!("undefined module `{name}`"), name).hint(
                format!("write `import \"{name}\" as {name};` at the top of the file"),
            ),
            E::Reserved(word) => {
                let hint = habits::variable(word).unwrap_or("give it another name");
                named(format!("`{word}` is reserved"), word).hint(hint)
            }
            E::BadInput(LexError::MalformedChar(text)) => {
                let finding = plain("single quotes hold one character, not a text");
                Explanation {
                    width: text.chars().count() + 2,
                    ..finding
                }
                .hint(format!("write `\"{}\"`", text.escape_debug()))
            }
            E::BadInput(LexError::UnterminatedString) => plain("this text has no end")
                .hint("close it with the quote it began with; backticks may span lines"),
            E::BadInput(LexError::ImproperSymbol(symbol, _)) if symbol == "this" => {
                named("`this` at the top level, where there is no user", symbol)
                    .hint("the top level describes: put it into a task, `on_start` or a method")
            }
            E::BadInput(LexError::ImproperSymbol(symbol, _)) => {
                let meant = match symbol.as_str() {
                    "===" => Some("write `==`"),
                    "!==" => Some("write `!=`"),
                    ":=" => Some("write `let name = …`"),
                    "->" | "=>" => Some("a closure is `|x| …`"),
                    _ => None,
                };
                let finding = named(format!("`{symbol}` is no operator"), symbol);
                meant.map_or_else(|| plain(reworded(error)), |hint| finding.hint(hint))
            }
            E::UnknownOperator(symbol) => {
                let finding = named(format!("`{symbol}` is no operator"), symbol);
                match symbol.as_str() {
                    "?" => finding.hint("write `if x { a } else { b }`: it is a value"),
                    "++" | "--" => finding.hint("write `x += 1` or `x -= 1`"),
                    _ => finding,
                }
            }
            E::DuplicatedProperty(name) => {
                named(format!("two keys of the name `{name}`"), name).hint("keep one of them")
            }
            E::FnDuplicatedDefinition(name, parameters) => {
                let (count, s) = (parameters, if *parameters == 1 { "" } else { "s" });
                plain(format!(
                    "there are two functions `{name}` with {count} parameter{s}"
                ))
                .hint("give one of them another name")
            }
            E::AssignmentToConstant(name) => named(format!("`{name}` is a constant"), name)
                .hint("declare it with `let`; what a user changes lives in `state`"),
            E::TooManyFunctions => plain("more than 5,000 functions and closures in one file")
                .hint("make one of those that are alike, or put some into a file to `import`"),
            E::LiteralTooLarge(what, most) if what.contains("map") => plain(format!(
                "more than {most} keys in a map that is written out"
            ))
            .hint("put the data into a file: `json_file(\"data.json\")`"),
            E::ForbiddenVariable(name) => named("more than 5,000 variables in one place", name)
                .hint("put the values into an array or a map"),
            E::ExprTooDeep => plain("nested too deep").hint("split it with `let`"),
            E::WrongFnDefinition => plain("`fn` inside a block or a function").hint(
                "write it at the top level, or a closure: `let f = |x| { … };` and `f.call(x)`",
            ),
            E::MissingToken(token, purpose) => {
                let finding = plain(format!("expected `{token}` {}", purpose.replace('\'', "`")));
                match token.as_str() {
                    "," => finding.hint("put a `,` before this"),
                    ";" => finding.hint("put a `;` before this, if a statement ends there"),
                    _ => finding,
                }
            }
            _ => plain(reworded(error)),
        }
    }

    /// Recognises another language's syntax in the text at the error.
    fn habit(&self, error: &ParseErrorType) -> Option<Explanation> {
        use ParseErrorType as E;
        let last = last_word(self.before);
        let here = first_word(self.here);
        if last == "import" {
            return Some(
                plain("`import` takes the name of a script as a text")
                    .hint("write `import \"lib\" as lib;`; what the language has needs no import"),
            );
        }
        match error {
            E::Reserved(symbol) if symbol.starts_with('#') => {
                return Some(plain("`#` starts no comment").hint("write `// comment`"));
            }
            E::Reserved(symbol) if symbol == "@" => {
                let hint = "a task is a key of its class: `browse: task(3, || { … })`";
                return Some(plain("there are no decorators").hint(hint));
            }
            E::Reserved(symbol) if symbol == "?" => {
                let hint = "write `if x { a } else { b }`: it is a value";
                return Some(plain("`?` is no operator").hint(hint));
            }
            E::VariableUndefined(name)
                if is_prefix_of_text(name, self.here.strip_prefix(here).unwrap_or_default()) =>
            {
                return Some(prefixed_text(name));
            }
            E::VariableUndefined(name) if self.begins_arrow(name) => {
                return Some(plain("`=>` makes no function").hint("a closure is `|x| …`"));
            }
            E::MissingToken(..) => {}
            _ => return None,
        }
        if is_prefix_of_text(last, self.here) {
            return Some(prefixed_text(last));
        }
        if self.here.starts_with(':') {
            return Some(self.colon());
        }
        if self.here.starts_with('=') && !self.here.starts_with("==") && self.opens_block(error) {
            return Some(plain("`=` in a condition").hint("write `==`"));
        }
        if self.here.starts_with('@') {
            let hint = "a task is a key of its class: `browse: task(3, || { … })`";
            return Some(plain("there are no decorators").hint(hint));
        }
        let hint = match here {
            "and" => "write `&&`",
            "or" => "write `||`",
            "is" => "write `==` or `!=`",
            "if" => "write `if x { a } else { b }`: it is a value",
            "except" => "write `try { … } catch (error) { … }`",
            "then" => "write `{ … }`",
            _ => {
                let hint = habits::variable(last).filter(|_| !last.is_empty())?;
                return Some(plain(format!("`{last}` is no word here")).hint(hint));
            }
        };
        Some(named(format!("`{here}` is no word here"), here).hint(hint))
    }

    fn colon(&self) -> Explanation {
        let before = self.before.trim_end();
        let keyword = first_word(before.trim_start());
        if ["def", "lambda", "class"].contains(&keyword) || before.contains("lambda ") {
            let keyword = if before.contains("lambda ") {
                "lambda"
            } else {
                keyword
            };
            let hint = habits::variable(keyword).unwrap_or_default();
            return plain(format!("`{keyword}` is no word here")).hint(hint);
        }
        let opens_block = [
            "if", "elif", "else", "for", "while", "try", "except", "with", "}",
        ];
        if opens_block.contains(&keyword) || before.starts_with('}') || before.ends_with("else") {
            let hint = if before.contains("range(") {
                "write `for i in 0..10 { … }`: indentation means nothing here"
            } else {
                "write `{ … }`: indentation means nothing here"
            };
            return plain("`:` opens no block").hint(hint);
        }
        let (open_brace, open_bracket) = (before.rfind('{'), before.rfind('['));
        if open_bracket > open_brace {
            return plain("`:` cuts no piece out").hint("write `list.extract(1..3)`");
        }
        plain("`:` outside a map").hint("a map is `#{ a: 1, b: 2 }`, with `#` before the brace")
    }

    fn opens_block(&self, error: &ParseErrorType) -> bool {
        matches!(error, ParseErrorType::MissingToken(token, _) if token == "{")
            && !self.before.is_empty()
    }

    fn begins_arrow(&self, name: &str) -> bool {
        let after = self.here.strip_prefix(name).unwrap_or_default();
        let after = after.split_once(')').map_or(after, |(_, after)| after);
        after.trim_start().starts_with("=>")
    }

    fn undefined(&self, name: &str) -> Explanation {
        let finding = named(format!("undefined variable `{name}`"), name);
        if self.declares("const", name) {
            return finding.hint(format!(
                "a `fn` sees a constant of the top level as `global::{name}`; elsewhere, declare \
                 it before it is used"
            ));
        }
        if self.declares("let", name) {
            return finding.hint(
                "declare it before it is used; a `fn` does not see the top level's variables, so \
                 pass it as an argument",
            );
        }
        if let Some(hint) = habits::variable(name) {
            return finding.hint(hint);
        }
        let declared = self.declared();
        match did_you_mean(name, declared.iter().copied()) {
            Some(hint) => finding.hint(hint),
            None => finding.hint(format!("declare it: `let {name} = …;`")),
        }
    }

    fn declares(&self, keyword: &str, name: &str) -> bool {
        let mut rest = self.text;
        while let Some((_, after)) = rest.split_once(keyword) {
            let after_space = after.trim_start();
            if after_space.len() < after.len() && first_word(after_space) == name {
                return true;
            }
            rest = after;
        }
        false
    }

    /// Every name that follows a `let`, `const` or `fn`.
    fn declared(&self) -> Vec<&'a str> {
        let words: Vec<&str> = self.text.split(|c: char| !is_word(c)).collect();
        let mut words = words.into_iter().filter(|word| !word.is_empty());
        let mut found = Vec::new();
        while let Some(word) = words.next() {
            if ["let", "const", "fn", "as"].contains(&word) {
                found.extend(words.next());
            }
        }
        found
    }
}

impl Explanation {
    fn hint(mut self, hint: impl Into<String>) -> Explanation {
        self.hint = Some(hint.into());
        self
    }
}

fn plain(message: impl Into<String>) -> Explanation {
    Explanation {
        message: message.into(),
        hint: None,
        width: 1,
    }
}

fn named(message: impl Into<String>, name: &str) -> Explanation {
    Explanation {
        width: name.chars().count(),
        ..plain(message)
    }
}

fn is_prefix_of_text(word: &str, rest: &str) -> bool {
    ["f", "r", "b", "fr", "rf", "u"].contains(&word) && rest.starts_with(['"', '\'', '`'])
}

fn prefixed_text(prefix: &str) -> Explanation {
    let finding = named(format!("`{prefix}` before a text"), prefix);
    finding.hint("write `` `text ${value}` ``, in backticks")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    &text[..end]
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end();
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_word(*c))
        .last()
        .map_or(text.len(), |(at, _)| at);
    &text[start..]
}

/// The parser's own words as a lower-case fragment with backticks.
fn reworded(error: &ParseErrorType) -> String {
    let text = error.to_string().replace('\'', "`");
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
