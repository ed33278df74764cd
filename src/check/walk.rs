//! The walk through one file: every statement and expression once, each with its place.
//!
//! Owns places and scopes (what is the top level, what certainly runs in a task, which variables
//! are captured from the top level); the rules for calls and members are applied on the way.

use std::collections::{HashMap, HashSet};

use rhai::{Expr, FnCallExpr, Position, Stmt};

use super::bundle::{Bundle, Class};
use super::captures::Holder;
use super::natives::NativeFunctions;
use super::{attributes, error_at, numbers};
use crate::language::{self, Kind, Place};
use crate::script::diagnostic::Diagnostic;
use crate::script::tree::{self, Chain, Closure, Node, Step};

pub(super) struct Walker<'a, 'b> {
    pub(super) bundle: &'b Bundle<'a>,
    pub(super) natives: &'b NativeFunctions,
    pub(super) file: usize,
    pub(super) path: &'a str,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) frame: Frame<'a>,
    /// Closures already walked in their role, by name.
    walked: HashSet<String>,
}

/// Findings in a file after which the walk stops: each searches for suggestions, in some 0.3 ms.
const MOST: usize = 1_000;

/// Where the walk is.
pub(super) struct Frame<'a> {
    /// `Both` where it is unknown: a function, or a closure of unknown use.
    pub(super) place: Place,
    pub(super) this: This<'a>,
    /// Top-level variables of which this closure has copies.
    frozen: Vec<&'a str>,
    /// Who holds these copies.
    pub(super) holder: Holder,
    /// Variables declared since, and whether they certainly hold a response.
    locals: Vec<(&'a str, bool)>,
    in_function: bool,
    /// Whether there is a set for `interrupt` to leave; `None` if that is unknown.
    pub(super) in_set: Option<bool>,
}

/// What `this` is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum This<'a> {
    /// A user of one of these classes.
    UserOf(Vec<usize>),
    /// A user: the function is called on nothing else.
    User,
    /// The memory of a shape's closure, with these keys from the start.
    Shape(Vec<&'a str>),
    /// A user, or any other value it is called on.
    Unknown,
}

/// The findings in the statements, functions and closures of one file.
pub(super) fn check<'a>(
    bundle: &Bundle<'a>,
    natives: &NativeFunctions,
    file: usize,
) -> Vec<Diagnostic> {
    let script = &bundle.scripts[file];
    let mut walker = Walker {
        bundle,
        natives,
        file,
        path: script.path,
        findings: Vec::new(),
        frame: Frame {
            place: Place::TopLevel,
            this: This::Unknown,
            frozen: Vec::new(),
            holder: Holder::User,
            locals: Vec::new(),
            in_function: false,
            in_set: None,
        },
        walked: HashSet::new(),
    };
    walker.class_closures();
    walker.set_closures();
    walker.held_by_name();
    walker.statements(script.statements);
    for function in &script.functions {
        if !function.is_closure() {
            let mut frame = walker.inner_frame(Place::Both);
            if !bundle.called_on_others.contains(function.name.as_str()) {
                frame.this = This::User;
            }
            let parameters = function.parameters.iter();
            frame.locals = parameters.map(|name| (name.as_str(), false)).collect();
            walker.in_frame(frame, |walker| walker.statements(&function.body));
        }
    }
    walker.findings
}

impl<'a> Walker<'a, '_> {
    pub(super) fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    pub(super) fn error(
        &mut self,
        position: Position,
        name: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let finding = error_at(self.path, position, name.chars().count(), message);
        self.report(finding.hint(hint));
    }

    fn inner_frame(&self, place: Place) -> Frame<'a> {
        Frame {
            place,
            this: This::Unknown,
            frozen: Vec::new(),
            holder: Holder::User,
            locals: Vec::new(),
            in_function: true,
            in_set: self.without_sets(),
        }
    }

    /// Without any sets, `interrupt` has none to leave.
    fn without_sets(&self) -> Option<bool> {
        let bundle = self.bundle;
        (bundle.complete && bundle.sets.is_empty()).then_some(false)
    }

    fn in_frame(&mut self, frame: Frame<'a>, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.frame, frame);
        walk(self);
        self.frame = outer;
    }

    /// Walks the closures of this file's classes first, in their role, so that they can be skipped
    /// where they are written.
    fn class_closures(&mut self) {
        let bundle = self.bundle;
        // By position of the literal, with the classes made of it; each is walked once.
        let mut literals = Vec::<(&'a Expr, Vec<usize>)>::new();
        let mut places = HashMap::<*const Expr, usize>::new();
        for (index, class) in bundle.classes.iter().enumerate() {
            for literal in class.literals.iter().filter(|part| part.file == self.file) {
                let place = *places.entry(literal.map).or_insert(literals.len());
                if place == literals.len() {
                    literals.push((literal.map, Vec::new()));
                }
                let classes = &mut literals[place].1;
                if classes.last() != Some(&index) {
                    classes.push(index);
                }
            }
        }
        for (map, classes) in literals {
            for (key, value) in tree::map_entries(map).unwrap_or_default() {
                let waits = key.name == "wait_time";
                if let Some(closure) = self.closure_of_value(value) {
                    let mut frame = self.inner_frame(if waits { Place::Both } else { Place::Task });
                    frame.this = This::UserOf(classes.clone());
                    frame.in_set = self.in_set_of(&classes, key.name.as_str(), value);
                    frame.frozen.clone_from(&closure.captures);
                    self.closure(&closure, frame);
                }
            }
        }
    }

    /// Whether the closure of a key of these classes runs in a set: a method may, if there are any
    /// sets.
    fn in_set_of(&self, classes: &[usize], key: &str, value: &Expr) -> Option<bool> {
        let classes = classes.iter().map(|index| &self.bundle.classes[*index]);
        let is_method =
            language::find(Kind::Attribute, key).is_none() && tree::closure(value).is_some();
        let may_be_in_set = |class: &Class| !class.sees_sets || !class.sets.is_empty();
        (!is_method || !classes.into_iter().any(may_be_in_set)).then_some(false)
    }

    /// Walks the closures of this file's sets, in their role.
    fn set_closures(&mut self) {
        let bundle = self.bundle;
        for (index, set) in bundle.sets.iter().enumerate() {
            let classes = (0..bundle.classes.len())
                .filter(|class| bundle.classes[*class].sets.contains(&index));
            let classes: Vec<usize> = classes.collect();
            for member in set.members() {
                if member.file != self.file {
                    continue;
                }
                let Some(closure) = self.closure_of_value(member.value) else {
                    continue;
                };
                let waits = member.key == Some("wait_time");
                let mut frame = self.inner_frame(if waits { Place::Both } else { Place::Task });
                // One that no class visibly has may belong to any class.
                frame.this = match classes.as_slice() {
                    [] => This::User,
                    classes => This::UserOf(classes.to_vec()),
                };
                frame.in_set = (member.key != Some("on_stop")).then_some(true);
                frame.frozen.clone_from(&closure.captures);
                self.closure(&closure, frame);
            }
        }
    }

    /// The closure that a key of a class is, or that `task` is given there.
    fn closure_of_value(&self, value: &'a Expr) -> Option<Closure<'a>> {
        if let Some(closure) = tree::closure(value) {
            return Some(closure);
        }
        if let Expr::FnCall(call, _) = value {
            let is_task = call.name == "task" && !call.is_qualified();
            return is_task
                .then(|| self.closure_of_value(call.args.last()?))
                .flatten();
        }
        self.closure_of_value(self.bundle.constant(self.file, value)?)
    }

    fn closure(&mut self, closure: &Closure<'a>, mut frame: Frame<'a>) {
        let bundle = self.bundle;
        let Some(function) = bundle.closure(self.file, &closure.name) else {
            return;
        };
        if !self.walked.insert(closure.name.clone()) {
            return;
        }
        let own = function.parameters.iter().skip(closure.captures.len());
        frame.locals.extend(own.map(|name| (name.as_str(), false)));
        self.in_frame(frame, |walker| walker.statements(&function.body));
    }

    /// A closure inside a function: its captures are frozen only if they already were outside,
    /// unless it is held to be called later. Where its use is unknown, `this` may be anything.
    pub(super) fn inner_closure(
        &mut self,
        closure: &Closure<'a>,
        this: This<'a>,
        holder: Option<Holder>,
    ) {
        let mut frame = self.inner_frame(match self.frame.place {
            Place::TopLevel => Place::Both,
            place => place,
        });
        if self.frame.in_function {
            frame.in_set = self.frame.in_set;
        }
        frame.holder = holder.unwrap_or(self.frame.holder);
        let captures = closure.captures.iter().copied();
        let is_copy = |name: &&str| holder.is_some() || self.is_frozen(name);
        frame.frozen = captures.filter(is_copy).collect();
        if holder.is_none() {
            frame.locals = self.frame.locals.clone();
            frame
                .locals
                .retain(|(name, _)| closure.captures.contains(name));
        }
        frame.this = this;
        self.closure(closure, frame);
    }

    pub(super) fn is_frozen(&self, name: &str) -> bool {
        let is_shadowed = self.frame.locals.iter().any(|(local, _)| *local == name);
        self.frame.frozen.contains(&name) && !is_shadowed
    }

    /// True if the innermost variable of that name certainly holds a response.
    pub(super) fn is_response(&self, name: &str) -> bool {
        let innermost = self
            .frame
            .locals
            .iter()
            .rev()
            .find(|(local, _)| *local == name);
        innermost.is_some_and(|(_, is_response)| *is_response)
    }

    fn statements(&mut self, statements: impl IntoIterator<Item = &'a Stmt>) {
        let outer = self.frame.locals.len();
        for stmt in statements {
            self.stmt(stmt);
        }
        self.frame.locals.truncate(outer);
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Var(parts, ..) => {
                self.expr(&parts.1);
                let name = parts.0.name.as_str();
                let never_changes = !self.bundle.names[self.file].assigned.contains(name);
                let is_response = never_changes && super::chains::is_response(&parts.1);
                self.frame.locals.push((name, is_response));
            }
            Stmt::Assignment(parts) => {
                self.assignment(&parts.1.lhs, parts.0.is_op_assignment());
                self.expr(&parts.1.rhs);
            }
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.expr(&flow.expr);
                self.statements(flow.body.iter());
                self.statements(flow.branch.iter());
            }
            Stmt::TryCatch(flow, _) => {
                self.statements(flow.body.iter());
                let caught = tree::variable(&flow.expr);
                self.with_locals(caught, |walker| walker.statements(flow.branch.iter()));
            }
            Stmt::For(parts, _) => {
                self.expr(&parts.2.expr);
                let index = parts.1.as_ref().map(|index| index.name.as_str());
                let names = std::iter::once(parts.0.name.as_str()).chain(index);
                self.with_locals(names, |walker| walker.statements(parts.2.body.iter()));
            }
            Stmt::Block(block) => self.statements(block.iter()),
            Stmt::FnCall(call, position) => self.function_call(call, *position),
            Stmt::Import(parts, position) if self.frame.in_function => {
                let message = "`import` inside a function";
                self.error(
                    *position,
                    "import",
                    message,
                    "write it at the top of the file",
                );
                self.expr(&parts.0);
            }
            _ => {
                for child in tree::children(Node::Stmt(stmt)) {
                    self.node(child);
                }
            }
        }
    }

    fn with_locals(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        walk: impl FnOnce(&mut Self),
    ) {
        let outer = self.frame.locals.len();
        self.frame
            .locals
            .extend(names.into_iter().map(|name| (name, false)));
        walk(self);
        self.frame.locals.truncate(outer);
    }

    fn node(&mut self, node: Node<'a>) {
        match node {
            Node::Stmt(stmt) => self.stmt(stmt),
            Node::Expr(expr) => self.expr(expr),
        }
    }

    pub(super) fn expr(&mut self, expr: &'a Expr) {
        if self.findings.len() >= MOST {
            return;
        }
        if let Some(closure) = tree::closure(expr) {
            self.inner_closure(&closure, This::Unknown, None);
            return;
        }
        match expr {
            Expr::FnCall(call, position) => self.function_call(call, *position),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expr),
            Expr::Stmt(block) => self.statements(block.iter()),
            Expr::FloatConstant(value, position) => {
                let text = self.bundle.scripts[self.file].text;
                let finding = numbers::rounded(self.path, text, **value, *position);
                self.findings.extend(finding);
            }
            _ => {
                for child in tree::children(Node::Expr(expr)) {
                    self.node(child);
                }
            }
        }
    }

    fn chain(&mut self, expr: &'a Expr) {
        let chain = tree::chain(expr);
        self.expr(chain.root);
        let names = &self.bundle.names[self.file];
        // The parser has reported an undefined variable already, which is enough.
        let is_undefined =
            tree::variable(chain.root).is_some_and(|name| !names.variables.contains(name));
        self.changes_root(&chain);
        if !is_undefined {
            self.members(&chain);
        }
        self.read_too_early(&chain);
        self.steps(&chain);
    }

    fn steps(&mut self, chain: &Chain<'a>) {
        if let (Expr::ThisPtr(_), Some(Step::Method(call, _))) = (chain.root, chain.steps.first())
            && call.name == "group"
            && let Some(closure) = call.args.last().and_then(tree::closure)
        {
            // `this` is the same user inside. Not walked a second time below.
            self.inner_closure(&closure, self.frame.this.clone(), None);
        }
        for step in &chain.steps {
            match step {
                Step::Method(call, _) => self.arguments(call),
                Step::Index(index) => self.expr(index),
                Step::Property(..) => {}
            }
        }
    }

    fn arguments(&mut self, call: &'a FnCallExpr) {
        for argument in &call.args {
            self.expr(argument);
        }
    }

    fn function_call(&mut self, call: &'a FnCallExpr, position: Position) {
        if !call.is_operator_call() {
            self.call(call, position);
            if !call.is_qualified() {
                let findings = attributes::options(self.path, call);
                self.findings.extend(findings);
                self.sharing(call);
            }
            self.changes_argument(call, position);
            if !call.is_qualified() && self.held_closure(call) {
                return;
            }
        }
        self.arguments(call);
    }

    fn assignment(&mut self, target: &'a Expr, keeps_value: bool) {
        let chain = tree::chain(target);
        if let Some(name) = tree::variable(chain.root) {
            self.change_of_capture(name, chain.root.position(), name);
        }
        if matches!(chain.root, Expr::ThisPtr(_)) {
            self.assignment_to_this(&chain, keeps_value);
        } else if !chain.steps.is_empty() {
            self.members(&chain);
        }
        self.steps(&chain);
    }
}
