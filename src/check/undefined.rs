//! Further undefined variables: the parser stops at the first of each file.
//!
//! Goes by name alone: any variable of the file may be meant, whatever its scope.

use std::collections::{HashMap, HashSet};

use rhai::{Expr, ParseError, ParseErrorType, Position, Stmt};

use super::bundle::Script;
use super::syntax;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree::{self, Node};

/// How many are reported at once: suggestions search the whole file each time.
const MOST: usize = 100;

/// Undefined names besides the one that the parser has found.
pub(super) fn check(script: &Script<'_>, found: &ParseError) -> Vec<Diagnostic> {
    if !matches!(found.err_type(), ParseErrorType::VariableUndefined(_)) {
        return Vec::new();
    }
    let mut names = Variables::default();
    let bodies = script.functions.iter().flat_map(|function| &function.body);
    for stmt in script.statements.iter().chain(bodies) {
        tree::descend(Node::Stmt(stmt), &mut |node| names.gather(node));
    }
    for function in &script.functions {
        // Capturing a name does not make it a variable.
        let captured = names.captures.get(&function.name).copied();
        let own = function.parameters.iter().skip(captured.unwrap_or(0));
        names.declared.extend(own.map(String::as_str));
    }
    let mut seen = HashSet::from([tree::line_and_column(found.position())]);
    let used = names.used.into_iter();
    used.filter(|(name, _)| !names.declared.contains(name))
        .filter(|(_, position)| seen.insert(tree::line_and_column(*position)))
        .take(MOST)
        .map(|(name, position)| {
            let kind = ParseErrorType::VariableUndefined(name.to_owned());
            let error = ParseError(Box::new(kind), position);
            syntax::explain(script.path, script.text, &error)
        })
        .collect()
}

#[derive(Default)]
struct Variables<'a> {
    declared: HashSet<&'a str>,
    used: Vec<(&'a str, Position)>,
    /// How many variables each closure has captured: its first parameters.
    captures: HashMap<String, usize>,
}

impl<'a> Variables<'a> {
    fn gather(&mut self, node: Node<'a>) {
        match node {
            Node::Stmt(Stmt::Var(parts, ..)) => {
                self.declared.insert(&parts.0.name);
            }
            Node::Stmt(Stmt::For(parts, _)) => {
                self.declared.insert(&parts.0.name);
                let index = parts.1.iter().map(|index| index.name.as_str());
                self.declared.extend(index);
            }
            Node::Stmt(Stmt::TryCatch(flow, _)) => {
                self.declared.extend(tree::variable(&flow.expr));
            }
            Node::Expr(expr @ Expr::Variable(_, _, position)) => {
                let name = tree::variable(expr);
                self.used.extend(name.map(|name| (name, *position)));
            }
            Node::Expr(expr) => {
                if let Some(closure) = tree::closure(expr) {
                    let count = closure.captures.len();
                    let most = self.captures.entry(closure.name).or_default();
                    *most = count.max(*most);
                }
            }
            Node::Stmt(_) => {}
        }
    }
}
