//! Requests whose responses the script cannot look at: `this.client.get("/x");` as a statement.
//!
//! Found in the syntax tree when a script is compiled, and consulted only when a body turns out to
//! be large. In doubt, the response counts as read.

use std::collections::HashMap;

use rhai::{Expr, Position, Stmt};

use super::definitions::Definitions;
use super::tree::{self, Node, Step};

/// The calls of a bundle whose values are dropped, by file and place.
#[derive(Default)]
pub(crate) struct Unread(HashMap<Box<str>, HashMap<Position, Fate>>);

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Dropped,
    /// It is what its function returns: dropped where Katydid calls that.
    Returned,
    Kept,
}

impl Unread {
    /// Looks through all functions and closures; the top level makes no requests.
    pub(crate) fn of(definitions: &Definitions) -> Unread {
        let mut unread = Unread::default();
        for definition in definitions.all() {
            let mut found = HashMap::new();
            statements(definition.body().statements(), Fate::Returned, &mut found);
            if !found.is_empty() {
                let file = definition.file.as_str().into();
                unread.0.entry(file).or_default().extend(found);
            }
        }
        unread
    }

    /// Whether the result of a call at that place is dropped. `is_outermost`: Katydid itself called
    /// the function that contains it, and drops what that returns.
    pub(crate) fn has(&self, file: &str, at: Position, is_outermost: bool) -> bool {
        let fate = self.0.get(file).and_then(|calls| calls.get(&at));
        match fate {
            Some(Fate::Dropped) => true,
            Some(Fate::Returned) => is_outermost,
            Some(Fate::Kept) | None => false,
        }
    }
}

/// The value of a block is that of its last statement, with a semicolon or without.
fn statements(list: &[Stmt], last: Fate, found: &mut HashMap<Position, Fate>) {
    for (index, stmt) in list.iter().enumerate() {
        let is_last = index + 1 == list.len();
        statement(stmt, if is_last { last } else { Fate::Dropped }, found);
    }
}

fn statement(stmt: &Stmt, fate: Fate, found: &mut HashMap<Position, Fate>) {
    match stmt {
        Stmt::Expr(expr) => expression(expr, fate, found),
        Stmt::Block(block) => statements(block.statements(), fate, found),
        Stmt::If(flow, _) | Stmt::TryCatch(flow, _) => {
            expression(&flow.expr, Fate::Kept, found);
            statements(flow.body.statements(), fate, found);
            statements(flow.branch.statements(), fate, found);
        }
        // A loop has no value but that of `break`.
        Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
            expression(&flow.expr, Fate::Kept, found);
            statements(flow.body.statements(), Fate::Dropped, found);
        }
        Stmt::For(parts, _) => {
            expression(&parts.2.expr, Fate::Kept, found);
            statements(parts.2.body.statements(), Fate::Dropped, found);
        }
        Stmt::Switch(parts, _) => {
            expression(&parts.0, Fate::Kept, found);
            for case in &parts.1.expressions {
                expression(&case.lhs, Fate::Kept, found);
                expression(&case.rhs, fate, found);
            }
        }
        _ => inside(Node::Stmt(stmt), found),
    }
}

fn expression(expr: &Expr, fate: Fate, found: &mut HashMap<Position, Fate>) {
    if let Expr::Stmt(block) = expr {
        return statements(block.statements(), fate, found);
    }
    if fate != Fate::Kept
        && let Some(Step::Method(_, at)) = tree::chain(expr).steps.last()
    {
        found.insert(*at, fate);
    }
    inside(Node::Expr(expr), found);
}

/// Blocks within expressions have statements too.
fn inside(node: Node<'_>, found: &mut HashMap<Position, Fate>) {
    for child in tree::children(node) {
        match child {
            Node::Stmt(stmt) => statement(stmt, Fate::Kept, found),
            Node::Expr(expr) => expression(expr, Fate::Kept, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::script::load::parser;

    /// The paths of the calls whose values are dropped, and of those that only Katydid drops.
    fn dropped(body: &str) -> (Vec<String>, Vec<String>) {
        let text = format!("fn f(c) {{\n{body}\n}}");
        let mut ast = parser::parser().compile(&text).unwrap();
        ast.set_source("f.rhai");
        let unread = Unread::of(&Definitions::of(&[Rc::new(ast)]));
        let mut found = (Vec::new(), Vec::new());
        for (line, text) in (1..).zip(text.lines()) {
            for (column, _) in text.match_indices("get(\"") {
                let at = Position::new(line, u16::try_from(column + 1).unwrap());
                let path = text[column + 5..].split('"').next().unwrap().to_owned();
                if unread.has("f.rhai", at, false) {
                    found.0.push(path);
                } else if unread.has("f.rhai", at, true) {
                    found.1.push(path);
                }
            }
        }
        assert!(!unread.has("other.rhai", Position::new(2, 3), true));
        found
    }

    #[test]
    fn statements_drop_what_they_make() {
        let body = r#"
            c.get("a");
            let r = c.get("-");
            r = c.get("-");
            c.get("-").status;
            c.get("-").expect(true, "");
            print(c.get("-"));
            if c.get("-").ok { c.get("b"); c.get("c") } else { c.get("d"); }
            for i in 0..2 { c.get("e"); }
            while c.get("-").ok { c.get("f") }
            loop { if true { c.get("g"); break; } c.get("h"); break c.get("-"); }
            try { c.get("i"); } catch { c.get("j") }
            switch 1 { 1 => c.get("k"), _ => { c.get("l"); } }
            let x = { c.get("m"); c.get("-") };
            let x = if true { c.get("-") } else { c.get("n"); c.get("-") };
            [c.get("-")];
            #{ x: c.get("-") };
            return c.get("-");
        "#;
        let (found, returned) = dropped(body);
        assert_eq!(found.concat(), "abcdefghijklmn");
        assert!(returned.is_empty());
    }

    #[test]
    fn what_a_function_returns_only_katydid_drops() {
        for body in [
            r#"c.get("a"); c.get("b")"#,
            r#"c.get("a"); c.get("b");"#,
            r#"c.get("a"); if true { c.get("b"); }"#,
            r#"c.get("a"); { c.get("b") }"#,
        ] {
            assert_eq!(
                dropped(body),
                (vec!["a".into()], vec!["b".into()]),
                "{body}"
            );
        }
        assert_eq!(dropped(r#"c.get("-").text"#), (vec![], vec![]));
        assert_eq!(dropped(r#"let f = |c| c.get("b"); f"#).1, ["b"]);
    }
}
