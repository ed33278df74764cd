//! The numbers that identify a user's call to a signal handler, and what they mean.
//!
//! Owns both directions. `coroutine` deals with the thread that crashed.

use crate::coroutine::Label;
use crate::scenario::{Body, Function, Scenario};

impl Function {
    /// A number that stands for it.
    pub(crate) fn code(self) -> u32 {
        match self {
            Function::OnStart => 0,
            Function::OnStop => 1,
            Function::OnReload => 2,
            Function::Wait => 3,
            Function::Task(index) => u32::try_from(index).map_or(u32::MAX, |index| index + 4),
        }
    }

    /// What a number stands for.
    fn of_code(code: u32) -> Function {
        match code {
            0 => Function::OnStart,
            1 => Function::OnStop,
            2 => Function::OnReload,
            3 => Function::Wait,
            index => Function::Task(index as usize - 4),
        }
    }
}

/// Whom a label means, and what they did: ``Shopper 17 in the task `buy` ``.
#[must_use]
pub fn described(label: Label, scenario: &Scenario) -> String {
    let class = scenario.classes.get(label.kind as usize);
    let name = class.map_or("a user", |class| &class.name);
    let doing = match Function::of_code(label.work) {
        Function::OnStart => "`on_start`".to_owned(),
        Function::OnStop => "`on_stop`".to_owned(),
        Function::OnReload => "`on_reload`".to_owned(),
        Function::Wait => "the closure of `wait_time`".to_owned(),
        Function::Task(index) => {
            let sets = class.iter().flat_map(|class| &class.sets);
            let mut tasks = class
                .iter()
                .flat_map(|class| &class.tasks)
                .chain(sets.flat_map(|set| &set.tasks));
            match tasks.find(|task| task.body == Body::Function(index)) {
                Some(task) => format!("the task `{}`", task.name),
                None => "a hook or wait of a task set".to_owned(),
            }
        }
    };
    format!("{name} {} in {doing}", label.owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_one_function_each() {
        let all = [
            Function::OnStart,
            Function::OnStop,
            Function::OnReload,
            Function::Wait,
            Function::Task(0),
            Function::Task(70_000),
        ];
        for function in all {
            assert_eq!(Function::of_code(function.code()), function);
        }
    }
}
