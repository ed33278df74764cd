//! Changes of captured variables: a closure that Katydid calls has a copy, so they would be lost.
//!
//! Owns who holds such a copy and what each may use instead. The walk knows which variables a
//! closure has captured.

use rhai::{Expr, FnCallExpr, Ident, Position};

use super::walk::{This, Walker};
use crate::scenario::Event;
use crate::script::tree::{self, Chain, Node, Step};

/// Methods that change the value they are called on.
const MUTATORS: &[&str] = &[
    "push",
    "insert",
    "append",
    "clear",
    "pop",
    "shift",
    "remove",
    "truncate",
    "drain",
    "retain",
    "splice",
    "reverse",
    "sort",
    "sort_by",
    "sort_desc",
    "dedup",
    "chop",
    "pad",
    "set",
    "mixin",
    "fill_with",
    "extract_if",
    "crop",
    "replace",
    "make_upper",
    "make_lower",
    "trim",
    "+=",
];

/// Whose closure it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A task, a hook, a method or a wait: of a class or a set.
    User,
    Shape,
    Setup,
    Teardown,
    /// A listener on load threads: of `request` and `user_error`.
    UserListener,
    /// A listener on control, or for an event that cannot be seen.
    RunListener,
}

impl Holder {
    /// Whose closure the last argument of this call becomes, if it is not called at once.
    pub(super) fn of(call: &FnCallExpr) -> Option<Holder> {
        Some(match (call.name.as_str(), &*call.args) {
            ("shape", [_]) => Holder::Shape,
            ("setup", [_]) => Holder::Setup,
            ("teardown", [_]) => Holder::Teardown,
            ("on", [event, _]) => match tree::string(event).and_then(Event::named) {
                Some(event) if event.is_of_users() => Holder::UserListener,
                _ => Holder::RunListener,
            },
            _ => return None,
        })
    }

    /// What `this` is in it.
    fn this<'a>(self) -> This<'a> {
        match self {
            Holder::Shape => This::Shape(Vec::new()),
            _ => This::Unknown,
        }
    }

    /// Who has only a copy.
    fn named(self) -> &'static str {
        match self {
            Holder::User => "tasks",
            Holder::Shape => "the shape's closure",
            Holder::Setup => "`setup`",
            Holder::Teardown => "`teardown`",
            Holder::UserListener | Holder::RunListener => "listeners",
        }
    }

    /// Where a change of `name` is kept instead.
    fn instead(self, name: &str) -> String {
        match self {
            Holder::User => {
                format!(
                    "keep it in the user's own data: `state: #{{ {name}: … }}` and `this.{name}`"
                )
            }
            Holder::Setup => {
                format!("return it: `let d = setup(|http| #{{ {name}: … }})`, for tasks `d.{name}`")
            }
            Holder::Teardown => {
                format!("nothing comes after it: `let copy = {name};` in it may be changed")
            }
            Holder::UserListener => {
                format!("add things up: `counter(\"{name}\").add(1)`, `metric(\"{name}\").add(…)`")
            }
            Holder::RunListener => {
                format!(
                    "count with `counter(\"{name}\").add(1)`; values for others go through \
                     `queue(\"{name}\")`"
                )
            }
            Holder::Shape => {
                format!(
                    "keep it in the shape's own data: `shape(#{{ state: #{{ {name}: … }}, tick: \
                     |run_time| … }})` and `this.{name}`"
                )
            }
        }
    }
}

impl<'a> Walker<'a, '_> {
    /// Walks the arguments of a call whose closure is called later, with copies of what it
    /// captured; false for other calls.
    pub(super) fn held_closure(&mut self, call: &'a FnCallExpr) -> bool {
        let Some(holder) = Holder::of(call) else {
            return false;
        };
        let Some((last, others)) = call.args.split_last() else {
            return false;
        };
        for argument in others {
            self.expr(argument);
        }
        self.held(last, holder);
        true
    }

    /// Walks, first and in their role, closures passed to such calls by a variable's name.
    pub(super) fn held_by_name(&mut self) {
        let (bundle, file) = (self.bundle, self.file);
        let mut found = Vec::new();
        for stmt in bundle.scripts[file].statements {
            tree::descend(Node::Stmt(stmt), &mut |node| {
                let call = tree::function_call(node).map(|(call, _)| call);
                let call = call.filter(|call| !call.is_qualified());
                let holder = call.and_then(Holder::of);
                let value = call.and_then(|call| bundle.constant(file, call.args.last()?));
                found.extend(value.and_then(tree::closure).zip(holder));
            });
        }
        for (closure, holder) in found {
            self.inner_closure(&closure, holder.this(), Some(holder));
        }
    }

    fn held(&mut self, value: &'a Expr, holder: Holder) {
        let this = holder.this();
        match (tree::closure(value), tree::map_entries(value)) {
            (Some(closure), _) => self.inner_closure(&closure, this, Some(holder)),
            (None, Some(entries)) if holder == Holder::Shape => self.shape(entries),
            _ => self.expr(value),
        }
    }

    fn shape(&mut self, entries: &'a [(Ident, Expr)]) {
        let state = entries.iter().find(|(key, _)| key.name == "state");
        let memory = match state.map(|(_, state)| tree::map_entries(state)) {
            None => This::Shape(Vec::new()),
            Some(None) => This::Unknown,
            Some(Some(keys)) => {
                This::Shape(keys.iter().map(|(key, _)| key.name.as_str()).collect())
            }
        };
        for (_, value) in entries {
            match tree::closure(value) {
                Some(tick) => self.inner_closure(&tick, memory.clone(), Some(Holder::Shape)),
                None => self.expr(value),
            }
        }
    }

    /// A change by a function that takes the variable: `push(list, 1)`.
    pub(super) fn changes_argument(&mut self, call: &'a FnCallExpr, position: Position) {
        if let Some(name) = call.args.first().and_then(tree::variable)
            && MUTATORS.contains(&call.name.as_str())
            && self.natives.has(&call.name, call.args.len())
        {
            self.change_of_capture(name, position, call.name.as_str());
        }
    }

    /// A change by the last method of a chain: `list.push(1)`. `list.map(…).sort()` sorts a new
    /// list.
    pub(super) fn changes_root(&mut self, chain: &Chain<'a>) {
        if let (Some(name), Some((Step::Method(call, position), before))) =
            (tree::variable(chain.root), chain.steps.split_last())
            && MUTATORS.contains(&call.name.as_str())
            && !before.iter().any(|step| matches!(step, Step::Method(..)))
        {
            self.change_of_capture(name, *position, call.name.as_str());
        }
    }

    pub(super) fn change_of_capture(&mut self, name: &str, position: Position, marked: &str) {
        if self.is_frozen(name) {
            let holder = self.frame.holder;
            let who = holder.named();
            let message = format!("`{name}` is a constant to {who}: this change would be lost");
            self.error(position, marked, message, holder.instead(name));
        }
    }
}
