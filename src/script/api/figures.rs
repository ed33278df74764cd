//! `counter(name).add(1)` and `metric(name).add(3.0)`: a script's own metrics.
//!
//! Owns what may be added. `stats` adds them up over all threads, and has their bounds.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use crate::script::results::Result;
use crate::script::run::thread::Thread;
use crate::script::run::user::User;
use crate::script::value;

/// `counter(name)`
#[derive(Clone)]
struct Counter {
    thread: Rc<Thread>,
    name: ImmutableString,
}

/// `metric(name)`
#[derive(Clone)]
struct Metric {
    thread: Rc<Thread>,
    name: ImmutableString,
}

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Counter>("counter")
        .register_type_with_name::<Metric>("metric")
        .register_fn(
            "counter",
            |context: NativeCallContext, name: ImmutableString| -> Result<Counter> {
                let thread = User::of(&context)?.thread.clone();
                Ok(Counter { thread, name })
            },
        )
        .register_fn(
            "metric",
            |context: NativeCallContext, name: ImmutableString| -> Result<Metric> {
                let thread = User::of(&context)?.thread.clone();
                Ok(Metric { thread, name })
            },
        )
        .register_fn("add", |counter: &mut Counter, count: Dynamic| {
            counter.add(&count)
        })
        .register_fn("add", |metric: &mut Metric, value: Dynamic| {
            metric.add(&value)
        });
}

impl Counter {
    fn add(&self, count: &Dynamic) -> Result<()> {
        let count = value::whole(count).and_then(|count| u64::try_from(count).ok());
        let count = count.ok_or_else(|| {
            format!(
                "the counter `{}` adds up whole numbers from 0: for others there is \
                 `metric(name).add(value)`",
                self.name
            )
        })?;
        self.thread
            .record(|recorder| recorder.count_own(&self.name, count));
        Ok(())
    }
}

impl Metric {
    fn add(&self, number: &Dynamic) -> Result<()> {
        let finite = value::number(number).filter(|number| number.is_finite());
        let finite = finite.ok_or_else(|| {
            format!(
                "the metric `{}` is of finite numbers, not `{number}`",
                self.name
            )
        })?;
        self.thread
            .record(|recorder| recorder.measure_own(&self.name, finite));
        Ok(())
    }
}
