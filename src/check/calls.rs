//! Calls of functions by name: unknown ones, wrong numbers of arguments, words out of place.
//!
//! Methods are checked by `chains` and `users`.

use rhai::{Expr, FnCallExpr, Position};

use super::walk::Walker;
use super::{error_at, habits, not_yet};
use crate::language::{self, Kind, Place, Word};
use crate::scenario::names::did_you_mean;
use crate::script::patterns;
use crate::script::tree::{self, Function};

impl<'a> Walker<'a, '_> {
    /// Checks `name(…)` and `lib::name(…)`.
    pub(super) fn call(&mut self, call: &'a FnCallExpr, position: Position) {
        let (name, arguments) = (call.name.as_str(), call.args.len());
        if call.is_qualified() {
            self.qualified_call(call, position);
            return;
        }
        let special = ["call", "curry", "Fn"].contains(&name);
        let is_variable = self.bundle.names[self.file].variables.contains(name);
        if let ("find", [_, pattern]) = (name, &*call.args) {
            self.pattern(pattern);
        }
        if special || is_variable {
            return;
        }
        let mut arities: Vec<usize> = self
            .bundle
            .functions_named(name)
            .map(|function| function.parameters.len())
            .collect();
        if arities.contains(&arguments) {
            return;
        }
        if let Some(word) = language::find(Kind::Function, name) {
            if self.word(word, call, position) {
                return;
            }
            arities.extend(word.arities());
        }
        let natives: Vec<usize> = self.natives.function_arities(name).collect();
        if natives.contains(&arguments) {
            return;
        }
        arities.extend(natives);
        if arities.is_empty() {
            if self.bundle.complete {
                self.unknown_function(name, position);
            }
        } else {
            let word = language::find(Kind::Function, name);
            self.wrong_arity(name, position, arguments, arities, word);
        }
    }

    /// Checks a call of a word of the language; true if nothing else can be meant.
    fn word(&mut self, word: &Word, call: &FnCallExpr, position: Position) -> bool {
        let arguments = call.args.len();
        if !word.available {
            // Rhai has `append` and `find` too; on a text only ours can be meant.
            let is_rhais = self.natives.has(word.name, arguments);
            let on_text = call
                .args
                .first()
                .is_some_and(|first| tree::string(first).is_some());
            if is_rhais && !on_text {
                return true;
            }
            let finding = not_yet(self.path, position, word.name);
            self.report(finding);
            return true;
        }
        if !word.takes(arguments) {
            return false;
        }
        let (name, doc) = (word.name, word.doc);
        match (word.place, self.frame.place) {
            (Place::Task, Place::TopLevel) => self.error(
                position,
                name,
                format!("`{name}` at the top level, where there is no user"),
                "the top level describes: put it into a task, `on_start` or a method",
            ),
            (Place::TopLevel, Place::Task) => self.error(
                position,
                name,
                format!("`{name}` inside a task ({doc})"),
                "it declares: write it at the top level",
            ),
            _ => {}
        }
        if name == "interrupt" && self.frame.in_set == Some(false) {
            self.error(
                position,
                name,
                "`interrupt` outside a task set",
                "it leaves a `task_set`, `sequence` or `markov`; `return` ends a task, \
                 `stop_user()` the user",
            );
        }
        true
    }

    /// Checks a literal regular expression.
    pub(super) fn pattern(&mut self, expr: &Expr) {
        if let Some(Err(message)) = tree::string(expr).map(patterns::compile) {
            let finding = error_at(self.path, expr.start_position(), 1, message);
            self.report(finding.hint("a backslash is doubled in \"…\", but not in #\"…\"#"));
        }
    }

    /// Checks a literal CSS selector.
    pub(super) fn selector(&mut self, expr: &Expr) {
        if let Some(Err(message)) = tree::string(expr).map(patterns::compile_selector) {
            let finding = error_at(self.path, expr.start_position(), 1, message);
            self.report(finding.hint("such as `a.next`, `#cart td` or `input[name=token]`"));
        }
    }

    fn qualified_call(&mut self, call: &FnCallExpr, position: Position) {
        let [module] = call.namespace.path.as_slice() else {
            return;
        };
        let Some(script) = self.imported(&module.name) else {
            return;
        };
        let name = call.name.as_str();
        let functions = &self.bundle.scripts[script].functions;
        let is_function = |function: &&Function| function.name == name;
        let arities: Vec<usize> = functions
            .iter()
            .filter(is_function)
            .map(|function| function.parameters.len())
            .collect();
        if arities.contains(&call.args.len()) {
            return;
        }
        if arities.is_empty() {
            let names = functions
                .iter()
                .filter(|function| !function.is_closure())
                .map(|function| function.name.as_str());
            let file = self.bundle.scripts[script].path;
            let hint = did_you_mean(name, names)
                .unwrap_or_else(|| format!("define `fn {name}(…) {{ … }}` in `{file}`"));
            let message = format!("`{file}` has no function `{name}`");
            self.error(position, name, message, hint);
        } else {
            self.wrong_arity(name, position, call.args.len(), arities, None);
        }
    }

    /// The file that an `import … as name` of this file names, if it is in the bundle.
    fn imported(&self, name: &str) -> Option<usize> {
        let path =
            self.bundle.scripts[self.file]
                .statements
                .iter()
                .find_map(|stmt| match stmt {
                    rhai::Stmt::Import(parts, _) if parts.1.name == name => tree::string(&parts.0),
                    _ => None,
                })?;
        let file_name = format!("{}.rhai", path.trim_end_matches(".rhai"));
        let is_meant = |script: &super::Script| {
            let before = script.path.strip_suffix(file_name.trim_start_matches("./"));
            before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        // Two files of that name in different folders: only the loader knows which one.
        let mut meant =
            (0..self.bundle.scripts.len()).filter(|index| is_meant(&self.bundle.scripts[*index]));
        meant.next().filter(|_| meant.next().is_none())
    }

    fn unknown_function(&mut self, name: &str, position: Position) {
        let words = language::of_kind(Kind::Function)
            .filter(|word| word.available)
            .map(|word| word.name);
        let own = self.bundle.scripts[self.file]
            .functions
            .iter()
            .filter(|function| !function.is_closure())
            .map(|function| function.name.as_str());
        let known = words.chain(own).chain(self.natives.names());
        let is_request = language::find(Kind::ClientMethod, name).is_some();
        let is_method = self.class_keys().any(|key| key == name);
        let is_data_method = language::find(Kind::DataMethod, name).is_some();
        let hint = if is_request {
            format!("write `this.client.{name}(…)`")
        } else if is_method {
            format!("methods and tasks are called on the user: `this.{name}(…)`")
        } else if is_data_method {
            format!("it is a method: `data.{name}(…)`")
        } else {
            habits::function(name)
                .map(str::to_owned)
                .or_else(|| did_you_mean(name, known))
                .unwrap_or_else(|| format!("define it: `fn {name}(…) {{ … }}`"))
        };
        self.error(position, name, format!("unknown function `{name}`"), hint);
    }

    /// `word` is what is called, if it is a word of the language.
    pub(super) fn wrong_arity(
        &mut self,
        name: &str,
        position: Position,
        arguments: usize,
        mut arities: Vec<usize>,
        word: Option<&Word>,
    ) {
        arities.sort_unstable();
        arities.dedup();
        let hint = match word {
            Some(word) if word.kind == Kind::Function => Some(format!("`{name}`: {}", word.doc)),
            Some(word) => {
                let forms = word.signs.iter().map(|sign| format!("`.{name}{sign}`"));
                let forms: Vec<_> = forms.collect();
                Some(format!("{}: {}", forms.join(", "), word.doc))
            }
            None => habits::function(name).map(str::to_owned),
        };
        let message = format!("`{name}` takes {}, not {arguments}", counts(&arities));
        let finding = error_at(self.path, position, name.chars().count(), message);
        self.report(match hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        });
    }
}

/// "no argument", "1 argument", "1 or 2 arguments".
fn counts(numbers: &[usize]) -> String {
    let texts: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    match numbers {
        [0] => "no argument".to_owned(),
        [1] => "1 argument".to_owned(),
        _ => format!("{} arguments", texts.join(" or ")),
    }
}
