//! A version of the script in service on one load thread, and what the users of its classes share
//! there.
//!
//! Owns how the users of a class reach their host, and the count of users in each generation.
//! `renewal` moves a user from one to the next; `vu` decides when.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

use super::observer::Tracer;
use super::routes::Destination;
use super::thread::Thread;
use crate::clock::Timers;
use crate::http;
use crate::scenario;
use crate::script::api::clients::ClientCache;
use crate::script::load::assembly::Class;
use crate::script::load::program::Program;
use crate::script::value;

/// A script as one load thread runs it, numbered within the run.
pub struct Generation {
    number: u16,
    pub(crate) program: Rc<Program>,
    /// What to run of each class, in the order of the program's classes.
    plans: Vec<Rc<scenario::Class>>,
    pub(crate) ways: Vec<Way>,
    /// What additional clients of its users share.
    pub(crate) client_cache: ClientCache,
    /// Users that are in it.
    users: Cell<u32>,
    is_replaced: Cell<bool>,
}

/// How the users of one class on this thread reach their host.
pub(crate) struct Way {
    pub(crate) client: http::Client,
    pub(crate) destination: Rc<Destination>,
    /// Where relative requests go once the generation is in service.
    pub(crate) base: Option<http::Base>,
}

impl Generation {
    /// Generation `number` of a run. `plans` and `bases` are in the order of the program's classes.
    /// What has not changed is shared with the generation `before`.
    ///
    /// # Errors
    /// When a client cannot be made: a certificate that cannot be read.
    pub fn new(
        number: u16,
        program: Rc<Program>,
        plans: Vec<Rc<scenario::Class>>,
        bases: Vec<Option<http::Base>>,
        timers: &Timers,
        before: Option<&Generation>,
    ) -> Result<Generation, String> {
        let known = |class: &Class| {
            let before = before?;
            Some(&before.ways[before.class_named(&class.name)?])
        };
        let ways = program.classes().iter().zip(bases).map(|(class, base)| {
            let known = known(class);
            let client = match known {
                Some(way) if *way.client.options() == class.http => way.client.clone(),
                _ => http::Client::new(class.http.clone(), timers.clone())
                    .map_err(|error| format!("the user class `{}`: {error}", class.name))?,
            };
            let credentials = |base: &Option<http::Base>| {
                let found = base.as_ref().and_then(http::Base::credentials);
                found.map(|(user, password)| (user.to_owned(), password.to_owned()))
            };
            let destination = match known {
                // Otherwise a session would carry the old host's credentials to the new one.
                Some(way) if credentials(&way.base) == credentials(&base) => {
                    way.destination.clone()
                }
                _ => Rc::new(Destination::new(base.clone())),
            };
            Ok(Way {
                client,
                destination,
                base,
            })
        });
        Ok(Generation {
            ways: ways.collect::<Result<_, String>>()?,
            number,
            program,
            plans,
            client_cache: ClientCache::default(),
            users: Cell::new(0),
            is_replaced: Cell::new(false),
        })
    }

    /// Its number in the run, from 1.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The script.
    #[must_use]
    pub fn program(&self) -> &Rc<Program> {
        &self.program
    }

    /// The classes, in the order of the scenario.
    #[must_use]
    pub fn classes(&self) -> &[Rc<Class>] {
        self.program.classes()
    }

    /// The index of the class of that name.
    #[must_use]
    pub fn class_named(&self, name: &str) -> Option<usize> {
        self.classes().iter().position(|class| class.name == name)
    }

    /// What to run of a class.
    ///
    /// # Panics
    /// When there is no such class.
    #[must_use]
    pub fn plan(&self, class: usize) -> &Rc<scenario::Class> {
        &self.plans[class]
    }

    /// What to report about users that come from the previous generation: which keys of their state
    /// are reset.
    #[must_use]
    pub fn remarks_after(&self, before: &Generation) -> Vec<String> {
        let mut remarks = Vec::new();
        for class in self.classes() {
            let Some(known) = before.class_named(&class.name) else {
                continue;
            };
            let old = &before.classes()[known].state;
            for (key, value) in &class.state {
                if let Some(was) = old.get(key).filter(|was| was.type_id() != value.type_id()) {
                    remarks.push(format!(
                        "`this.{key}` of `{}` was {} and is {} now: users get its new value",
                        class.name,
                        value::kind(was),
                        value::kind(value)
                    ));
                }
            }
        }
        remarks
    }

    /// Goes into service: its hosts apply from the next request on, whichever user makes it.
    pub(crate) fn enter_service(&self, tracer: Option<&Rc<Tracer>>) {
        for way in &self.ways {
            way.destination.turn_to(way.base.as_ref());
            if let Some(tracer) = tracer {
                way.client.tap(tracer.clone());
            }
        }
    }

    /// Goes out of service; returns how many users are still in it.
    pub(crate) fn leave_service(&self) -> u32 {
        self.is_replaced.set(true);
        self.users.get()
    }

    /// Whether another generation is in service.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.is_replaced.get()
    }
}

/// How many users of a thread are in an older generation than the one in service.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    users: Cell<u32>,
    /// Signalled when the last of them has renewed or ended.
    nobody: Notify,
}

impl Behind {
    pub(crate) fn users(&self) -> u32 {
        self.users.get()
    }

    pub(crate) fn more(&self, users: u32) {
        self.users.set(self.users.get() + users);
    }

    fn one_less(&self) {
        self.users.set(self.users.get() - 1);
        if self.users.get() == 0 {
            self.nobody.notify_one();
        }
    }

    pub(crate) async fn nobody(&self) {
        self.nobody.notified().await;
    }
}

/// Counts a user as being in a generation, until dropped.
pub(crate) struct Membership {
    generation: Rc<Generation>,
    /// How many of the thread's users are behind.
    behind: Rc<Behind>,
}

impl Membership {
    pub(crate) fn new(generation: &Rc<Generation>, thread: &Thread) -> Membership {
        generation.users.set(generation.users.get() + 1);
        Membership {
            generation: generation.clone(),
            behind: thread.behind.clone(),
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let users = &self.generation.users;
        users.set(users.get() - 1);
        if self.generation.is_replaced() {
            self.behind.one_less();
        }
    }
}
