//! A call of a script's function: in a coroutine, as soon as there is a stack, within its limit.
//!
//! Owns when a call is cancelled. The driver (`vu`) decides what is called and what follows.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rhai::Dynamic;

use super::Driver;
use crate::clock::{self, Micros};
use crate::coroutine::{Coroutine, Stack};
use crate::scenario::Function;
use crate::script::{Ended, Failure, Instance};

/// How long to wait before trying again to get a stack.
const STACK_RETRY: Duration = Duration::from_millis(100);

/// Which limit of a stop order applies to a call.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    Task,
    OnStop(Micros),
}

/// What comes back from a call: the user, and how it went.
type Returned = (Instance, Result<Dynamic, Ended>);

impl Driver {
    /// Runs a function of the script in a coroutine.
    pub(super) async fn run(&mut self, function: Function, limit: Limit) -> Result<Dynamic, Ended> {
        let mut coroutine = self.coroutine(function).await;
        let mut waited = false;
        let (instance, result) = poll_fn(|cx| {
            let poll = self.poll(&mut coroutine, limit, cx);
            waited |= poll.is_pending();
            poll
        })
        .await;
        self.instance = Some(instance);
        if !waited {
            // A task that never waits must not keep the thread from its other users.
            tokio::task::yield_now().await;
        }
        self.has_run();
        result
    }

    /// Waits until there is a stack. Counts one exception however many attempts it takes; all of
    /// that time is generator lag.
    #[cold]
    async fn stack_in_time(&mut self, error: &io::Error) -> Stack {
        self.user.exception(&Failure::of_stack(error));
        let since = clock::now();
        loop {
            let again = clock::now() + STACK_RETRY;
            self.parts.thread.timers().sleep_until(again).await;
            if let Ok(stack) = self.parts.stacks.take() {
                self.lags(since, clock::now());
                return stack;
            }
        }
    }

    /// A coroutine for a call, as soon as there is a stack for it.
    async fn coroutine(&mut self, function: Function) -> Coroutine<Returned> {
        let stack = match self.parts.stacks.take() {
            Ok(stack) => stack,
            Err(error) => Box::pin(self.stack_in_time(&error)).await,
        };
        let mut instance = self
            .instance
            .take()
            .expect("no other function of it is running");
        let label = instance.label(function);
        Coroutine::new(stack, label, move || {
            let result = instance.call(function);
            (instance, result)
        })
    }

    fn poll(
        &self,
        coroutine: &mut Coroutine<Returned>,
        limit: Limit,
        cx: &mut Context<'_>,
    ) -> Poll<Returned> {
        let until = match limit {
            Limit::Task => self
                .parts
                .orders
                .stopping()
                .map(|stopping| stopping.tasks_until),
            // A later order may leave less.
            Limit::OnStop(until) => Some(
                self.parts
                    .orders
                    .stopping()
                    .map_or(until, |stopping| stopping.on_stop_until.min(until)),
            ),
        };
        if let Some(until) = until {
            self.deadline.set(until);
            if until <= clock::now() || self.deadline.poll_expired(cx).is_ready() {
                coroutine.cancel();
            }
        }
        Pin::new(coroutine).poll(cx)
    }
}
