//! Rhai's syntax tree as the rules want to see it: nodes with their children, closures with their
//! bodies, and `a.b[c].d(e)` as a root with steps.
//!
//! Knows Rhai's types and nothing of the scenario language. Rhai's own walk gives no references
//! that outlive it, and does not say which function a node is in.

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, FnPtr, Module, Position, Stmt};

/// A statement or an expression.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    Stmt(&'a Stmt),
    Expr(&'a Expr),
}

/// Calls `visit` for the node and everything in it, closures' bodies not included.
pub(crate) fn descend<'a>(node: Node<'a>, visit: &mut impl FnMut(Node<'a>)) {
    visit(node);
    for child in children(node) {
        descend(child, visit);
    }
}

/// The nodes directly inside a node, in the order of the source where Rhai keeps it.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    match node {
        Node::Stmt(stmt) => children_of_stmt(stmt),
        Node::Expr(expr) => children_of_expr(expr),
    }
}

fn children_of_stmt(stmt: &Stmt) -> Vec<Node<'_>> {
    match stmt {
        Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) | Stmt::TryCatch(flow, _) => {
            let statements = flow.body.iter().chain(flow.branch.iter());
            std::iter::once(Node::Expr(&flow.expr))
                .chain(statements.map(Node::Stmt))
                .collect()
        }
        Stmt::For(parts, _) => std::iter::once(Node::Expr(&parts.2.expr))
            .chain(parts.2.body.iter().map(Node::Stmt))
            .collect(),
        Stmt::Switch(parts, _) => std::iter::once(&parts.0)
            .chain(
                parts
                    .1
                    .expressions
                    .iter()
                    .flat_map(|case| [&case.lhs, &case.rhs]),
            )
            .map(Node::Expr)
            .collect(),
        Stmt::Var(parts, ..) => vec![Node::Expr(&parts.1)],
        Stmt::Assignment(parts) => vec![Node::Expr(&parts.1.lhs), Node::Expr(&parts.1.rhs)],
        Stmt::FnCall(call, _) => call.args.iter().map(Node::Expr).collect(),
        Stmt::Block(block) => block.iter().map(Node::Stmt).collect(),
        Stmt::Expr(expr) => vec![Node::Expr(expr)],
        Stmt::BreakLoop(Some(expr), ..) | Stmt::Return(Some(expr), ..) => vec![Node::Expr(expr)],
        Stmt::Import(parts, _) => vec![Node::Expr(&parts.0)],
        _ => Vec::new(),
    }
}

fn children_of_expr(expr: &Expr) -> Vec<Node<'_>> {
    match expr {
        Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
            parts.iter().map(Node::Expr).collect()
        }
        Expr::Map(parts, _) => parts.0.iter().map(|(_, value)| Node::Expr(value)).collect(),
        Expr::MethodCall(call, _) | Expr::FnCall(call, _) => {
            call.args.iter().map(Node::Expr).collect()
        }
        Expr::Stmt(block) => block.iter().map(Node::Stmt).collect(),
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
            vec![Node::Expr(&pair.lhs), Node::Expr(&pair.rhs)]
        }
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
            parts.iter().map(Node::Expr).collect()
        }
        _ => Vec::new(),
    }
}

/// One step of a chain, with its position.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    /// `.name`
    Property(&'a str, Position),
    /// `.name(…)`
    Method(&'a FnCallExpr, Position),
    /// `[expression]`
    Index(&'a Expr),
}

/// `root.step[step].step(…)`; an expression that is not a chain is a root without steps.
pub(crate) struct Chain<'a> {
    pub(crate) root: &'a Expr,
    pub(crate) steps: Vec<Step<'a>>,
}

/// The chain that an expression is.
///
/// Rhai nests chains to the right: the right side of a dot or an index is again one, whose left
/// side is the next step, unless its `BREAK` flag says that the chain ends there.
pub(crate) fn chain(expr: &Expr) -> Chain<'_> {
    let (pair, flags, is_index) = match expr {
        Expr::Dot(pair, flags, _) => (pair, *flags, false),
        Expr::Index(pair, flags, _) => (pair, *flags, true),
        _ => {
            return Chain {
                root: expr,
                steps: Vec::new(),
            };
        }
    };
    let mut whole = chain(&pair.lhs);
    push_steps(&pair.rhs, flags, is_index, &mut whole.steps);
    whole
}

fn push_steps<'a>(expr: &'a Expr, flags: ASTFlags, is_index: bool, steps: &mut Vec<Step<'a>>) {
    let (first, rest) = match expr {
        Expr::Dot(pair, next, _) if !flags.contains(ASTFlags::BREAK) => {
            (&pair.lhs, Some((&pair.rhs, *next, false)))
        }
        Expr::Index(pair, next, _) if !flags.contains(ASTFlags::BREAK) => {
            (&pair.lhs, Some((&pair.rhs, *next, true)))
        }
        _ => (expr, None),
    };
    steps.push(match first {
        Expr::Property(name, position) if !is_index => Step::Property(&name.2, *position),
        Expr::MethodCall(call, position) if !is_index => Step::Method(call, *position),
        _ => Step::Index(first),
    });
    if let Some((rest, flags, is_index)) = rest {
        push_steps(rest, flags, is_index, steps);
    }
}

/// A closure where it is written.
pub(crate) struct Closure<'a> {
    /// Rhai's name for it, `anon$…`.
    pub(crate) name: String,
    /// The variables around it that it uses.
    pub(crate) captures: Vec<&'a str>,
}

/// The closure that an expression writes, if it is one.
///
/// Without captures Rhai makes it a constant function pointer; with captures a block that shares
/// them and curries the pointer with them: they are the closure's first parameters.
pub(crate) fn closure(expr: &Expr) -> Option<Closure<'_>> {
    match expr {
        Expr::DynamicConstant(value, _) => {
            let pointer = value.read_lock::<FnPtr>()?;
            pointer.is_anonymous().then(|| Closure {
                name: pointer.fn_name().to_owned(),
                captures: Vec::new(),
            })
        }
        Expr::Stmt(block) => {
            let [Stmt::Share(_), Stmt::Expr(curry)] = block.statements() else {
                return None;
            };
            let Expr::FnCall(call, _) = &**curry else {
                return None;
            };
            let (pointer, captured) = call.args.split_first()?;
            let captures = captured.iter().filter_map(variable).collect();
            let name = closure(pointer)?.name;
            Some(Closure { name, captures })
        }
        _ => None,
    }
}

/// The name of a plain variable, one without a namespace.
pub(crate) fn variable(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Variable(parts, ..) if parts.2.is_empty() => Some(&parts.1),
        _ => None,
    }
}

/// The text of a string without interpolation.
pub(crate) fn string(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::StringConstant(text, _) => Some(text),
        _ => None,
    }
}

/// The keys and values of a map literal, in the order of the source.
pub(crate) fn map_entries(expr: &Expr) -> Option<&[(rhai::Ident, Expr)]> {
    match expr {
        Expr::Map(parts, _) => Some(&parts.0),
        _ => None,
    }
}

/// A call that is neither an operator nor a method's.
pub(crate) fn function_call(node: Node<'_>) -> Option<(&FnCallExpr, Position)> {
    match node {
        Node::Stmt(Stmt::FnCall(call, position)) | Node::Expr(Expr::FnCall(call, position))
            if !call.is_operator_call() =>
        {
            Some((call, *position))
        }
        _ => None,
    }
}

/// A function or closure of a script.
pub(crate) struct Function {
    pub(crate) name: String,
    /// Its parameters; a closure's captures come first.
    pub(crate) parameters: Vec<String>,
    /// The type of `this` that it is restricted to.
    pub(crate) this_type: Option<String>,
    pub(crate) body: Vec<Stmt>,
    /// Where its body begins.
    pub(crate) position: Position,
}

impl Function {
    pub(crate) fn is_closure(&self) -> bool {
        // No other name can have a `$`.
        self.name.starts_with("anon$")
    }
}

/// All functions and closures of a script, each body copied.
///
/// Rhai keeps the type that holds a body to itself, but its walk shows the statements: so each
/// function is walked in a script of its own.
pub(crate) fn functions(ast: &AST) -> Vec<Function> {
    let all = ast.shared_lib().iter_script_fn_info();
    all.map(|(_, _, name, _, definition)| {
        let mut module = Module::new();
        module.set_script_fn(definition.clone());
        let alone = AST::new([], module);
        let mut body = Vec::new();
        alone.walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(stmt)] = path {
                body.push((*stmt).clone());
            }
            true
        });
        Function {
            name: name.to_owned(),
            parameters: definition.params.iter().map(ToString::to_string).collect(),
            this_type: definition.this_type.as_ref().map(ToString::to_string),
            body,
            position: definition.body.start_position(),
        }
    })
    .collect()
}

/// Line and column from 1, as far as Rhai knows them; the column is 0 at the start of a line.
pub(crate) fn line_and_column(position: Position) -> (u32, u32) {
    let number = |part: Option<usize>| part.and_then(|part| u32::try_from(part).ok());
    (
        number(position.line()).unwrap_or(0),
        number(position.position()).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(script: &str) -> String {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        let ast = engine.compile(format!("fn f() {{ {script} }}")).unwrap();
        let functions = functions(&ast);
        let [Stmt::Expr(expr)] = functions[0].body.as_slice() else {
            panic!("`{script}` is no expression");
        };
        let chain = chain(expr);
        let root = match chain.root {
            Expr::ThisPtr(_) => "this",
            other => variable(other).unwrap_or("?"),
        };
        let mut text = root.to_owned();
        for step in chain.steps {
            text += &match step {
                Step::Property(name, _) => format!(" .{name}"),
                Step::Method(call, _) => format!(" .{}/{}", call.name, call.args.len()),
                Step::Index(expr) => format!(" [{}]", string(expr).unwrap_or("?")),
            };
        }
        text
    }

    #[test]
    fn chains_are_flat() {
        assert_eq!(
            steps("this.client.get(1).json(2, 3)"),
            "this .client .get/1 .json/2"
        );
        assert_eq!(
            steps(r#"this.client.headers["A"].b["c"]["d"]"#),
            "this .client .headers [A] .b [c] [d]"
        );
        assert_eq!(steps("a[b.c].d"), "a [?] .d");
        assert_eq!(steps("a[b[c].d]"), "a [?]");
        assert_eq!(steps("(a.b).c"), "a .b .c");
        assert_eq!(steps("a?.b?[c].d(e.f)"), "a .b [?] .d/1");
        assert_eq!(steps("a"), "a");
    }
}
