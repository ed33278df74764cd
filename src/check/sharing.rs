//! Calls about shared things: closures that are called without a user, events that do not exist,
//! results that do not exist yet.
//!
//! Checks literal arguments; others are checked when the script runs.

use rhai::{Expr, FnCallExpr};

use super::walk::Walker;
use crate::language::Place;
use crate::scenario::Event;
use crate::scenario::names::did_you_mean;
use crate::script::tree::{self, Chain, Node, Step};

impl<'a> Walker<'a, '_> {
    /// Checks the arguments of `on`, `once` and `wait_for`, called as plain functions.
    pub(super) fn sharing(&mut self, call: &'a FnCallExpr) {
        match (call.name.as_str(), &*call.args) {
            ("once", [_, closure]) => self.without_this(closure),
            ("wait_for", [event]) => self.waited_for(event),
            ("on", [event, _]) => self.listened_to(event),
            _ => {}
        }
    }

    /// `once(name, closure)` has no `this` for the closure.
    fn without_this(&mut self, closure: &'a Expr) {
        let Some(closure) = tree::closure(closure) else {
            return;
        };
        let Some(function) = self.bundle.closure(self.file, &closure.name) else {
            return;
        };
        let mut found = None;
        for statement in &function.body {
            tree::descend(Node::Stmt(statement), &mut |node| {
                if let Node::Expr(Expr::ThisPtr(position)) = node {
                    found.get_or_insert(*position);
                }
            });
        }
        if let Some(position) = found {
            let message = "`this` is unknown inside the closure of `once(…)`";
            let hint = "call it on the user: `this.once(\"name\", || this.client.get(…))`";
            self.error(position, "this", message, hint);
        }
    }

    fn waited_for(&mut self, event: &'a Expr) {
        let known = Event::SpawningComplete.name();
        let Some(name) = tree::string(event).filter(|name| *name != known) else {
            return;
        };
        let message = format!("a user cannot wait for `{name}`");
        let hint = format!("it can for \"{known}\" only");
        let quoted = format!("\"{name}\"");
        self.error(event.position(), &quoted, message, hint);
    }

    fn listened_to(&mut self, event: &'a Expr) {
        let unknown = |name: &&str| Event::named(name).is_none();
        let Some(name) = tree::string(event).filter(unknown) else {
            return;
        };
        let known = Event::ALL.map(Event::name);
        let hint = did_you_mean(name, known).unwrap_or_else(|| {
            format!(
                "there are {}",
                known.map(|name| format!("`{name}`")).join(", ")
            )
        });
        let message = format!("there is no event `{name}`");
        self.error(event.position(), &format!("\"{name}\""), message, hint);
    }

    /// What `setup` returns exists only while the test runs.
    pub(super) fn read_too_early(&mut self, chain: &Chain<'a>) {
        if self.frame.place != Place::TopLevel {
            return;
        }
        let (Some(name), Some(first)) = (tree::variable(chain.root), chain.steps.first()) else {
            return;
        };
        let value = self.bundle.constant(self.file, chain.root);
        if !matches!(value, Some(Expr::FnCall(call, _)) if call.name == "setup" && !call.is_qualified())
        {
            return;
        }
        let (position, width) = match first {
            Step::Property(member, position) => (*position, *member),
            Step::Method(call, position) => (*position, call.name.as_str()),
            Step::Index(index) => (index.position(), "."),
        };
        let message = format!("`{name}` is what `setup` returns, which is not there yet");
        let hint = "read it in a task, a hook or a method: the top level runs before the test";
        self.error(position, width, message, hint);
    }
}
