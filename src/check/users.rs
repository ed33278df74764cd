//! What is read, called and assigned on `this`.
//!
//! A user has its class's state, methods and tasks, whatever is assigned to it anywhere, and
//! `client`. The client's own members are checked by `chains`.

use std::collections::HashSet;

use rhai::{Expr, FnCallExpr, Position};

use super::bundle::{Class, Literal};
use super::not_yet;
use super::sets::Member;
use super::walk::{This, Walker};
use crate::language::{self, Kind, Place};
use crate::scenario::names;
use crate::scenario::names::did_you_mean;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree::{self, Chain, Step};

impl<'a> Walker<'a, '_> {
    /// Checks the steps after `this`, except for those on the client.
    pub(super) fn user(&mut self, steps: &[Step<'a>]) {
        match steps {
            [Step::Property(name, position), rest @ ..] => {
                self.read_of_this(name, *position);
                self.unknown_value(rest);
            }
            [Step::Method(call, position), rest @ ..] => {
                self.method_of_this(call, *position);
                self.unknown_value(rest);
            }
            [Step::Index(_), rest @ ..] => self.unknown_value(rest),
            [] => {}
        }
    }

    /// Checks `this… = …`.
    pub(super) fn assignment_to_this(&mut self, chain: &Chain<'a>, keeps_value: bool) {
        let position = chain.root.position();
        let is_users = !matches!(self.frame.this, This::Shape(_));
        match chain.steps.as_slice() {
            [] if is_users => self.error(
                position,
                "this",
                "`this` cannot be replaced: it holds the user's client",
                "assign its members: `this.name = …`",
            ),
            [Step::Property("client", position)] if is_users => self.client_assigned(*position),
            [Step::Index(index)] if tree::string(index) == Some("client") => {
                self.client_assigned(index.position());
            }
            [Step::Property(name, position)] if keeps_value => self.read_of_this(name, *position),
            [Step::Property(name, position)] => self.written_alone(name, *position),
            [] | [_] => {}
            _ => self.members(chain),
        }
    }

    fn client_assigned(&mut self, position: Position) {
        let hint = "headers and cookies are set on it: `this.client.headers[\"Name\"] = \"value\"`";
        self.error(position, "client", "`this.client` cannot be replaced", hint);
    }

    fn read_of_this(&mut self, name: &str, position: Position) {
        let bundle = self.bundle;
        if let This::Shape(keys) = &self.frame.this {
            let keys = keys.clone();
            self.read_of_memory(&keys, name, position);
            return;
        }
        if bundle.this_is_open || bundle.set_on_this.contains(name) || name == "client" {
            return;
        }
        let classes = self.possible_classes();
        let is_seen = |class: &&Class| class.complete && class.state.is_some();
        if classes.is_empty() || !classes.iter().all(is_seen) {
            return;
        }
        let states = || classes.iter().filter_map(|class| class.state.as_ref());
        if states().any(|state| state.contains(name))
            || classes.iter().any(|class| self.keys(class).contains(&name))
        {
            return;
        }
        let known = states()
            .flatten()
            .copied()
            .chain(bundle.set_on_this.iter().copied())
            .chain(["client"]);
        let hint = if language::find(Kind::ClientMethod, name).is_some() {
            format!("did you mean `this.client.{name}`?")
        } else if language::find(Kind::Function, &format!("vu_{name}")).is_some() {
            format!("did you mean `vu_{name}()`?")
        } else {
            match names::nearest(name, known) {
                Some(known) => format!("did you mean `this.{known}`?"),
                None => format!("set it at first: `state: #{{ {name}: … }}`, or in `on_start`"),
            }
        };
        self.error(position, name, format!("nothing sets `this.{name}`"), hint);
    }

    /// Warns of a name that is set on a user, never read, and close to a name of its class.
    fn written_alone(&mut self, name: &str, position: Position) {
        let bundle = self.bundle;
        if !bundle.complete || bundle.reads(name) {
            return;
        }
        let classes = self.possible_classes();
        let states = || classes.iter().filter_map(|class| class.state.as_ref());
        if states().any(|state| state.contains(name)) {
            return;
        }
        if let Some(meant) = names::nearest(name, states().flatten().copied()) {
            let (line, column) = tree::line_and_column(position);
            let width = u32::try_from(name.chars().count()).unwrap_or(u32::MAX);
            let message = format!("`this.{name}` is set and never read");
            let finding = Diagnostic::warning(self.path, message).at(line, column, width);
            self.report(finding.hint(format!("did you mean `this.{meant}`?")));
        }
    }

    /// Checks a read from the memory of a shape's closure.
    fn read_of_memory(&mut self, keys: &[&str], name: &str, position: Position) {
        let bundle = self.bundle;
        if bundle.this_is_open || bundle.set_on_this.contains(name) || keys.contains(&name) {
            return;
        }
        let hint = if name == "client" {
            "a shape has no user: `this` is what it remembers, its `state`".to_owned()
        } else {
            let set = bundle.set_on_this.iter().chain(keys).copied();
            match names::nearest(name, set) {
                Some(known) => format!("did you mean `this.{known}`?"),
                None => format!(
                    "set it at first: `shape(#{{ state: #{{ {name}: … }}, tick: |run_time| … }})`"
                ),
            }
        };
        self.error(position, name, format!("nothing sets `this.{name}`"), hint);
    }

    fn method_of_this(&mut self, call: &'a FnCallExpr, position: Position) {
        let (name, arguments) = (call.name.as_str(), call.args.len());
        if matches!(self.frame.this, This::UserOf(_) | This::User)
            && self.breaks_user(call, position)
        {
            return;
        }
        if let Some(word) = language::find(Kind::UserMethod, name) {
            if !word.available {
                let finding = not_yet(self.path, position, name);
                self.report(finding);
                return;
            }
            if !self.class_keys().any(|key| key == name) {
                if !word.takes(arguments) {
                    let message = format!("`{name}` takes a name and a closure");
                    let hint = format!("write `this.{name}(\"name\", || {{ … }})`");
                    self.error(position, name, message, hint);
                }
                return;
            }
        }
        let classes = self.possible_classes();
        if !self.bundle.complete || self.bundle.set_on_this.contains(name) {
            return;
        }
        let mut arities = Vec::new();
        for class in &classes {
            let in_sets = self.set_values(class, name);
            for (file, value) in values_of(&class.literals, name).into_iter().chain(in_sets) {
                match self.method_arity(file, value) {
                    Some(arity) => arities.push(arity),
                    // A method whose definition cannot be seen may take anything.
                    None => return,
                }
            }
        }
        let own = self.bundle.functions_named(name);
        arities.extend(own.map(|function| function.parameters.len()));
        if !classes.is_empty() && classes.iter().all(|class| class.sees_sets) && arities.is_empty()
        {
            let in_state = classes.iter().any(|class| match &class.state {
                Some(keys) => keys.contains(name),
                None => true,
            });
            let natives = self.natives.function_arities(name);
            let natives: Vec<_> = natives.filter_map(|arity| arity.checked_sub(1)).collect();
            let means_client = language::find(Kind::ClientMethod, name).is_some()
                && (natives.is_empty() || is_path(call.args.first()));
            let means_function = language::find(Kind::Function, name)
                .is_some_and(|word| word.available && word.place == Place::Task);
            if means_client {
                let hint = format!("write `this.client.{name}(…)`");
                self.error(
                    position,
                    name,
                    format!("a user has no method `{name}`"),
                    hint,
                );
            } else if (natives.is_empty() || means_function) && !in_state {
                self.unknown_user_method(name, position);
            }
            return;
        }
        let mut natives = self.natives.function_arities(name);
        let is_native = natives.any(|arity| arity == arguments + 1);
        if !arities.is_empty() && !arities.contains(&arguments) && !is_native {
            self.wrong_arity(name, position, arguments, arities, None);
        }
    }

    fn breaks_user(&mut self, call: &FnCallExpr, position: Position) -> bool {
        let (message, hint) = match (call.name.as_str(), &*call.args) {
            ("clear", []) => (
                "`this.clear()` would throw the user's client away",
                "remove single members: `this.name = ()`",
            ),
            ("remove", [key]) if tree::string(key) == Some("client") => (
                "`this.remove(\"client\")` would throw the user's client away",
                "a user keeps its client; `this.client.cookies.clear()` makes it forget",
            ),
            _ => return false,
        };
        self.error(position, &call.name, message, hint);
        true
    }

    fn unknown_user_method(&mut self, name: &str, position: Position) {
        let known: Vec<_> = self.class_keys().collect();
        let function = language::find(Kind::Function, name);
        let hint = if function.is_some_and(|word| word.available) {
            format!("it is a function: write `{name}(…)`")
        } else {
            did_you_mean(name, known)
                .unwrap_or_else(|| format!("write it into the class: `{name}: |…| {{ … }}`"))
        };
        self.error(
            position,
            name,
            format!("a user has no method `{name}`"),
            hint,
        );
    }

    /// How many arguments a method or task of a class takes, if its value shows it.
    fn method_arity(&self, file: usize, value: &'a Expr) -> Option<usize> {
        if let Some(closure) = tree::closure(value) {
            let function = self.bundle.closure(file, &closure.name)?;
            return function
                .parameters
                .len()
                .checked_sub(closure.captures.len());
        }
        match value {
            Expr::FnCall(call, _) if call.name == "task" && !call.is_qualified() => {
                self.method_arity(file, call.args.last()?)
            }
            _ => self.method_arity(file, self.bundle.constant(file, value)?),
        }
    }

    /// The classes that `this` may be a user of here; none if that is unknown.
    fn possible_classes(&self) -> Vec<&Class<'a>> {
        let bundle = self.bundle;
        match &self.frame.this {
            This::UserOf(classes) => classes.iter().map(|at| &bundle.classes[*at]).collect(),
            This::User => bundle.classes.iter().collect(),
            This::Shape(_) | This::Unknown => Vec::new(),
        }
    }

    /// The methods and tasks that `this` can have here.
    pub(super) fn class_keys(&self) -> impl Iterator<Item = &'a str> {
        let classes = self.possible_classes();
        let all: Vec<&'a str> = classes.iter().flat_map(|class| self.keys(class)).collect();
        all.into_iter()
            .filter(|key| language::find(Kind::Attribute, key).is_none())
    }
}

impl<'a> Walker<'a, '_> {
    /// The keys of a class and of its sets.
    fn keys(&self, class: &Class<'a>) -> Vec<&'a str> {
        let in_sets = self.set_members(class).filter_map(|member| member.key);
        keys(class).chain(in_sets).collect()
    }

    /// What a key of the sets of a class is, with its file.
    fn set_values(&self, class: &Class<'a>, name: &str) -> Vec<(usize, &'a Expr)> {
        let members = self.set_members(class);
        members
            .filter(|member| member.key == Some(name))
            .filter(|_| language::find(Kind::SetAttribute, name).is_none())
            .map(|member| (member.file, member.value))
            .collect()
    }

    fn set_members<'b>(&'b self, class: &'b Class<'a>) -> impl Iterator<Item = Member<'a>> + 'b {
        let sets = class.sets.iter();
        sets.flat_map(|set| self.bundle.sets[*set].members())
    }
}

fn is_path(argument: Option<&Expr>) -> bool {
    let text = argument.and_then(tree::string);
    text.is_some_and(|text| text.starts_with('/') || text.starts_with("http"))
}

fn keys<'a>(class: &Class<'a>) -> impl Iterator<Item = &'a str> {
    let literals = class.literals.iter();
    literals
        .flat_map(|literal| tree::map_entries(literal.map).unwrap_or_default())
        .map(|(key, _)| key.name.as_str())
}

/// What a key of the class is, in each of the literals it is made of, with the literal's file.
fn values_of<'a>(literals: &[Literal<'a>], name: &str) -> Vec<(usize, &'a Expr)> {
    let entries = literals.iter().flat_map(|literal| {
        let entries = tree::map_entries(literal.map).unwrap_or_default();
        entries.iter().map(|entry| (literal.file, entry))
    });
    entries
        .filter(|(_, (key, _))| key.name == name)
        .map(|(file, (_, value))| (file, value))
        .collect()
}

/// The names in the state of a class of these literals; `None` if that is not a literal itself.
pub(super) fn state_keys<'a>(literals: &[Literal<'a>]) -> Option<HashSet<&'a str>> {
    let mut all = HashSet::new();
    for (_, state) in values_of(literals, "state") {
        let entries = tree::map_entries(state)?;
        all.extend(entries.iter().map(|(key, _)| key.name.as_str()));
    }
    Some(all)
}
