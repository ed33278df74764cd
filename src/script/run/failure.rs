//! How a call into a script ends other than by returning: an error, or a control call.
//!
//! Turns Rhai's nested errors into a message, a place and a call stack for people. The caller of
//! the script decides what a failure means for the user.

use std::fmt;

use rhai::{Dynamic, EvalAltResult, Position};

use super::call::Callable;
use crate::language::{self, Kind};
use crate::script::bounds::DEEPEST;
use crate::script::value;
use crate::units::Bytes;

/// A control call of a script, or an order to stop it. It travels as `ErrorTerminated`, which
/// a script's `try` cannot catch; see `User::end` for where it could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The user is being stopped: what it waited for was abandoned.
    Cancelled,
    /// `stop_user()`.
    StopUser,
    /// `stop_test("why")`.
    StopTest(String),
    /// `reschedule()`: the task ends.
    Reschedule {
        /// Whether the task after it waits, as after any other: `reschedule(false)`.
        waits: bool,
    },
    /// `interrupt()`: the user leaves the innermost set.
    Interrupt {
        /// Whether the task after it waits, as after any other: `interrupt(false)`.
        waits: bool,
    },
    /// `r.expect(…)` did not hold: the task ends, its sample has failed already.
    Unexpected,
    /// The calls are nested deeper than the user's stack allows.
    TooDeep,
    /// A value is nested deeper than Rhai can handle safely.
    NestedTooDeep,
    /// The process is almost out of memory, and the run ends.
    MemoryIsShort,
    /// The user's variables hold more than it may have.
    TooMuchMemory(Bytes),
}

/// Why an evaluation outside of users, of a script's top level or a shape's closure, was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EvaluationStop {
    /// It computes for too long.
    TooLong,
    /// It reads a file that could not be loaded, which was noted.
    NotLoaded,
}

impl EvaluationStop {
    /// What ended the evaluation that came to this error, if one of these did.
    pub(crate) fn of(error: &EvalAltResult) -> Option<EvaluationStop> {
        match error.unwrap_inner() {
            EvalAltResult::ErrorTerminated(token, _) => {
                let stop = token.read_lock::<EvaluationStop>()?;
                Some(*stop)
            }
            _ => None,
        }
    }
}

impl From<EvaluationStop> for Dynamic {
    fn from(stop: EvaluationStop) -> Dynamic {
        Dynamic::from(stop)
    }
}

impl From<EvaluationStop> for Box<EvalAltResult> {
    fn from(stop: EvaluationStop) -> Box<EvalAltResult> {
        EvalAltResult::ErrorTerminated(stop.into(), Position::NONE).into()
    }
}

impl Control {
    /// What it says, if it is a mistake of the script and no control call: one that a script
    /// cannot catch, for it would go on with what is too much.
    fn mistake(&self) -> Option<String> {
        match self {
            Control::TooDeep => Some("calls nested too deep for the stack of a user".to_owned()),
            Control::NestedTooDeep => Some(format!("values nested more than {DEEPEST} deep")),
            Control::MemoryIsShort => Some("memory runs out, and the run ends".to_owned()),
            Control::TooMuchMemory(most) => Some(format!(
                "the variables of this user hold more than {most} (`--user-memory` says how much \
                 they may)"
            )),
            _ => None,
        }
    }
}

impl From<Control> for Dynamic {
    fn from(control: Control) -> Dynamic {
        Dynamic::from(control)
    }
}

impl From<Control> for Box<EvalAltResult> {
    fn from(control: Control) -> Box<EvalAltResult> {
        EvalAltResult::ErrorTerminated(Dynamic::from(control), Position::NONE).into()
    }
}

/// Rhai's name for a closure of an older version of the script (see `stale_closure`): one that no
/// script can have.
pub(crate) const OLD_CLOSURE: &str = "katydid_former";

/// How a call ended, if not by returning.
#[derive(Debug)]
pub enum Ended {
    /// By a control call.
    Control(Control),
    /// By an error in the script; boxed, because each call of a script returns an `Ended`.
    Failure(Box<Failure>),
}

/// A run-time error in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The file, as in the bundle.
    pub file: String,
    /// Line and column, from 1; `None` if Rhai does not know.
    pub position: Option<(usize, usize)>,
    /// The functions it happened in, innermost first; the last one is what Katydid called.
    pub stack: Vec<Frame>,
}

/// A function that an error came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name, or what it is: ``the task `browse` ``.
    pub function: String,
    /// The file it stands in, as in the bundle.
    pub file: String,
    /// Where in it the error happened, or the call of the next inner function stands: line and
    /// column, from 1; `None` if Rhai does not know.
    pub position: Option<(usize, usize)>,
}

impl fmt::Display for Frame {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let place = located(&self.file, self.position);
        write!(to, "{} ({place})", self.function)
    }
}

/// The longest call stack that is told, in bytes; like all texts of a batch it has to stay below
/// what is cut there.
const LONGEST_TRACE: usize = 900;

impl Failure {
    /// What a `wait_time` closure returned is not a length of time.
    #[must_use]
    pub fn of_wait(message: String) -> Failure {
        Failure {
            message,
            file: "wait_time".to_owned(),
            position: None,
            stack: Vec::new(),
        }
    }

    /// No stack could be had for a task.
    #[must_use]
    pub fn of_stack(error: &std::io::Error) -> Failure {
        let message = format!(
            "no stack for a task, it waits: {error}; each takes two memory mappings, see \
             `sysctl vm.max_map_count`"
        );
        Failure {
            message,
            file: "katydid".to_owned(),
            position: None,
            stack: Vec::new(),
        }
    }

    /// A user's state has become too large, and part of it was dropped.
    pub(crate) fn of_kept(key: Option<&str>, control: &Control, callable: &Callable) -> Failure {
        let what = control.mistake().unwrap_or_default();
        let message = match key {
            Some(key) => format!("{what}: `this.{key}` is `()` from now on"),
            None => what,
        };
        Failure::at_callable(&message, callable)
    }

    /// An error that shows only when a whole call is over.
    pub(crate) fn at_callable(message: &str, callable: &Callable) -> Failure {
        Failure {
            message: message.to_owned(),
            file: callable.file.to_string(),
            position: known(callable.begins),
            stack: vec![Frame {
                function: callable.what.clone(),
                file: callable.file.to_string(),
                position: known(callable.begins),
            }],
        }
    }

    /// `scripts/shop.rhai:12:5`.
    #[must_use]
    pub fn location(&self) -> String {
        located(&self.file, self.position)
    }

    /// The functions of the script that it happened in, innermost first, without what Katydid called.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let inner = self.stack.len().saturating_sub(1);
        let frames = self.stack.iter().take(inner);
        frames.map(|frame| frame.function.as_str())
    }

    /// The call stack as a text, a line for each function, innermost first; `None` without one. What
    /// is too long leaves out functions before the outermost, and says how many.
    #[must_use]
    pub fn trace(&self) -> Option<String> {
        let (outermost, inner) = self.stack.split_last()?;
        let outermost = outermost.to_string();
        let mut text = String::new();
        for (nth, frame) in inner.iter().enumerate() {
            let line = format!("{frame}\n");
            if text.len() + line.len() + outermost.len() > LONGEST_TRACE {
                text += &format!("… {} more\n", inner.len() - nth);
                break;
            }
            text += &line;
        }
        text += &outermost;
        text.truncate(text.floor_char_boundary(LONGEST_TRACE + "… 99 more\n".len()));
        Some(text)
    }
}

fn located(file: &str, position: Option<(usize, usize)>) -> String {
    match position {
        Some((line, column)) => format!("{file}:{line}:{column}"),
        None => file.to_owned(),
    }
}

/// What an error of Rhai means, of a call of `what` that began in `file` at `begins`.
pub(crate) fn ended(mut error: EvalAltResult, what: &str, file: &str, begins: Position) -> Ended {
    let mut file = file.to_owned();
    let mut stack = Vec::new();
    let mut function = what.to_owned();
    // The innermost place known: some errors come without one.
    let mut nearest = (file.clone(), begins);
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                stack.push(Frame {
                    function: std::mem::replace(&mut function, described(&name)),
                    file: file.clone(),
                    position: known(position),
                });
                if !position.is_none() {
                    nearest = (file.clone(), position);
                }
                if !source.is_empty() {
                    file = source;
                }
                error = *inner;
            }
            EvalAltResult::ErrorInModule(path, inner, _) => {
                file = path;
                error = *inner;
            }
            EvalAltResult::ErrorTerminated(token, _)
                if token
                    .read_lock::<Control>()
                    .is_none_or(|control| control.mistake().is_none()) =>
            {
                let control = token.try_cast::<Control>();
                return Ended::Control(control.unwrap_or(Control::Cancelled));
            }
            other => {
                stack.push(Frame {
                    function,
                    file: file.clone(),
                    position: known(other.position()),
                });
                stack.reverse();
                if !other.position().is_none() {
                    nearest = (file, other.position());
                }
                return Ended::Failure(Box::new(failure(&other, nearest, stack)));
            }
        }
    }
}

fn failure(error: &EvalAltResult, place: (String, Position), stack: Vec<Frame>) -> Failure {
    let message = match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => "thrown".to_owned(),
        EvalAltResult::ErrorRuntime(value, _) => value::shown(value),
        EvalAltResult::ErrorTerminated(token, _) => token
            .read_lock::<Control>()
            .and_then(|control| control.mistake())
            .unwrap_or_else(|| "terminated".to_owned()),
        EvalAltResult::ErrorStackOverflow(_) => {
            "calls nested too deep: more than 64 functions inside one another".to_owned()
        }
        EvalAltResult::ErrorUnboundThis(_) => {
            "`this` is unknown inside a closure that a function calls: put what it needs into a \
             variable before, such as `let client = this.client;`"
                .to_owned()
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _)
            if signature.starts_with("anon$") || signature.starts_with(OLD_CLOSURE) =>
        {
            "a closure is called with another number of arguments than it takes".to_owned()
        }
        EvalAltResult::ErrorFunctionNotFound(called, _) => not_found(called),
        _ => {
            let mut bare = error.to_string();
            // Rhai adds the place in its own words.
            if let Some(end) = bare.rfind(" (line ").filter(|_| !place.1.is_none()) {
                bare.truncate(end);
            }
            lower_first(&bare)
        }
    };
    Failure {
        message,
        file: place.0,
        position: known(place.1),
        stack,
    }
}

/// `called` is Rhai's `name (types)`. A function of ours is there, but takes something else: then
/// it helps to read what.
fn not_found(called: &str) -> String {
    let (name, types) = called.split_once(' ').unwrap_or((called, "()"));
    match language::find(Kind::Function, name).filter(|word| !word.signs.is_empty()) {
        Some(word) => {
            // The types as the reference names them.
            let types = types
                .replace("(()", "(nothing")
                .replace(", ()", ", nothing")
                .replace("&str | ImmutableString | String", "string")
                .replace("i64", "int")
                .replace("f64", "float");
            let forms: Vec<_> = word
                .signs
                .iter()
                .map(|sign| format!("{name}{sign}"))
                .collect();
            format!("`{name}` is not for {types}; there is {}", forms.join(", "))
        }
        None => format!("function not found: {called}"),
    }
}

/// A closure's own name is a hash: never shown.
fn described(function: &str) -> String {
    if function.starts_with("anon$") {
        "a closure".to_owned()
    } else {
        function.to_owned()
    }
}

fn known(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

/// Our messages start in lower case; Rhai's do not.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}
