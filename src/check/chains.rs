//! Members: what is called and read on clients, responses and values of unknown type.
//!
//! What is read and called on `this` itself is checked by `users`.

use rhai::{Expr, FnCallExpr, Position};

use super::walk::{This, Walker};
use super::{error_at, habits, not_yet};
use crate::language::{self, Kind};
use crate::scenario::names::did_you_mean;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree::{self, Chain, Step};

/// Methods of function pointers, and of the results of a later version's functions: those are
/// reported where they are called.
const SILENT_METHODS: &[&str] = &["call", "curry"];

/// True if an expression is a request whose response is its value.
pub(super) fn is_response(expr: &Expr) -> bool {
    let chain = tree::chain(expr);
    match (chain.root, chain.steps.as_slice()) {
        (Expr::ThisPtr(_), [Step::Property("client", _), Step::Method(call, _)]) => {
            let word = language::find(Kind::ClientMethod, &call.name);
            word.is_some_and(|word| word.available && word.name != "batch")
        }
        _ => false,
    }
}

impl<'a> Walker<'a, '_> {
    /// Checks the steps of a chain.
    pub(super) fn members(&mut self, chain: &Chain<'a>) {
        match (chain.root, chain.steps.as_slice()) {
            (Expr::ThisPtr(_), [Step::Property("client", _), rest @ ..])
                if !matches!(self.frame.this, This::Shape(_)) =>
            {
                self.client(rest);
            }
            (Expr::ThisPtr(_), steps) => self.user(steps),
            (root, steps) => match tree::variable(root) {
                Some(name) if self.is_response(name) => self.response(steps),
                _ => self.unknown_value(steps),
            },
        }
    }

    fn client(&mut self, steps: &[Step<'a>]) {
        match steps {
            [Step::Method(call, position), rest @ ..] => {
                let (name, arguments) = (call.name.as_str(), call.args.len());
                match language::find(Kind::ClientMethod, name) {
                    Some(word) if !word.available => {
                        let finding = not_yet(self.path, *position, name);
                        self.report(finding);
                    }
                    Some(word) if !word.takes(arguments) => {
                        self.wrong_arity(name, *position, arguments, word.arities(), Some(word));
                    }
                    Some(_) if name == "batch" => {
                        self.batch(call);
                        self.unknown_value(rest);
                    }
                    Some(_) => {
                        self.options_of_request(call);
                        self.response(rest);
                    }
                    None => self.unknown_client_member(name, *position),
                }
            }
            [Step::Property(name, position), rest @ ..] => {
                if language::find(Kind::ClientProperty, name).is_some() {
                    self.unknown_value(rest);
                } else {
                    self.unknown_client_member(name, *position);
                }
            }
            _ => self.unknown_value(steps),
        }
    }

    fn unknown_client_member(&mut self, name: &str, position: Position) {
        let known = language::all()
            .filter(|word| matches!(word.kind, Kind::ClientMethod | Kind::ClientProperty))
            .filter(|word| word.available);
        let hint = match name {
            "host" | "base_url" => "the host is the class's attribute `host`, or `-H`".to_owned(),
            _ => did_you_mean(name, known.map(|word| word.name)).unwrap_or_else(|| {
                "a client has `get`, `post`, `put`, `patch`, `delete`, `head`, `options`, \
                 `request`, `rest`, `batch`, `headers` and `cookies`"
                    .to_owned()
            }),
        };
        self.error(position, name, format!("a client has no `{name}`"), hint);
    }

    /// Checks the literal map of a request's options.
    fn options_of_request(&mut self, call: &'a FnCallExpr) {
        let index = match call.name.as_str() {
            "request" | "rest" => 2,
            _ => 1,
        };
        if let Some(options) = call.args.get(index) {
            self.request_options(options, &[]);
        }
    }

    /// Checks the requests of a batch, where they are literals.
    fn batch(&mut self, call: &'a FnCallExpr) {
        let Some(Expr::Array(elements, _)) = call.args.first() else {
            return;
        };
        for element in elements.iter() {
            match element {
                Expr::Array(parts, _) => {
                    if let Some(options) = parts.get(2) {
                        self.request_options(options, &[]);
                    }
                }
                element => self.request_options(element, &["method", "path"]),
            }
        }
    }

    /// Checks the keys of a literal map, in which `more` are allowed.
    fn request_options(&mut self, options: &'a Expr, more: &[&str]) {
        for (key, _) in tree::map_entries(options).unwrap_or_default() {
            let name = key.name.as_str();
            if more.contains(&name) {
                continue;
            }
            if let Some(word) = language::find(Kind::RequestOption, name) {
                if !word.available {
                    let finding = not_yet(self.path, key.pos, name);
                    self.report(finding);
                }
                continue;
            }
            let known = language::of_kind(Kind::RequestOption)
                .filter(|word| word.available)
                .map(|word| word.name);
            let hint = habits::request_option(name)
                .map(str::to_owned)
                .or_else(|| did_you_mean(name, known))
                .unwrap_or_else(|| {
                    format!(
                        "did you mean `form: #{{ {name}: … }}`, `json: #{{ {name}: … }}` or \
                         `params: #{{ {name}: … }}`?"
                    )
                });
            self.error(
                key.pos,
                name,
                format!("unknown request option `{name}`"),
                hint,
            );
        }
    }

    fn response(&mut self, steps: &[Step<'a>]) {
        match steps {
            [Step::Property(name, position), rest @ ..] => {
                self.response_property(name, *position);
                self.unknown_value(rest);
            }
            [Step::Method(call, position), rest @ ..] => {
                let (name, arguments) = (call.name.as_str(), call.args.len());
                match language::find(Kind::ResponseMethod, name) {
                    Some(word) if !word.available => {
                        let finding = not_yet(self.path, *position, name);
                        self.report(finding);
                    }
                    Some(word) if !word.takes(arguments) => {
                        self.wrong_arity(name, *position, arguments, word.arities(), Some(word));
                    }
                    Some(_) => {
                        if let ("find" | "find_all", [pattern]) = (name, &*call.args) {
                            self.pattern(pattern);
                        }
                        if let ("css", [selector, ..]) = (name, &*call.args) {
                            self.selector(selector);
                        }
                    }
                    None => self.unknown_method(call, *position),
                }
                self.unknown_value(rest);
            }
            _ => self.unknown_value(steps),
        }
    }

    fn response_property(&mut self, name: &str, position: Position) {
        match language::find(Kind::ResponseProperty, name) {
            Some(word) if word.available => {}
            Some(_) => {
                let finding = not_yet(self.path, position, name);
                self.report(finding);
            }
            None => {
                let hint = if language::find(Kind::ResponseMethod, name).is_some() {
                    format!("call it: `.{name}(…)`")
                } else {
                    let known = language::of_kind(Kind::ResponseProperty)
                        .filter(|word| word.available)
                        .map(|word| word.name);
                    did_you_mean(name, known).unwrap_or_else(|| {
                        "a field of a JSON body is `.json(\"/field\")`".to_owned()
                    })
                };
                self.error(position, name, format!("a response has no `{name}`"), hint);
            }
        }
    }

    /// Reports only what no value could have.
    pub(super) fn unknown_value(&mut self, steps: &[Step<'a>]) {
        for step in steps {
            if let Step::Method(call, position) = step {
                self.unknown_method(call, *position);
            }
        }
    }

    fn unknown_method(&mut self, call: &'a FnCallExpr, position: Position) {
        let (name, arguments) = (call.name.as_str(), call.args.len());
        let bundle = self.bundle;
        match (name, &*call.args) {
            ("append", [argument]) => self.append_of_one(argument, position),
            ("find", [pattern]) => self.pattern(pattern),
            ("css", [selector] | [selector, _]) if !bundle.map_keys.contains(name) => {
                self.selector(selector);
            }
            _ => {}
        }
        if SILENT_METHODS.contains(&name) || !bundle.complete || bundle.map_keys.contains(name) {
            return;
        }
        let members: Vec<_> = language::all()
            .filter(|word| {
                matches!(
                    word.kind,
                    Kind::ClientMethod
                        | Kind::ResponseMethod
                        | Kind::DataMethod
                        | Kind::QueueMethod
                        | Kind::CounterMethod
                        | Kind::MetricMethod
                        | Kind::SetupMethod
                )
            })
            .filter(|word| word.name == name)
            .collect();
        let mut arities: Vec<usize> = members.iter().flat_map(|word| word.arities()).collect();
        let own = bundle
            .functions_named(name)
            .map(|function| function.parameters.len());
        arities.extend(own);
        // Every function may be called like a method of its first argument.
        let natives = self
            .natives
            .arities(name)
            .filter_map(|arity| arity.checked_sub(1));
        arities.extend(natives);
        if let Some(word) = language::find(Kind::Function, name).filter(|word| word.available) {
            if word.arities().is_empty() {
                return;
            }
            let arguments = word.arities().into_iter();
            arities.extend(arguments.filter_map(|arity| arity.checked_sub(1)));
        }
        let is_only_ours = !members.is_empty() && self.natives.arities(name).next().is_none();
        if is_only_ours && members.iter().all(|word| !word.available) {
            let finding = not_yet(self.path, position, name);
            self.report(finding);
        } else if arities.is_empty() {
            let known = language::of_kind(Kind::ResponseMethod)
                .filter(|word| word.available)
                .map(|word| word.name);
            let known = known.chain(self.natives.names());
            let hint = habits::method(name)
                .map(str::to_owned)
                .or_else(|| did_you_mean(name, known));
            let width = name.chars().count();
            let finding = error_at(
                self.path,
                position,
                width,
                format!("unknown method `{name}`"),
            );
            self.report(match hint {
                Some(hint) => finding.hint(hint),
                None => finding,
            });
        } else if !arities.contains(&arguments) {
            let function = language::find(Kind::Function, name);
            let word = members.first().copied().or(function);
            self.wrong_arity(name, position, arguments, arities, word);
        } else if self.is_request(call) {
            self.options_of_request(call);
        }
    }

    /// Python's `append`. On a text it would be ours, which writes to the file of that name.
    fn append_of_one(&mut self, argument: &Expr, position: Position) {
        let is_text = matches!(
            argument,
            Expr::StringConstant(..) | Expr::InterpolatedString(..)
        );
        let is_one = matches!(
            argument,
            Expr::Map(..)
                | Expr::Unit(_)
                | Expr::BoolConstant(..)
                | Expr::IntegerConstant(..)
                | Expr::FloatConstant(..)
        );
        if is_text {
            let message = "`append` is no method of a text: it adds a line to a file";
            let hint = "join texts with `+=`, add an element to an array with `push(…)`, write a \
                        line with `append(\"file\", line)`";
            self.error(position, "append", message, hint);
        } else if is_one {
            let (line, column) = tree::line_and_column(position);
            let finding = Diagnostic::warning(self.path, "`append` joins two arrays");
            let finding = finding.at(line, column, 6);
            self.report(finding.hint("write `push(…)` to add one element"));
        }
    }

    /// True if a call on an unknown value can only be meant for a client: by name and by path.
    fn is_request(&self, call: &FnCallExpr) -> bool {
        let path = match (call.name.as_str(), &*call.args) {
            ("request" | "rest", [_, path, _]) | (_, [path, _]) => path,
            _ => return false,
        };
        let start = match path {
            Expr::InterpolatedString(parts, _) => parts.first().and_then(tree::string),
            _ => tree::string(path),
        };
        language::find(Kind::ClientMethod, &call.name).is_some()
            && start.is_some_and(|start| start.starts_with('/') || start.starts_with("http"))
    }
}
