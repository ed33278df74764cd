//! What the rules must know about the whole bundle before they look at a line: names, classes, and
//! what is ever set on a user.
//!
//! Gathers facts without judging them. Where a fact cannot be seen it says so (`open`, `complete`),
//! and the rules stay silent.

use std::collections::{HashMap, HashSet};

use rhai::{Expr, FnCallExpr, Position, Stmt};

use super::sets::{ReachableSets, Set};
use super::users;
use crate::script::tree::{self, Chain, Function, Node, Step};

/// One file of the bundle that was parsed.
pub(super) struct Script<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) statements: &'a [Stmt],
    pub(super) functions: Vec<Function>,
}

/// The facts of all files together.
pub(super) struct Bundle<'a> {
    pub(super) scripts: &'a [Script<'a>],
    /// The names of each file, in the order of `scripts`.
    pub(super) names: Vec<FileNames<'a>>,
    /// Keys of any map, and properties ever assigned: anything that may be called like a method.
    pub(super) map_keys: HashSet<&'a str>,
    /// What is assigned to `this.name` anywhere.
    pub(super) set_on_this: HashSet<&'a str>,
    /// How often each property is read, on any value.
    reads: HashMap<&'a str, i32>,
    /// String literals: names by which a map may be accessed.
    texts: HashSet<&'a str>,
    /// What is called as a method on anything but `this` itself.
    pub(super) called_on_others: HashSet<&'a str>,
    /// True if something may be set on `this` under a name that cannot be seen.
    pub(super) this_is_open: bool,
    /// False if a file of the bundle was not parsed, so that names may be missing.
    pub(super) complete: bool,
    pub(super) classes: Vec<Class<'a>>,
    pub(super) sets: Vec<Set<'a>>,
}

/// The names of one file.
#[derive(Default)]
pub(super) struct FileNames<'a> {
    /// Everything that is ever a variable, whatever its scope.
    pub(super) variables: HashSet<&'a str>,
    /// Variables that are assigned after they were declared.
    pub(super) assigned: HashSet<&'a str>,
    /// What the variables of the top level are, if they are declared once and not changed.
    pub(super) constants: HashMap<&'a str, &'a Expr>,
}

/// A call of `user`.
pub(super) struct Class<'a> {
    pub(super) file: usize,
    pub(super) name: Option<&'a str>,
    pub(super) name_position: Position,
    /// The map literals that it is made of, the base first.
    pub(super) literals: Vec<Literal<'a>>,
    /// False if it is also made of something that is not a literal.
    pub(super) complete: bool,
    /// The sets among its tasks and within one another, by their index in the bundle.
    pub(super) sets: Vec<usize>,
    /// False if it may have others.
    pub(super) sees_sets: bool,
    /// True if it is a statement of the top level, so that it exists in any case.
    pub(super) is_certain: bool,
    /// The names in its state; `None` if that is not a literal.
    pub(super) state: Option<HashSet<&'a str>>,
}

/// A map literal that describes a class, or a part of one.
#[derive(Clone, Copy)]
pub(super) struct Literal<'a> {
    pub(super) file: usize,
    pub(super) map: &'a Expr,
}

impl<'a> Bundle<'a> {
    pub(super) fn new(scripts: &'a [Script<'a>], complete: bool) -> Bundle<'a> {
        let mut bundle = Bundle {
            scripts,
            names: scripts.iter().map(|_| FileNames::default()).collect(),
            map_keys: HashSet::new(),
            set_on_this: HashSet::new(),
            reads: HashMap::new(),
            texts: HashSet::new(),
            called_on_others: HashSet::new(),
            this_is_open: !complete,
            complete,
            classes: Vec::new(),
            sets: Vec::new(),
        };
        for file in 0..scripts.len() {
            bundle.gather_names(file);
        }
        for file in 0..scripts.len() {
            bundle.gather_sets(file);
        }
        for file in 0..scripts.len() {
            bundle.gather_classes(file);
        }
        bundle
    }

    /// The functions of this name, in any file.
    pub(super) fn functions_named(&self, name: &str) -> impl Iterator<Item = &'a Function> {
        let all = self.scripts.iter().flat_map(|script| &script.functions);
        all.filter(move |function| function.name == name)
    }

    pub(super) fn closure(&self, file: usize, name: &str) -> Option<&'a Function> {
        let functions = &self.scripts[file].functions;
        functions.iter().find(|function| function.name == name)
    }

    /// The literals that a class is made of, base first, and whether that is all of it.
    pub(super) fn resolve(&self, file: usize, expr: &'a Expr) -> (Vec<Literal<'a>>, bool) {
        if matches!(expr, Expr::Map(..)) {
            return (vec![Literal { file, map: expr }], true);
        }
        if let Expr::FnCall(call, _) = expr {
            let joins = matches!(call.name.as_str(), "extend" | "+") && !call.is_qualified();
            if let ([base, more], true) = (&*call.args, joins) {
                let (mut literals, base_is_seen) = self.resolve(file, base);
                let (further, further_is_seen) = self.resolve(file, more);
                literals.extend(further);
                return (literals, base_is_seen && further_is_seen);
            }
        }
        match self.constant(file, expr) {
            Some(value) => self.resolve(file, value),
            None => (Vec::new(), false),
        }
    }

    /// Whether a property of that name is ever read, as far as can be seen.
    pub(super) fn reads(&self, name: &str) -> bool {
        let is_property = self.reads.get(name).is_some_and(|reads| *reads > 0);
        is_property || self.texts.contains(name) || self.called_on_others.contains(name)
    }

    /// The value of a top-level variable, if it never changes.
    pub(super) fn constant(&self, file: usize, expr: &'a Expr) -> Option<&'a Expr> {
        let name = tree::variable(expr)?;
        let value = *self.names[file].constants.get(name)?;
        // `let x = x;` would never end.
        (tree::variable(value) != Some(name)).then_some(value)
    }

    fn gather_names(&mut self, file: usize) {
        let script = &self.scripts[file];
        let mut declared = HashMap::<&str, usize>::new();
        for stmt in script.statements {
            if let Stmt::Var(parts, ..) = stmt {
                *declared.entry(&parts.0.name).or_default() += 1;
                self.names[file].constants.insert(&parts.0.name, &parts.1);
            }
        }
        let bodies = script.functions.iter().flat_map(|function| &function.body);
        for stmt in script.statements.iter().chain(bodies) {
            tree::descend(Node::Stmt(stmt), &mut |node| self.gather_node(file, node));
        }
        let names = &mut self.names[file];
        for function in &script.functions {
            let parameters = function.parameters.iter().map(String::as_str);
            names.variables.extend(parameters);
        }
        let assigned = &names.assigned;
        names
            .constants
            .retain(|name, _| declared[name] == 1 && !assigned.contains(name));
    }

    fn gather_node(&mut self, file: usize, node: Node<'a>) {
        let names = &mut self.names[file];
        match node {
            Node::Stmt(Stmt::Var(parts, ..)) => {
                names.variables.insert(&parts.0.name);
            }
            Node::Stmt(Stmt::For(parts, _)) => {
                names.variables.insert(&parts.0.name);
                names
                    .variables
                    .extend(parts.1.iter().map(|index| index.name.as_str()));
            }
            Node::Stmt(Stmt::TryCatch(flow, _)) => {
                names.variables.extend(tree::variable(&flow.expr));
            }
            Node::Stmt(Stmt::Assignment(parts)) => {
                let target = tree::chain(&parts.1.lhs);
                self.gather_assignment(file, &target, parts.0.is_op_assignment());
            }
            Node::Expr(expr @ (Expr::Dot(..) | Expr::Index(..))) => {
                let chain = tree::chain(expr);
                for step in &chain.steps {
                    if let Step::Property(name, _) = step {
                        *self.reads.entry(name).or_default() += 1;
                    }
                }
                let on_this = usize::from(matches!(chain.root, Expr::ThisPtr(_)));
                for step in chain.steps.iter().skip(on_this) {
                    if let Step::Method(call, _) = step {
                        self.called_on_others.insert(&call.name);
                    }
                }
                if let (Expr::ThisPtr(_), [Step::Method(call, _), ..]) =
                    (chain.root, chain.steps.as_slice())
                {
                    self.this_is_open |= sets_any_key(call);
                }
            }
            Node::Expr(Expr::StringConstant(text, _)) => {
                self.texts.insert(text);
            }
            Node::Expr(Expr::Map(entries, _)) => {
                let keys = entries.0.iter().map(|(key, _)| key.name.as_str());
                self.map_keys.extend(keys);
            }
            _ => {
                if let Some((call, _)) = tree::function_call(node) {
                    let first_is_this = matches!(call.args.first(), Some(Expr::ThisPtr(_)));
                    self.this_is_open |= first_is_this && sets_any_key(call);
                }
            }
        }
    }

    fn gather_assignment(&mut self, file: usize, target: &Chain<'a>, keeps_value: bool) {
        let last_key = match target.steps.last() {
            Some(Step::Property(name, _)) => Some(*name),
            Some(Step::Index(index)) => tree::string(index),
            _ => None,
        };
        self.map_keys.extend(last_key);
        if let (Some(Step::Property(name, _)), false) = (target.steps.last(), keeps_value) {
            // As a node of its own it would count as a read.
            *self.reads.entry(name).or_default() -= 1;
        }
        match (target.root, target.steps.as_slice()) {
            (Expr::ThisPtr(_), [_]) => match last_key {
                // `this.n += 1` needs an existing value.
                Some(_) if keeps_value => {}
                Some(name) => {
                    self.set_on_this.insert(name);
                }
                None => self.this_is_open = true,
            },
            (Expr::ThisPtr(_), []) => self.this_is_open = true,
            (root, []) => {
                let name = tree::variable(root);
                self.names[file].assigned.extend(name);
            }
            _ => {}
        }
    }

    fn gather_sets(&mut self, file: usize) {
        let script = &self.scripts[file];
        let bodies = script.functions.iter().flat_map(|function| &function.body);
        let mut found = Vec::new();
        for stmt in script.statements.iter().chain(bodies) {
            tree::descend(Node::Stmt(stmt), &mut |node| {
                let call = tree::function_call(node);
                found.extend(call.and_then(|(call, _)| Set::of(self, file, call)));
            });
        }
        self.sets.extend(found);
    }

    fn gather_classes(&mut self, file: usize) {
        let script = &self.scripts[file];
        let mut found = Vec::new();
        for stmt in script.statements {
            let is_certain = match stmt {
                Stmt::FnCall(call, _) => call.name == "user",
                Stmt::Expr(expr) => matches!(&**expr, Expr::FnCall(call, _) if call.name == "user"),
                _ => false,
            };
            tree::descend(Node::Stmt(stmt), &mut |node| {
                found.extend(self.class(file, node, is_certain));
            });
        }
        for stmt in script.functions.iter().flat_map(|function| &function.body) {
            tree::descend(Node::Stmt(stmt), &mut |node| {
                found.extend(self.class(file, node, false));
            });
        }
        self.classes.extend(found);
    }

    fn class(&self, file: usize, node: Node<'a>, is_certain: bool) -> Option<Class<'a>> {
        let (call, position) = tree::function_call(node)?;
        let [name, map] = &*call.args else {
            return None;
        };
        if call.name != "user" || call.is_qualified() {
            return None;
        }
        let (literals, complete) = self.resolve(file, map);
        let name_position = match name.position() {
            known if !known.is_none() => known,
            _ => position,
        };
        let mut reached = ReachableSets::default();
        for literal in &literals {
            for (_, value) in tree::map_entries(literal.map).unwrap_or_default() {
                reached.follow(self, literal.file, value);
            }
        }
        Some(Class {
            state: users::state_keys(&literals),
            sets: reached.sets,
            sees_sets: complete && !reached.is_open,
            file,
            name: tree::string(name),
            name_position,
            literals,
            complete,
            is_certain,
        })
    }
}

/// True for the methods of a map that can set a key without naming it as a property.
fn sets_any_key(call: &FnCallExpr) -> bool {
    matches!(call.name.as_str(), "set" | "mixin" | "fill_with" | "+=")
}
