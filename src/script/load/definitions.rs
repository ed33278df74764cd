//! The functions of a bundle, by name, with the file each stands in.
//!
//! Owns finding what a function pointer of a script means. Calling it is done elsewhere.

use std::collections::HashMap;
use std::rc::Rc;

use rhai::{
    AST, ASTNode, Expr, FnPtr, ImmutableString, Module, Position, ScriptFuncDef, Shared, Stmt,
    StmtBlock,
};

/// All functions and closures of a bundle.
pub(crate) struct Definitions(HashMap<String, Vec<Definition>>);

/// One of them.
#[derive(Clone)]
pub(crate) struct Definition {
    pub(crate) file: ImmutableString,
    pub(crate) function: Shared<ScriptFuncDef>,
}

impl Definitions {
    /// The functions of these files; closures are among them.
    pub(crate) fn of(asts: &[Rc<AST>]) -> Definitions {
        let mut all: HashMap<String, Vec<Definition>> = HashMap::new();
        for ast in asts {
            let file: ImmutableString = ast.source().unwrap_or_default().into();
            for function in ast.iter_fn_def() {
                let definition = Definition {
                    file: file.clone(),
                    function: function.clone(),
                };
                let known = all.entry(function.name.to_string()).or_default();
                known.push(definition);
            }
        }
        Definitions(all)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Definition> {
        self.0.values().flatten()
    }

    /// All that a pointer may mean: a closure is one, a name may have several numbers of
    /// parameters.
    pub(crate) fn named(&self, function: &FnPtr) -> &[Definition] {
        self.0.get(function.fn_name()).map_or(&[], Vec::as_slice)
    }

    /// The one that takes this many arguments besides what it captured.
    pub(crate) fn taking(&self, function: &FnPtr, arguments: usize) -> Option<&Definition> {
        let parameters = arguments + function.curry().len();
        self.named(function)
            .iter()
            .find(|known| known.function.params.len() == parameters)
    }
}

impl Definition {
    /// Where its body begins: the nearest to its own place that Rhai keeps.
    pub(crate) fn begins(&self) -> Position {
        let begins = self.function.body.start_position();
        match self.body().statements() {
            // An expression without braces: Rhai says where its operator is.
            [Stmt::Expr(whole)] if whole.position() == begins => match whole.as_ref() {
                Expr::FnCall(call, _) if call.is_operator_call() => call.args[0].start_position(),
                whole => whole.start_position(),
            },
            _ => begins,
        }
    }

    /// A copy of its body.
    ///
    /// Rhai keeps the type that holds a body to itself, but its walk shows the statements: so the
    /// function is walked in a script of its own.
    pub(crate) fn body(&self) -> StmtBlock {
        let mut module = Module::new();
        module.set_script_fn(self.function.clone());
        let mut statements = Vec::new();
        AST::new([], module).walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        let payload = &self.function.body;
        StmtBlock::new(statements, payload.start_position(), payload.end_position())
    }
}
